"""Which hosts requests may name."""

from __future__ import annotations

import pytest

from service.http.hosts import HostAllowlist, host_of, is_loopback


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        ("localhost", "localhost"),
        ("LocalHost:8000", "localhost"),
        ("example.org.", "example.org"),
        ("[::1]:8000", "[::1]"),
        ("127.0.0.1:8000", "127.0.0.1"),
        ("", None),
        ("a b", None),
        ("user@localhost", None),
        ("localhost:80:80", None),
        ("localhost:", None),
        ("localhost/", None),
        ("evil.example#localhost", None),
        ("::1", None),
    ],
)
def test_the_host_of_an_authority(authority: str, host: str | None) -> None:
    assert host_of(authority) == host


@pytest.mark.parametrize(
    ("listed", "listens_on", "allowed", "refused"),
    [
        (
            (),
            "127.0.0.1",
            ["localhost:1", "127.0.0.1", "[::1]:2"],
            ["evil.example", "10.0.0.1", "localhost.evil.example"],
        ),
        ((), "0.0.0.0", ["localhost", "10.0.0.1:8000", "[fe80::1]"], ["evil.example"]),
        (
            ("hp.example.org",),
            "127.0.0.1",
            ["hp.example.org", "HP.example.org:443"],
            ["www.hp.example.org", "example.org"],
        ),
        ((".example.org",), "127.0.0.1", ["a.example.org", "a.b.example.org"], ["example.org", "evilexample.org"]),
        (("*",), "127.0.0.1", ["evil.example", "10.0.0.1"], ["", "a b"]),
        ((), "192.168.1.5", ["192.168.1.5:8000", "10.0.0.1"], ["evil.example"]),
        ((), "gateway.lan", ["gateway.lan"], ["evil.example"]),
    ],
)
def test_the_allowlist(listed: tuple[str, ...], listens_on: str, allowed: list[str], refused: list[str]) -> None:
    hosts = HostAllowlist(listed, listens_on)
    assert [authority for authority in allowed if not hosts.allows(authority.encode())] == []
    assert [authority for authority in refused if hosts.allows(authority.encode())] == []


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("10.0.0.1", False),
        ("x", False),
    ],
)
def test_loopback(host: str, local: bool) -> None:
    assert is_loopback(host) is local
