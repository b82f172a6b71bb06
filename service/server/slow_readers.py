"""Clients that take their answers too slowly: judged by bytes in a time, not by how long nothing moves."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

from service.http.pace import Pace

LOOK_SECONDS = 1.0
UNSENT = 128 * 1024  # bytes that the kernel takes ahead of the client; else some megabytes, in steps of a third


class ReaderWatch:
    """Watches an answer that does not go out at once, and aborts the connection of a client that is too slow."""

    def __init__(self, transport: asyncio.Transport, pace: Pace) -> None:
        self.transport = transport
        self.pace = pace
        self.loop = asyncio.get_running_loop()
        self.timer: asyncio.TimerHandle | None = None
        self.unsent = 0
        self.looked_at = 0.0

    def begin(self) -> None:
        """Watch from now on, unless that is so already."""
        if self.timer is None:
            self.unsent, self.looked_at = self.transport.get_write_buffer_size(), self.loop.time()
            self.timer = self.loop.call_later(self.interval, self.look)

    def end(self) -> None:
        """Count what was taken, and watch no longer: what follows is the application's time."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
            self.count()

    def look(self) -> None:
        """Count what was taken, and abort, or go on for as long as anything is unsent."""
        self.timer = None
        self.count()
        if self.pace.is_too_slow:
            self.transport.abort()
        elif self.unsent:
            self.timer = self.loop.call_later(self.interval, self.look)

    def count(self) -> None:
        """Count what was taken since the last look."""
        before, since = self.unsent, self.looked_at
        self.unsent, self.looked_at = self.transport.get_write_buffer_size(), self.loop.time()
        self.pace.move(max(0, before - self.unsent), self.looked_at - since)

    @property
    def interval(self) -> float:
        """Seconds until the next look."""
        return min(LOOK_SECONDS, self.pace.patience / 4)


def bound_unsent(transport: asyncio.BaseTransport) -> None:
    """Keep the kernel from taking much more than the client does, where it can."""
    connected = transport.get_extra_info("socket")
    if hasattr(socket, "TCP_NOTSENT_LOWAT") and connected is not None:
        with suppress(OSError):  # it may be no TCP
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT)
