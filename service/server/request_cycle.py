"""A request and its answer, as uvicorn has them, whose body must keep arriving."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from service.http.arrivals import QUICK_SECONDS, Arrivals, too_late
from service.http.pace import Pace

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveEvent


class BoundedCycle(RequestResponseCycle):
    """uvicorn's request and answer, with limits on how slowly the body may arrive, and on how many do at once."""

    arrivals: Arrivals
    pace: Pace | None = None
    is_slow = False
    waited = 0.0
    """Seconds for which the application has waited for the body."""

    async def receive(self) -> ASGIReceiveEvent:
        """Return the next message; BodyTimeout where the body is too slow, Overloaded where too many are."""
        if self.is_ready or not self.more_body:
            return await super().receive()
        self.pace = pace = self.pace or self.arrivals.new_pace()
        begun = time.monotonic()
        quickly = min(pace.left, max(0.0, QUICK_SECONDS - self.waited))
        if not await self.arrives(quickly):
            with self.arrivals.waiting(is_new=not self.is_slow):
                self.is_slow = True
                if not await self.arrives(pace.left - quickly):
                    raise self.arrivals.too_slow()
        seconds = time.monotonic() - begun
        self.waited += seconds
        pace.move(len(self.body), seconds)
        if pace.is_too_slow and self.more_body:
            raise self.arrivals.too_slow()
        if self.waited > self.arrivals.settings.max_stream_seconds:
            raise too_late(self.arrivals.settings.max_stream_seconds)
        return await super().receive()

    async def arrives(self, seconds: float) -> bool:
        """Wait for something to receive, and return whether there is."""
        if self.waiting_for_100_continue and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.waiting_for_100_continue = False
        self.flow.resume_reading()
        try:
            async with asyncio.timeout(seconds):
                await self.message_event.wait()
        except TimeoutError:
            # What came while the loop was busy with others is there, and not late.
            return self.is_ready or not self.more_body
        return True

    @property
    def is_ready(self) -> bool:
        """Whether there is something to receive."""
        return bool(self.body) or self.disconnected or self.response_complete
