"""A client for any number of requests at once: it waits for no answer before it sends the next request.

Connections are kept and used again; one that the service closed while it was idle is not counted as a failure.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import NamedTuple, cast

import httptools

IDLE_SECONDS = 2.0
"""After which a connection is not used again: the service closes one after five."""


class Request(NamedTuple):
    """A request: its head without the framing of a body, and the body; in pieces it is sent chunked, as it is made."""

    head: str
    body: bytes | Iterable[bytes] = b""


class Answer(NamedTuple):
    """An answer; status 0 where there was none, and why stands in the body."""

    status: int
    body: bytes
    retry_after: bool
    seconds: float


class Line(asyncio.Protocol):
    """A connection: one request at a time."""

    def __init__(self) -> None:
        self.can_write = asyncio.Event()
        self.can_write.set()
        self.answered: asyncio.Future[None] | None = None
        self.is_open = True
        self.used = 0.0

    @property
    def is_used(self) -> bool:
        """Whether something was answered on it."""
        return self.used > 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast(asyncio.Transport, transport)

    async def ask(self, request: Request) -> Answer:
        """Send a request and return the answer; ConnectionError where the connection is lost before."""
        began = time.perf_counter()
        self.parser = httptools.HttpResponseParser(self)
        self.body = b""
        self.retry_after = False
        self.answered = asyncio.get_running_loop().create_future()
        if isinstance(request.body, bytes):
            length = f"Content-Length: {len(request.body)}\r\n\r\n" if request.body else "\r\n"
            self.transport.write((request.head + length).encode() + request.body)
        else:
            await self.stream(request.head, request.body)
        await self.answered
        self.used = time.perf_counter()
        return Answer(self.parser.get_status_code(), self.body, self.retry_after, self.used - began)

    async def stream(self, head: str, pieces: Iterable[bytes]) -> None:
        """Send a body in pieces, as fast as they are taken, until it ends or the answer is there."""
        assert self.answered is not None
        self.transport.write((head + "Transfer-Encoding: chunked\r\n\r\n").encode())
        for piece in pieces:
            if self.answered.done():
                self.close()  # what is left of the body would be taken for the next request
                return
            self.transport.writelines((b"%x\r\n" % len(piece), piece, b"\r\n"))
            await asyncio.sleep(0)
            await self.can_write.wait()
        self.transport.write(b"0\r\n\r\n")

    def close(self) -> None:
        """Use it no more."""
        self.is_open = False
        self.transport.close()

    def pause_writing(self) -> None:
        """Wait until the service takes more."""
        self.can_write.clear()

    def resume_writing(self) -> None:
        """Go on."""
        self.can_write.set()

    def data_received(self, data: bytes) -> None:
        """Read an answer."""
        if self.answered is not None and not self.answered.done():
            self.parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Look for what a refusal must say."""
        match name.lower():
            case b"retry-after":
                self.retry_after = True
            case b"connection" if value.lower() == b"close":
                self.is_open = False

    def on_body(self, data: bytes) -> None:
        """Keep the answer."""
        self.body += data

    def on_message_complete(self) -> None:
        """Hand over the answer."""
        if self.answered is not None and not self.answered.done() and self.parser.get_status_code() >= 200:
            self.answered.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        """Tell whoever waits."""
        self.is_open = False
        self.can_write.set()
        if self.answered is not None and not self.answered.done():
            self.answered.set_exception(ConnectionError(f"the connection was lost before the answer: {error}"))


class Client:
    """Asks over as many connections as it takes."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.idle: list[Line] = []

    async def ask(self, request: Request, patience: float = 120.0) -> Answer:
        """Return the answer; with status 0 where the connection cannot be opened, is lost, or nothing comes in time."""
        began = time.perf_counter()
        line = None
        try:
            async with asyncio.timeout(patience):
                # A stream cannot be sent again, so it gets a connection that nobody closes as idle meanwhile.
                line = await (self.line() if isinstance(request.body, bytes) else self.new_line())
                try:
                    answer = await line.ask(request)
                except ConnectionError:
                    if not line.is_used:
                        raise
                    # The service may have closed it, as idle, while this was on its way.
                    line = await self.new_line()
                    answer = await line.ask(request)
        except (OSError, TimeoutError, httptools.HttpParserError) as error:
            if line is not None:
                line.close()
            return Answer(0, f"{type(error).__name__}: {error}".encode(), False, time.perf_counter() - began)
        if line.is_open:
            self.idle.append(line)
        else:
            line.close()
        return answer

    async def line(self) -> Line:
        """Return a connection that nobody uses."""
        while self.idle:
            line = self.idle.pop()
            if line.is_open and time.perf_counter() - line.used < IDLE_SECONDS:
                return line
            line.close()
        return await self.new_line()

    async def new_line(self) -> Line:
        """Open a connection."""
        _, line = await asyncio.get_running_loop().create_connection(Line, "127.0.0.1", self.port)
        return line

    def close(self) -> None:
        """Close what is idle."""
        while self.idle:
            self.idle.pop().close()
