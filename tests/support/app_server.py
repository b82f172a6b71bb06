"""An application behind the service's HTTP protocol and a real socket, in a thread of the test's process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from service.http.arrivals import Arrivals
from service.server.connection_limit import Connections
from service.server.http_protocol import http_protocol
from service.server.websocket_protocol import websocket_protocol
from service.settings import Settings


def quick_settings(**changes: Any) -> Settings:
    """Return settings, in which seconds may be fractions."""
    return replace(Settings(""), **changes)


@contextmanager
def serving(
    app: ASGIApp, settings: Settings, arrivals: Arrivals | None = None, connections: Connections | None = None
) -> Iterator[int]:
    """Serve an application; yields the port."""
    connections = connections or Connections(settings.max_connections, settings.max_connections_per_address)
    protocol = http_protocol(settings, arrivals or Arrivals(settings), connections)
    ws = websocket_protocol(connections)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", http=protocol, ws=ws))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
