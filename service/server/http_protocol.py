"""A connection that does not send a whole request head in time is closed, so that silence cannot use them all up.

So is one that keeps sending a body that was answered already: it is not read.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.live.connections import GOING_AWAY, LINE, STOPPING, Leave
from service.server.http_1_0 import OLD, UnframedCycle

HEAD_SECONDS = 20.0
LOOK_AGAIN_SECONDS = 0.5


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol with a limit on how long the head of a request may take."""

    deadline: asyncio.TimerHandle | None = None
    leave: Leave | None = None

    def connection_made(self, transport: Any) -> None:
        """Wait for the first request."""
        super().connection_made(transport)
        self.wait()

    def on_message_begin(self) -> None:
        """Wait for the rest of the head of a request that has begun."""
        super().on_message_begin()
        self.scope["extensions"] = {LINE: self}  # type: ignore[dict-item]
        if self.deadline is None:
            self.wait()

    def on_response_complete(self) -> None:
        """Wait for the rest of a body that was answered before it came, and is passed over."""
        super().on_response_complete()
        if self.cycle.response_complete and self.cycle.more_body:
            self.cycle.body = bytearray()
            if self.deadline is None:
                self.wait()

    def on_headers_complete(self) -> None:
        """Stop waiting: the body has a limit of its own."""
        self.stop_waiting()
        super().on_headers_complete()
        if self.scope["http_version"] == OLD and self.cycle is not None:
            self.cycle.__class__ = UnframedCycle

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self.stop_waiting()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """End an event stream, which would not end by itself."""
        super().shutdown()
        if self.leave is not None:
            self.leave(GOING_AWAY, STOPPING)

    def wait(self) -> None:
        """Close the connection unless a head is complete in time."""
        self.deadline = self.loop.call_later(HEAD_SECONDS, self.look_again)

    def look_again(self) -> None:
        """Let what arrived while the loop was busy be read before the connection is closed."""
        self.deadline = self.loop.call_later(LOOK_AGAIN_SECONDS, self.transport.close)

    def stop_waiting(self) -> None:
        """Cancel the deadline."""
        if self.deadline is not None:
            self.deadline.cancel()
            self.deadline = None
