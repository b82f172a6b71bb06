"""Which requests are of this machine itself."""

from __future__ import annotations

import pytest

from service.auth.local import FORWARDING, is_local


def request(peer: str | None, host: str, *also: bytes) -> dict[str, object]:
    """Make the ASGI scope of a request."""
    headers = [(b"host", host.encode()), *((name, b"1") for name in also)]
    return {"client": peer and (peer, 50000), "headers": headers}


@pytest.mark.parametrize(
    ("peer", "host"), [("127.0.0.1", "localhost:8000"), ("::1", "[::1]:8000"), ("127.0.0.1", "127.0.0.1")]
)
def test_this_machine(peer: str, host: str) -> None:
    assert is_local(request(peer, host))


@pytest.mark.parametrize(
    ("peer", "host"),
    [("10.0.0.1", "localhost"), ("127.0.0.1", "hp.example.org"), (None, "localhost"), ("127.0.0.1", "")],
)
def test_other_machines(peer: str | None, host: str) -> None:
    assert not is_local(request(peer, host))


@pytest.mark.parametrize("name", sorted(FORWARDING))
def test_what_a_proxy_forwards_is_not_of_this_machine(name: bytes) -> None:
    assert not is_local(request("127.0.0.1", "localhost", name))
