"""Phones over HTTP: persistent connections, and requests that begin when they are due."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterator
from functools import partial

import httptools
import uvloop

from scripts.bench.ingest.client import BUSY, LONGEST, PAUSE, Body, Connection, Sending, head_of
from scripts.bench.ingest.hyperpulse import JSON, PATH
from scripts.bench.sustained.phones import Arrival
from scripts.bench.sustained.progress import Window

TICK = 0.002
Request = tuple[Arrival, float]
"""An upload and when it was due."""


class Posting(Sending):
    """State that the connections share."""

    def __init__(self, port: int, most: int, arrivals: Iterator[Arrival], window: Window) -> None:
        super().__init__((), head_of(PATH, JSON), window.seconds, None)
        self.port = port
        self.most = most
        self.arrivals = arrivals
        self.window = window
        self.phones: set[Phone] = set()
        self.idle: list[Phone] = []
        self.returned: deque[Request] = deque()
        """Requests whose connection was closed before the answer."""

    @property
    def is_over(self) -> bool:
        """Return whether the window is over."""
        return bool(self.window.progress.refusal or time.perf_counter() > self.until or self.window.is_over())

    @property
    def is_due(self) -> bool:
        """Return whether a request may begin."""
        return bool(self.returned) or (not self.is_over and self.window.pace.wait() <= 0)

    def draw(self) -> Request:
        """Return the next request."""
        if self.returned:
            return self.returned.popleft()
        arrival = next(self.arrivals)
        return arrival, self.window.pace.take(arrival.upload.readings)

    async def hand_out(self) -> None:
        """Assign due requests to idle connections, opening more if needed, until all are answered."""
        given_up = self.until + LONGEST
        while not self.is_over or self.returned or len(self.idle) < len(self.phones):
            while self.idle and self.is_due:
                self.idle.pop().begin()
            if self.is_due and len(self.phones) < self.most:
                await self.loop.create_connection(partial(Phone, self), "127.0.0.1", self.port)
            if time.perf_counter() > given_up or self.window.progress.refusal:
                break
            await asyncio.sleep(TICK)
        for phone in list(self.phones):
            phone.transport.close()


class Phone(Connection):
    """A connection that sends one upload after the other."""

    sending: Posting

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Register the connection and begin."""
        self.request: Request | None = None
        self.sending.phones.add(self)
        super().connection_made(transport)

    def next(self) -> None:
        """Begin the next request if one is due, or become idle."""
        self.request = None
        if self.sending.is_due:
            self.begin()
        else:
            self.sending.idle.append(self)

    def begin(self) -> None:
        """Send the next upload."""
        self.request = arrival, self.due = self.sending.draw()
        self.body = Body(arrival.body, arrival.upload.readings)
        self.send()

    def send(self) -> None:
        """Send the body, for the first time or again, unless the connection is closing."""
        if not self.transport.is_closing():
            super().send()

    def on_message_complete(self) -> None:
        """Count an answer and begin the next request."""
        status, progress = self.parser.get_status_code(), self.sending.window.progress
        self.parser = httptools.HttpResponseParser(self)
        assert self.request is not None
        if status in BUSY:
            progress.busy += 1
            self.sending.loop.call_later(PAUSE, self.send)
            return
        if 200 <= status < 300:
            progress.take(self.request[0], time.perf_counter() - self.due)
        else:
            progress.refusal = progress.refusal or f"HTTP {status}: {self.answer[:200].decode(errors='replace')}"
        self.next()

    def connection_lost(self, error: Exception | None) -> None:
        """Return an unanswered request for another connection; a server closes idle connections."""
        self.sending.phones.discard(self)
        if self in self.sending.idle:
            self.sending.idle.remove(self)
        if self.request is not None:
            self.sending.returned.append(self.request)


def post(port: int, connections: int, arrivals: Iterator[Arrival], window: Window) -> None:
    """Send until the window is over and all requests are answered."""

    async def run() -> None:
        await Posting(port, connections, arrivals, window).hand_out()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
