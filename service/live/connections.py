"""Connections to live clients: messages go straight to the transport, so that no client waits for another."""

from __future__ import annotations

import asyncio
import socket
from abc import ABC, abstractmethod
from datetime import UTC, datetime
from typing import Protocol

from starlette.types import Scope

from service.http.departure import PROTOCOL
from service.live.messages import Message, chunk, encode
from service.model.timestamps import format_timestamp

SEND_BUFFER = 64 * 1024  # bytes in the kernel, which takes several times as much where it may
CLOSE_SECONDS = 5.0  # until a connection that was closed is aborted
GOING_AWAY = 1001
STOPPING = "The service stops."


class Close(Protocol):
    """Closes a connection."""

    def __call__(self, code: int, reason: str) -> None:
        """Close it, with the close code of a WebSocket and a reason."""


class ServerProtocol(Protocol):
    """What a connection uses of uvicorn's protocols, which call `on_shutdown` when the service stops."""

    transport: asyncio.Transport
    on_shutdown: Close | None


class WebSocketServerProtocol(ServerProtocol, Protocol):
    """The protocol of a WebSocket."""

    def close_with(self, code: int, reason: str) -> None:
        """Send a close frame, and end the connection soon, answered or not."""


class Connection(ABC):
    """A connection to a client. An earlier client, `is_earlier`, knows no messages but snapshots and updates."""

    is_earlier = False

    def __init__(self, protocol: ServerProtocol, ack_timeout: float) -> None:
        """Take over what a protocol sends; a peer that acknowledges nothing for `ack_timeout` seconds is gone."""
        self.protocol = protocol
        self.transport = protocol.transport
        self.is_closed = False
        protocol.on_shutdown = self.close
        tcp = self.transport.get_extra_info("socket")
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
            tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(ack_timeout * 1000))

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return not self.is_closed and not self.transport.is_closing()

    def backlog(self) -> int:
        """Return how many bytes the kernel has not accepted yet."""
        return 0 if self.transport.is_closing() else self.transport.get_write_buffer_size()

    def send(self, message: Message) -> None:
        """Send a message, unless the connection is closed."""
        if self.is_open:
            self.transport.write(self.encode(message))

    def close(self, code: int, reason: str) -> None:
        """Send the reason, and end the connection."""
        if not self.is_closed:
            if not self.is_earlier:
                self.send(encode(type="closing", code=code, reason=reason))
            self.release()
            self.end(code, reason)

    def release(self) -> None:
        """Send nothing any longer, and hand the connection back to the protocol."""
        self.is_closed = True
        self.protocol.on_shutdown = None

    @abstractmethod
    def encode(self, message: Message) -> bytes:
        """Return the bytes of a message on this connection."""

    @abstractmethod
    def send_heartbeat(self) -> None:
        """Send a sign of life."""

    @abstractmethod
    def end(self, code: int, reason: str) -> None:
        """End the connection."""


class SocketConnection(Connection):
    """A WebSocket."""

    protocol: WebSocketServerProtocol

    def encode(self, message: Message) -> bytes:
        """Return frames."""
        return message.frames

    def send_heartbeat(self) -> None:
        """Send the time; scripts of a browser do not see the pings of the protocol."""
        if not self.is_earlier:
            self.send(encode(type="heartbeat", time=format_timestamp(datetime.now(UTC))))

    def end(self, code: int, reason: str) -> None:
        """Close the WebSocket."""
        self.protocol.close_with(code, reason)


class EarlierSocketConnection(SocketConnection):
    """A WebSocket of an earlier client."""

    is_earlier = True


class StreamConnection(Connection):
    """An event stream; over HTTP/1.0 it is not chunked."""

    def __init__(self, protocol: ServerProtocol, ack_timeout: float, is_chunked: bool) -> None:
        super().__init__(protocol, ack_timeout)
        self.is_chunked = is_chunked
        self.ended = asyncio.Event()

    def encode(self, message: Message) -> bytes:
        """Return events."""
        return message.chunks if self.is_chunked else b"".join(message.events)

    def send_heartbeat(self) -> None:
        """Send the time as a comment."""
        if self.is_open:
            comment = b": %b\n\n" % format_timestamp(datetime.now(UTC)).encode()
            self.transport.write(chunk(comment) if self.is_chunked else comment)

    def end(self, code: int, reason: str) -> None:
        """End the answer, and abort the connection of a client that does not read it."""
        self.ended.set()
        asyncio.get_running_loop().call_later(CLOSE_SECONDS, self.transport.abort)


def protocol_of(scope: Scope) -> ServerProtocol:
    """Return the protocol of a request or a WebSocket."""
    protocol: ServerProtocol = scope["extensions"][PROTOCOL]
    return protocol
