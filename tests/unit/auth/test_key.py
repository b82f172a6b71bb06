"""Keys as text."""

from __future__ import annotations

import pytest

from service.auth.key import new_key, new_session, new_ticket, read_key, read_session, read_ticket


def test_a_key_is_read_as_it_was_made() -> None:
    key = new_key()
    assert read_key(key.text.encode()) == (key.id, key.digest)


def test_no_two_keys_are_alike() -> None:
    keys = [new_key() for _ in range(1000)]
    assert len({key.id for key in keys}) == len({key.digest for key in keys}) == 1000


def test_another_secret_has_another_digest() -> None:
    key = new_key()
    other = f"{key.text[:-1]}{'0' if key.text[-1] != '0' else '1'}"
    presented = read_key(other.encode())
    assert presented is not None
    assert (presented.id, presented.digest != key.digest) == (key.id, True)


def test_keys_sessions_and_tickets_are_not_taken_for_each_other() -> None:
    texts = [text.encode() for text in (new_key().text, new_session().text, new_ticket())]
    for number, read in enumerate((read_key, read_session, read_ticket)):
        assert [read(text) is not None for text in texts] == [number == other for other in range(3)]
    assert len(new_key().id) != len(new_session().id)


@pytest.mark.parametrize(
    "text", ["", "hp_", "hp_0123456789ab_", "hp_0123456789ab_" + "g" * 64, "HP_0123456789ab_" + "0" * 64]
)
def test_what_is_no_key_is_not_read(text: str) -> None:
    assert read_key(text.encode()) is None


def test_nothing_may_follow_a_key() -> None:
    text = new_key().text
    assert [read_key(other.encode()) for other in (f"{text}\n", f"{text}0", f" {text}")] == [None] * 3
