"""ASGI middleware that holds for every path: raw paths, compression, the same origin."""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from service.errors import Forbidden
from service.http.problem_details import problem_response

REFUSES_GZIP = re.compile(r"\bgzip\s*;\s*q=0(\.0*)?\s*(,|$)")
ADVICE = (
    "Have a proxy hand the header Host on as it came (nginx: proxy_set_header Host $http_host), or name the origin in "
    "ALLOWED_ORIGINS. docs/proxy.md says more."
)
SAFE = ("GET", "HEAD", "OPTIONS")


class RawPathRouting:
    """Routes by the path as it was sent, so that %2F stays inside a name, and without its one trailing slash."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            path = scope.get("raw_path", scope["path"].encode()).split(b"?")[0].decode("latin-1")
            if len(path) > 1 and path.endswith("/"):
                path = path[:-1]
            scope = {**scope, "path": path}
        await self.app(scope, receive, send)


def takes_gzip(headers: Headers) -> bool:
    """Return whether a client accepts gzip."""
    accepted = headers.get("accept-encoding", "")
    return "gzip" in accepted and not REFUSES_GZIP.search(accepted)


class GzipOnRequest(GZipMiddleware):
    """Compresses answers for clients that accept gzip, and not for those that say `gzip;q=0`."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and REFUSES_GZIP.search(Headers(scope=scope).get("accept-encoding", "")):
            await self.app(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


class SameOrigin:
    """Refuses what another site's page asks a browser to do here: writes, and live connections.

    Pages of allowed origins (`https://app.example.org`, `capacitor://localhost`) may.
    """

    def __init__(self, app: ASGIApp, allowed: Collection[str] = ()) -> None:
        self.app = app
        self.allowed = frozenset(allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" or (scope["type"] == "http" and scope["method"] not in SAFE):
            headers = Headers(scope=scope)
            origin = headers.get("origin")
            if origin is not None and origin not in self.allowed and urlsplit(origin).netloc != headers.get("host"):
                await self.refuse(origin, headers.get("host", ""), scope, receive, send)
                return
        await self.app(scope, receive, send)

    async def refuse(self, origin: str, host: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 403, a handshake too, and say which headers were compared and what can be done."""
        does = "listen" if scope["type"] == "websocket" else "write"
        why = f"the header Origin names another host than the header Host, which is {host[:200] or 'missing'}"
        problem = Forbidden(f"A page of {origin[:200]} must not {does} here: {why}. {ADVICE}")
        response = problem_response(problem)
        if scope["type"] == "websocket":
            await WebSocket(scope, receive, send).send_denial_response(response)
        else:
            await response(scope, receive, send)
