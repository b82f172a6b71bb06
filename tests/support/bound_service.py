"""A service whose requests are bound to the tenant in a header, as authentication binds them to that of their key."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from service.app import make_app
from service.http.tenancy import KEY
from service.server.http_protocol import HeaderTimeoutProtocol
from service.server.websocket_protocol import PushOnlyWebSocketProtocol
from service.settings import Settings
from tests.support.ports import free_port
from tests.support.wire import PATIENCE

HEADER = "x-test-tenant"


class Binding:
    """Binds a request, or a WebSocket, to the tenant that its header names; without one it stays unbound."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        for name, value in scope.get("headers", ()):
            if name == HEADER.encode():
                scope[KEY] = value.decode()
        await self.app(scope, receive, send)


@contextmanager
def bound_service(database_url: str) -> Iterator[str]:
    """Serve from a thread of this process; yields the address."""
    settings = Settings(database_url, port=free_port(), refresh_seconds=None)
    config = uvicorn.Config(
        Binding(make_app(settings)),
        port=settings.port,
        log_config=None,
        http=HeaderTimeoutProtocol,
        ws=PushOnlyWebSocketProtocol,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + PATIENCE
        while not server.started:
            assert thread.is_alive()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield f"http://127.0.0.1:{settings.port}"
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
