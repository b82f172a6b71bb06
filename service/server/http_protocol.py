"""A connection that does not send a whole request head in time is closed, so that silence cannot use them all up.

So is one that keeps sending a body that was answered already: it is not read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from service.errors import Problem
from service.http.arrivals import Arrivals
from service.http.departure import PROTOCOL
from service.http.pace import Pace
from service.live.connections import GOING_AWAY, STOPPING, Close
from service.server.connection_limit import Connections, counted_address
from service.server.http_1_0 import OLD, UnframedCycle
from service.server.request_cycle import BoundedCycle
from service.server.request_heads import BoundedHeadProtocol
from service.server.slow_readers import ReaderWatch, bound_unsent
from service.settings import Settings

LOOK_AGAIN_SECONDS = 0.5
LINGER_SECONDS = 1.0  # in which a client that was about to ask does so


class HttpProtocol(BoundedHeadProtocol):
    """uvicorn's HTTP protocol with limits on how large the head of a request may be, and how long it may take."""

    head_seconds: float
    arrivals: Arrivals
    limit: Connections
    min_answer_rate: int
    answer_idle_seconds: float
    address = ""
    reader: ReaderWatch | None = None
    deadline: asyncio.TimerHandle | None = None
    on_shutdown: Close | None = None
    on_lost: Callable[[], Any] | None = None

    def connection_made(self, transport: Any) -> None:
        """Wait for the first request, or refuse the connection."""
        super().connection_made(transport)
        bound_unsent(transport)
        self.address = counted_address(self.client)
        problem = self.limit.enter(self.address)
        self.limit.idle[self] = None
        if problem is None:
            self.wait()
        else:
            self.refuse(problem)

    def data_received(self, data: bytes) -> None:
        """Wait for a head where what came is not the beginning of one yet, such as an empty line."""
        super().data_received(data)
        is_answered = self.cycle is not None and self.cycle.response_complete
        if is_answered and self.deadline is None and self.timeout_keep_alive_task is None:
            self.wait()

    def on_message_begin(self) -> None:
        """Wait for the rest of the head of a request that has begun."""
        super().on_message_begin()
        self.scope["extensions"] = {PROTOCOL: self}  # type: ignore[dict-item]
        if self.deadline is None:
            self.wait()

    def on_response_complete(self) -> None:
        """Wait for the rest of a body that was answered before it came, and is passed over."""
        super().on_response_complete()
        if not self.pipeline:
            self.limit.idle[self] = None
        if self.transport.get_write_buffer_size():
            self.watch_reader()
        if self.cycle.response_complete and self.cycle.more_body:
            self.cycle.body = bytearray()
            if self.deadline is None:
                self.wait()

    def on_headers_complete(self) -> None:
        """Stop waiting: the body has a limit of its own."""
        self.stop_waiting()
        self.limit.idle.pop(self, None)
        super().on_headers_complete()
        if self.cycle is not None:
            cycle = cast(BoundedCycle, self.cycle)
            cycle.__class__ = UnframedCycle if self.scope["http_version"] == OLD else BoundedCycle
            cycle.arrivals = self.arrivals
            if self.limit.draining:
                cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """Read on after a large body, or its client could not be seen to leave."""
        super().on_message_complete()
        if not self.pipeline:
            self.flow.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self.stop_waiting()
        if self.on_lost is not None:
            self.on_lost()
        if self.reader is not None:
            self.reader.end()
        self.limit.idle.pop(self, None)
        self.limit.leave(self.address)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Watch how the client takes what is sent."""
        super().pause_writing()
        self.watch_reader()

    def resume_writing(self) -> None:
        """Let the application send more."""
        super().resume_writing()
        if self.reader is not None:
            self.reader.end()

    def watch_reader(self) -> None:
        """Watch how the client takes an answer; live updates are watched by service/live/delivery.py."""
        if self.on_shutdown is None:
            self.reader = self.reader or ReaderWatch(
                self.transport, Pace(self.min_answer_rate, self.answer_idle_seconds)
            )
            self.reader.begin()

    def shutdown(self) -> None:
        """End an event stream, which would not end by itself.

        While draining, an idle connection is closed a little later, or a request on its way would meet a closed one.
        """
        if self.limit.draining and self in self.limit.idle:
            self.loop.call_later(LINGER_SECONDS, super().shutdown)
            return
        super().shutdown()
        if self.on_shutdown is not None:
            self.on_shutdown(GOING_AWAY, STOPPING)

    def answer(self, problem: Problem) -> None:
        """Wait for no head any more."""
        self.stop_waiting()
        super().answer(problem)

    def wait(self) -> None:
        """Close the connection unless a head is complete in time."""
        self.deadline = self.loop.call_later(self.head_seconds, self.look_again)

    def look_again(self) -> None:
        """Let what arrived while the loop was busy be read before the connection is closed."""
        self.deadline = self.loop.call_later(LOOK_AGAIN_SECONDS, self.transport.close)

    def stop_waiting(self) -> None:
        """Cancel the deadline."""
        if self.deadline is not None:
            self.deadline.cancel()
            self.deadline = None


def http_protocol(settings: Settings, shared_arrivals: Arrivals, connections: Connections) -> type[HttpProtocol]:
    """Return the protocol with the limits of the settings."""

    class Configured(HttpProtocol):
        head_seconds = settings.head_seconds
        max_header_bytes = settings.max_header_bytes
        max_header_fields = settings.max_header_fields
        min_answer_rate = settings.min_answer_rate
        answer_idle_seconds = settings.answer_idle_seconds
        arrivals = shared_arrivals
        limit = connections

    return Configured
