"""The lines to live clients: what is written goes straight to the transport, so that nobody waits for anybody."""

from __future__ import annotations

import asyncio
import socket
from abc import ABC, abstractmethod
from datetime import UTC, datetime
from typing import Protocol

from starlette.types import Scope

from service.live.messages import Message, chunk, encode
from service.model.timestamps import format_timestamp

LINE = "hyperpulse.line"  # the ASGI extension that gives a route the connection
SEND_BUFFER = 64 * 1024  # bytes in the kernel, which takes several times as much where it may
GOODBYE_SECONDS = 5.0
GOING_AWAY = 1001
STOPPING = "The service stops."


class Connection(Protocol):
    """What uvicorn's protocols are to a line. `leave` is what they call when the service stops."""

    transport: asyncio.Transport
    leave: Leave | None


class Leave(Protocol):
    """Ends a line."""

    def __call__(self, code: int, reason: str) -> None:
        """End it, with the close code of a WebSocket and a reason."""


class SocketConnection(Connection, Protocol):
    """A WebSocket connection."""

    def close_with(self, code: int, reason: str) -> None:
        """Send a close frame, and end the connection soon, answered or not."""


class Line(ABC):
    """A way to a client. `is_plain` is one of an earlier client, which knows nothing but states and readings."""

    is_plain = False

    def __init__(self, connection: Connection, patience: float) -> None:
        """Take over what a connection sends; a peer that acknowledges nothing for `patience` seconds is gone."""
        self.connection = connection
        self.transport = connection.transport
        self.is_closed = False
        connection.leave = self.close
        below = self.transport.get_extra_info("socket")
        below.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
            below.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(patience * 1000))

    def backlog(self) -> int:
        """Return how many bytes the kernel has not taken yet."""
        return 0 if self.transport.is_closing() else self.transport.get_write_buffer_size()

    def write(self, message: Message) -> None:
        """Send a message; it goes nowhere once the line is closed."""
        if not self.is_closed and not self.transport.is_closing():
            self.transport.write(self.form(message))

    def close(self, code: int, reason: str) -> None:
        """Tell the client why, and end."""
        if not self.is_closed:
            if not self.is_plain:
                self.write(encode(type="closing", code=code, reason=reason))
            self.release()
            self.end(code, reason)

    def release(self) -> None:
        """Leave the connection alone."""
        self.is_closed = True
        self.connection.leave = None

    @abstractmethod
    def form(self, message: Message) -> bytes:
        """Return a message as it goes over this line."""

    @abstractmethod
    def beat(self) -> None:
        """Show that the line lives."""

    @abstractmethod
    def end(self, code: int, reason: str) -> None:
        """End the connection."""


class SocketLine(Line):
    """A WebSocket."""

    connection: SocketConnection

    def form(self, message: Message) -> bytes:
        """Return frames."""
        return message.frames

    def beat(self) -> None:
        """Tell the time; the pings of the protocol are hidden from scripts of a browser."""
        if not self.is_plain:
            self.write(encode(type="heartbeat", time=format_timestamp(datetime.now(UTC))))

    def end(self, code: int, reason: str) -> None:
        """Close by the protocol."""
        self.connection.close_with(code, reason)


class PlainSocketLine(SocketLine):
    """A WebSocket of an earlier client."""

    is_plain = True


class StreamLine(Line):
    """An event stream; HTTP/1.0 has no chunks."""

    def __init__(self, connection: Connection, patience: float, in_chunks: bool) -> None:
        super().__init__(connection, patience)
        self.in_chunks = in_chunks
        self.ended = asyncio.Event()

    def form(self, message: Message) -> bytes:
        """Return events."""
        return message.chunks if self.in_chunks else b"".join(message.events)

    def beat(self) -> None:
        """Send a comment."""
        if not self.is_closed and not self.transport.is_closing():
            comment = b": %b\n\n" % format_timestamp(datetime.now(UTC)).encode()
            self.transport.write(chunk(comment) if self.in_chunks else comment)

    def end(self, code: int, reason: str) -> None:
        """Let the answer end, and do not wait long for a client that does not take it."""
        self.ended.set()
        asyncio.get_running_loop().call_later(GOODBYE_SECONDS, self.transport.abort)


def connection_of(scope: Scope) -> Connection:
    """Return the connection that a request or a WebSocket came over."""
    connection: Connection = scope["extensions"][LINE]
    return connection
