"""The addresses that connections are counted by."""

from __future__ import annotations

import pytest

from service.server.connection_limit import counted_address


@pytest.mark.parametrize(
    ("client", "address"),
    [
        (None, ""),
        (("", 0), ""),
        (("127.0.0.1", 1), ""),
        (("127.1.2.3", 1), ""),
        (("::1", 1), ""),
        (("::ffff:127.0.0.1", 1), ""),
        (("192.0.2.7", 1), "192.0.2.7"),
        (("::ffff:192.0.2.7", 1), "192.0.2.7"),
        (("2001:db8:0:1:2:3:4:5", 1), counted_address(("2001:db8:0:1::", 1))),
    ],
)
def test_what_is_counted_as_one_address(client: tuple[str, int] | None, address: str) -> None:
    assert counted_address(client) == address
    assert address != counted_address(("2001:db8:0:2::", 1))
