"""Serve: `python -m service`."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import threading
from contextlib import suppress

import uvicorn

from service.app import make_app
from service.auth.startup import require_keys
from service.database.startup import require_sessions
from service.http.arrivals import Arrivals
from service.log_format import set_up_logging
from service.server.connection_limit import Connections
from service.server.drain import DrainingServer
from service.server.http_protocol import http_protocol
from service.server.open_files import backlog, raise_limit, room_for_connections
from service.server.supervisor import shared_socket, supervise
from service.server.websocket_protocol import websocket_protocol
from service.settings import BadSetting, Settings, read_log_format, read_settings
from service.tracing import CannotTrace, wanted

STARTUP_FAILURE = 3
CYCLES = (5_000, 2, 50)  # objects, and looks at young ones before a look at older ones

log = logging.getLogger("hyperpulse")


def stop_with_stdin() -> None:
    """Stop like on SIGTERM when standard input ends, which it does when the process that started this one is gone."""

    def wait() -> None:
        # Past the buffer, whose lock the interpreter takes when it exits.
        while os.read(sys.stdin.fileno(), 4096):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def look_for_cycles_rarely() -> None:
    """Have Python look for cycles among much less, and only after more new objects than a round of live updates makes.

    A look at the objects of a thousand clients stops the event loop for a tenth of a second, and so does one at many
    young objects, of which those that connections leave behind may be nearly all: it is at few of them at a time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*CYCLES)


def serve(settings: Settings) -> None:
    """Serve in this process."""
    open_files = raise_limit()
    room = room_for_connections(open_files)
    if room < settings.max_connections:
        log.warning(
            "%s open files are allowed: at most %s connections, not %s", open_files, room, settings.max_connections
        )
    connections = Connections(min(room, settings.max_connections), settings.max_connections_per_address)
    arrivals = Arrivals(settings)
    config = uvicorn.Config(
        make_app(settings, arrivals),
        host=settings.host,
        port=settings.port,
        log_config=None,  # its loggers log as the service does
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=settings.stop_seconds,
        http=http_protocol(settings, arrivals, connections),
        backlog=backlog(open_files),
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        ws=websocket_protocol(connections),
        ws_max_size=64 * 1024,
        ws_ping_interval=settings.live_heartbeat_seconds,
        ws_ping_timeout=settings.live_heartbeat_seconds,
        ws_per_message_deflate=False,  # or each client would have a message of its own, and a compressor
    )
    sockets = [shared_socket(settings.host, settings.port)] if os.environ.get("SHARE_PORT") else None
    server = DrainingServer(config, connections, settings.drain_seconds)
    if sockets:
        drain_on_hangup(server, connections)
    config.load()
    look_for_cycles_rarely()
    with suppress(KeyboardInterrupt):
        server.run(sockets=sockets)
    if not server.started:
        raise SystemExit(STARTUP_FAILURE)


def drain_on_hangup(server: uvicorn.Server, connections: Connections) -> None:
    """Stop on SIGHUP, which says that another process takes over."""

    def drain(*_: object) -> None:
        connections.draining = True
        server.should_exit = True

    signal.signal(signal.SIGHUP, drain)


def main() -> int:
    """Serve until a signal to stop; the environment says where and on which database."""
    set_up_logging()
    try:
        set_up_logging(read_log_format(os.environ))
        settings = read_settings(os.environ)
    except BadSetting as error:
        log.error("%s", error)
        return 2
    if os.environ.get("STOP_WITH_STDIN"):
        stop_with_stdin()
    if settings.auth == "off":
        log.warning("AUTH=off: all who reach %s:%s may read, write and erase everything.", settings.host, settings.port)
    try:
        require_sessions(settings)
        require_keys(settings)
        wanted(os.environ)
        if settings.workers > 1:
            return supervise(settings)
        serve(settings)
    except (BadSetting, CannotTrace) as error:
        log.error("%s", error)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
