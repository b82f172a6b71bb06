"""The last seconds of a process that is to stop: it says that it is not ready, and serves on until others know.

What asks `/ready`, such as a load balancer, sends it nothing any more meanwhile, so that no client meets a closed port.
"""

from __future__ import annotations

import logging
import math
import signal
from collections.abc import Iterable
from types import FrameType
from typing import Any

import uvicorn

from service.live.connections import GOING_AWAY, STOPPING
from service.server.connection_limit import Connections

TICK_SECONDS = 0.1  # uvicorn's

log = logging.getLogger("hyperpulse")


class Drain:
    """How long a process still serves, and when its live clients leave: one after the other in the second half."""

    def __init__(self, seconds: float) -> None:
        self.left = seconds
        self.half = seconds / 2

    def step(self, since: float, live: int) -> int:
        """Go on, so many seconds after the last step; return how many of the live clients are to leave now."""
        self.left -= since
        if self.left > self.half:
            return 0
        return math.ceil(live * since / max(since, self.left))

    @property
    def is_over(self) -> bool:
        """Whether the process is to stop."""
        return self.left <= 0


class DrainingServer(uvicorn.Server):
    """uvicorn's server, which drains on SIGTERM where that is wanted; SIGINT stops it at once."""

    drain: Drain | None = None
    is_asked = False

    def __init__(self, config: uvicorn.Config, connections: Connections, drain_seconds: float | None) -> None:
        super().__init__(config)
        self.connections = connections
        self.drain_seconds = drain_seconds

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain, or stop; a supervisor and systemd may both send SIGTERM, so a second one changes nothing."""
        if sig == signal.SIGTERM and self.drain_seconds is not None and self.started and not self.should_exit:
            self.is_asked = self.connections.draining = self.connections.withdrawn = True
        else:
            super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """Go on draining; return whether to stop."""
        if self.is_asked and self.drain_seconds is not None:
            if self.drain is None:
                log.info("draining: /ready says 503, and all else is answered for %s s", self.drain_seconds)
                self.drain = Drain(self.drain_seconds)
            close_live(self.server_state.connections, self.drain)
            if self.drain.is_over and not self.should_exit:
                super().handle_exit(signal.SIGTERM, None)
        return await super().on_tick(counter)


def close_live(connections: Iterable[Any], drain: Drain) -> None:
    """Close the live connections that are due, with the reason, whereupon their clients connect to another process."""
    live = [connection for connection in connections if connection.on_shutdown is not None]
    for connection in live[: drain.step(TICK_SECONDS, len(live))]:
        connection.on_shutdown(GOING_AWAY, STOPPING)
