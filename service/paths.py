"""ASGI middleware for what holds for every path."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from service.problems import Problem, problem_response

REFUSES_GZIP = re.compile(r"\bgzip\s*;\s*q=0(\.0*)?\s*(,|$)")
SAFE = ("GET", "HEAD", "OPTIONS")


class PlainPaths:
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
    """Tell whether a client accepts gzip."""
    accepted = headers.get("accept-encoding", "")
    return "gzip" in accepted and not REFUSES_GZIP.search(accepted)


class CompressOnRequest(GZipMiddleware):
    """Compresses answers for clients that accept gzip, and not for those that say `gzip;q=0`."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and REFUSES_GZIP.search(Headers(scope=scope).get("accept-encoding", "")):
            await self.app(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


class SameOrigin:
    """Refuses what another site's page asks a browser to do here: writes, and live connections."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" or (scope["type"] == "http" and scope["method"] not in SAFE):
            headers = Headers(scope=scope)
            origin = headers.get("origin")
            if origin is not None and urlsplit(origin).netloc != headers.get("host"):
                await self.refuse(origin, scope, receive, send)
                return
        await self.app(scope, receive, send)

    async def refuse(self, origin: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 403, or refuse the handshake."""
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "another origin"})
            return
        problem = Problem(403, f"A page of {origin[:200]} must not write here.")
        await problem_response(problem)(scope, receive, send)
