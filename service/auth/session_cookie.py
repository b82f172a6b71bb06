"""The cookie that holds a session: how it is set and read, and which requests may come with it."""

from __future__ import annotations

from starlette.types import Scope

from service.auth.key import Presented, read_session
from service.errors import Forbidden
from service.http.hosts import port_of

SECURE = ("https", "wss")
HOW = (
    "A session is taken only from pages of this service, whose browser says so in Sec-Fetch-Site; browsers do that "
    "over HTTPS, and over HTTP only on the service's own machine. Programs send a key."
)


def is_secure(scope: Scope) -> bool:
    """Return whether a request came over TLS, to this service or to a trusted proxy."""
    return scope.get("scheme") in SECURE


def cookie_name(scope: Scope) -> str:
    """Return the cookie's name, with the port of Host: browsers send cookies to every port of a host."""
    port = port_of(header(scope, b"host") or "") or (443 if is_secure(scope) else 80)
    return f"{'__Host-' if is_secure(scope) else ''}hyperpulse-{port}"


def setting_cookie(scope: Scope, text: str) -> str:
    """Return the value of Set-Cookie that keeps a session until the browser is closed."""
    return f"{cookie_name(scope)}={text}; Path=/; HttpOnly; SameSite=Strict{'; Secure' if is_secure(scope) else ''}"


def clearing_cookie(scope: Scope) -> str:
    """Return the value of Set-Cookie that removes the session."""
    return f"{setting_cookie(scope, '')}; Max-Age=0"


def session_of(scope: Scope) -> Presented | None:
    """Return the session that a request comes with; None where there is none, or two cookies have its name."""
    name = cookie_name(scope).encode()
    sent = [
        value
        for header_name, text in scope["headers"]
        if header_name == b"cookie"
        for found, _, value in (part.strip().partition(b"=") for part in text.split(b";"))
        if found == name
    ]
    return read_session(sent[0]) if len(sent) == 1 else None


def require_same_origin(scope: Scope) -> None:
    """Raise Forbidden where a request with a session was not made by a page of this service.

    Browsers say so in Sec-Fetch-Site, but some not of WebSockets, of which all of them name the Origin.
    """
    site = header(scope, b"sec-fetch-site")
    if scope["type"] == "websocket":
        host = header(scope, b"host")
        origins = [f"https://{host}"] if is_secure(scope) else [f"https://{host}", f"http://{host}"]
        is_own = header(scope, b"origin") in origins and site in (None, "same-origin")
    else:
        is_own = site == "same-origin"
    if not is_own:
        raise Forbidden(HOW)


def header(scope: Scope, name: bytes) -> str | None:
    """Return the only value of a header; None where there is none, empty where there are several."""
    values = [value.decode("latin-1") for found, value in scope["headers"] if found == name]
    return None if not values else values[0] if len(values) == 1 else ""
