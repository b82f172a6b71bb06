"""The cookie that holds a session."""

from __future__ import annotations

import pytest

from service.auth.key import new_key, new_session
from service.auth.session_cookie import (
    clearing_cookie,
    cookie_name,
    is_secure,
    require_same_origin,
    session_of,
    setting_cookie,
)
from service.errors import Forbidden


def request(scheme: str = "http", kind: str = "http", **headers: str) -> dict[str, object]:
    """Make the ASGI scope of a request."""
    named = {"host": "localhost:8000", **headers}
    sent = [(name.replace("_", "-").encode(), value.encode()) for name, value in named.items()]
    return {"type": kind, "scheme": scheme, "headers": sent}


@pytest.mark.parametrize(
    ("scheme", "host", "name"),
    [
        ("http", "localhost:8000", "hyperpulse-8000"),
        ("ws", "[::1]:8001", "hyperpulse-8001"),
        ("http", "hp.example.org", "hyperpulse-80"),
        ("https", "hp.example.org", "__Host-hyperpulse-443"),
        ("wss", "hp.example.org:8443", "__Host-hyperpulse-8443"),
    ],
)
def test_the_name_tells_services_of_a_host_apart(scheme: str, host: str, name: str) -> None:
    assert cookie_name(request(scheme, host=host)) == name


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_what_is_set_is_read_until_it_is_cleared(scheme: str) -> None:
    session = new_session()
    cookie = setting_cookie(request(scheme), session.text).split(";")[0]
    assert session_of(request(scheme, cookie=f"theme=dark; {cookie} ; other=1")) == (session.id, session.digest)
    assert ("Secure" in setting_cookie(request(scheme), session.text)) == is_secure(request(scheme))
    cleared = clearing_cookie(request(scheme))
    assert cleared.startswith(f"{cookie_name(request(scheme))}=;")
    assert "Max-Age=0" in cleared


def test_what_is_not_one_session_is_none() -> None:
    text, name = new_session().text, "hyperpulse-8000"
    for cookie in (
        "",
        name,
        f"{name}=",
        f"{name}={new_key().text}",
        f"{name}={text}; {name}={text}",
        f'{name}="{text}"',
        f"{name}={text}0",
        f"hyperpulse-8001={text}",
        f"__Host-{name}={text}",
        f"{name.upper()}={text}",
    ):
        assert session_of(request(cookie=cookie)) is None, cookie


OWN = "http://localhost:8000"
SITES = ("cross-site", "same-site", "none", "", "Same-Origin")


def is_admitted(scope: dict[str, object]) -> bool:
    try:
        require_same_origin(scope)
    except Forbidden:
        return False
    return True


def test_a_request_says_that_it_is_of_a_page_of_this_service() -> None:
    assert is_admitted(request(sec_fetch_site="same-origin"))
    assert not is_admitted(request())
    assert not is_admitted(request(origin=OWN))
    assert not any(is_admitted(request(sec_fetch_site=site, origin=OWN)) for site in SITES)
    twice = request(sec_fetch_site="same-origin")
    twice["headers"] += [(b"sec-fetch-site", b"same-origin")]  # type: ignore[operator]
    assert not is_admitted(twice)


def test_a_socket_says_so_by_its_origin() -> None:
    assert is_admitted(request("ws", "websocket", origin=OWN))
    assert is_admitted(request("ws", "websocket", origin=OWN, sec_fetch_site="same-origin"))
    assert is_admitted(request("ws", "websocket", origin="https://localhost:8000"))  # TLS ends at a proxy
    assert is_admitted(request("wss", "websocket", origin="https://localhost:8000"))
    assert not is_admitted(request("wss", "websocket", origin=OWN))
    assert not is_admitted(request("ws", "websocket"))
    assert not is_admitted(request("ws", "websocket", sec_fetch_site="same-origin"))
    assert not any(is_admitted(request("ws", "websocket", origin=OWN, sec_fetch_site=site)) for site in SITES)
    for origin in ("null", "", "http://localhost", "http://localhost:8001", "http://localhost:8000.evil", "HTTP://x"):
        assert not is_admitted(request("ws", "websocket", origin=origin)), origin
