"""A client for any number of concurrent requests: it does not wait for an answer before it sends the next request.

Connections are reused; one that the service closes while it is idle does not count as a failure.
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
    """A request: its head without the framing of the body, and the body; an iterable is sent chunked, as it is made."""

    head: str
    body: bytes | Iterable[bytes] = b""


class Answer(NamedTuple):
    """An answer; status 0 if there is none, with the reason as its body."""

    status: int
    body: bytes
    retry_after: bool
    seconds: float


class Connection(asyncio.Protocol):
    """A connection that sends one request at a time."""

    def __init__(self) -> None:
        self.can_write = asyncio.Event()
        self.can_write.set()
        self.answered: asyncio.Future[None] | None = None
        self.is_open = True
        self.used = 0.0

    @property
    def is_used(self) -> bool:
        """Return whether a request was answered on it."""
        return self.used > 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast(asyncio.Transport, transport)

    async def ask(self, request: Request) -> Answer:
        """Send a request and return the answer; ConnectionError if the connection is lost before."""
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
        """Send a body in chunks, as fast as the service reads them, until it ends or the answer arrives."""
        assert self.answered is not None
        self.transport.write((head + "Transfer-Encoding: chunked\r\n\r\n").encode())
        for piece in pieces:
            if self.answered.done():
                self.close()  # the service would read the rest of the body as the next request
                return
            self.transport.writelines((b"%x\r\n" % len(piece), piece, b"\r\n"))
            await asyncio.sleep(0)
            await self.can_write.wait()
        self.transport.write(b"0\r\n\r\n")

    def close(self) -> None:
        """Close the connection."""
        self.is_open = False
        self.transport.close()

    def pause_writing(self) -> None:
        """Hold writes until the service reads more."""
        self.can_write.clear()

    def resume_writing(self) -> None:
        """Release writes."""
        self.can_write.set()

    def data_received(self, data: bytes) -> None:
        """Read an answer."""
        if self.answered is not None and not self.answered.done():
            self.parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note Retry-After and Connection: close."""
        match name.lower():
            case b"retry-after":
                self.retry_after = True
            case b"connection" if value.lower() == b"close":
                self.is_open = False

    def on_body(self, data: bytes) -> None:
        """Keep the body of the answer."""
        self.body += data

    def on_message_complete(self) -> None:
        """Complete the request."""
        if self.answered is not None and not self.answered.done() and self.parser.get_status_code() >= 200:
            self.answered.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        """Fail the request that is under way."""
        self.is_open = False
        self.can_write.set()
        if self.answered is not None and not self.answered.done():
            self.answered.set_exception(ConnectionError(f"the connection was lost before the answer: {error}"))


class Client:
    """Sends requests over as many connections as needed."""

    def __init__(self, port: int, sends_again: bool = True) -> None:
        """Without `sends_again` a connection that is closed while a request is under way is no answer in any case."""
        self.port = port
        self.sends_again = sends_again
        self.idle: list[Connection] = []

    async def ask(self, request: Request, patience: float = 120.0) -> Answer:
        """Return the answer; with status 0 if the connection cannot be opened, is lost, or times out."""
        began = time.perf_counter()
        connection = None
        try:
            async with asyncio.timeout(patience):
                # A stream cannot be sent again, so it gets a new connection, which the service does not close as idle.
                connection = await (
                    self.free_connection() if isinstance(request.body, bytes) else self.open_connection()
                )
                try:
                    answer = await connection.ask(request)
                except ConnectionError:
                    if not connection.is_used or not self.sends_again:
                        raise
                    # The service may have closed the connection as idle while the request was under way.
                    connection = await self.open_connection()
                    answer = await connection.ask(request)
        except (OSError, TimeoutError, httptools.HttpParserError) as error:
            if connection is not None:
                connection.close()
            return Answer(0, f"{type(error).__name__}: {error}".encode(), False, time.perf_counter() - began)
        if connection.is_open:
            self.idle.append(connection)
        else:
            connection.close()
        return answer

    async def free_connection(self) -> Connection:
        """Return an idle connection, or open one."""
        while self.idle:
            connection = self.idle.pop()
            if connection.is_open and time.perf_counter() - connection.used < IDLE_SECONDS:
                return connection
            connection.close()
        return await self.open_connection()

    async def open_connection(self) -> Connection:
        """Open a connection."""
        _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", self.port)
        return connection

    def close(self) -> None:
        """Close idle connections."""
        while self.idle:
            self.idle.pop().close()
