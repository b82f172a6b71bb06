"""The ticket in a query string."""

from __future__ import annotations

import pytest

from service.auth.authenticator import take_ticket


@pytest.mark.parametrize(
    ("query", "ticket", "rest"),
    [
        (b"", None, b""),
        (b"user_id=a", None, b"user_id=a"),
        (b"ticket=ht_1", b"ht_1", b""),
        (b"user_id=a&ticket=ht_1&user_id=b", b"ht_1", b"user_id=a&user_id=b"),
        (b"ticket=", b"", b""),
        (b"ticket=ht_1&ticket=ht_2", b"ht_1ht_2", b""),
        (b"my_ticket=1", None, b"my_ticket=1"),
    ],
)
def test_a_ticket_is_taken_out(query: bytes, ticket: bytes | None, rest: bytes) -> None:
    scope = {"type": "websocket", "query_string": query}
    assert take_ticket(scope) == ticket
    assert scope["query_string"] == rest


def test_requests_have_no_tickets() -> None:
    scope = {"type": "http", "query_string": b"ticket=ht_1"}
    assert take_ticket(scope) is None
    assert scope["query_string"] == b"ticket=ht_1"
