"""Live clients over WebSockets."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import quote

from scripts.bench.live.senders import EPOCH, name
from scripts.bench.live.service import used

ALL_USERS = "/v1/live"
PING = b"\x89"  # the first byte of a frame
READINGS = b'{"type":"readings"'


class Subscriber:
    """A client over a WebSocket that does as little as it can: real clients run on computers of their own."""

    def __init__(self, port: int, path: str) -> None:
        self.received: list[tuple[bytes, float]] = []
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        read = b""
        while b"\r\n\r\n" not in read:
            piece = self.socket.recv(4096)
            if not piece:
                raise ConnectionError("the service closed the connection")
            read += piece
        head, _, rest = read.partition(b"\r\n\r\n")
        assert b" 101 " in head, head
        self.received.append((rest, time.monotonic()))
        self.socket.setblocking(False)

    def receive(self, keep: bool) -> int:
        """Read what has arrived, keep it with the time if asked to, answer pings, and return the number of bytes."""
        try:
            piece = self.socket.recv(1 << 20)
        except BlockingIOError:
            return 0
        if not piece:
            raise ConnectionError("the service closed the connection")
        if keep:
            self.received.append((piece, time.monotonic()))
        if PING in piece and (found := whole_frame(piece[piece.index(PING) :])):
            # Masked, as a client's frames are, with zeros.
            payload = piece[piece.index(PING) :][found[1] : found[2]]
            self.socket.sendall(bytes((0x8A, 0x80 | len(payload))) + bytes(4) + payload)
        return len(piece)

    def messages(self) -> Iterator[tuple[bytes, float]]:
        """Yield the kept messages and when the end of each was read."""
        read = b""
        for piece, at in self.received:
            read += piece
            while frame := whole_frame(read):
                kind, start, end = frame
                if kind == 1:
                    yield read[start:end], at
                elif kind == 8:
                    raise ConnectionError("the service closed")
                read = read[end:]


def whole_frame(read: bytes) -> tuple[int, int, int] | None:
    """Return the opcode of the first frame and where its payload starts and ends; None if the frame is incomplete."""
    if len(read) < 2:
        return None
    size, start = read[1], 2
    if size >= 126:
        start = 4 if size == 126 else 10
        if len(read) < start:
            return None
        size = int.from_bytes(read[2:start])
    return (read[0] & 15, start, start + size) if len(read) >= start + size else None


def timestamp(message: bytes) -> int:
    """Return the last timestamp of a message's readings, in µs."""
    moment = datetime.fromisoformat(message[message.rindex(b'"to":"') + 6 : -2].decode())
    return (moment - EPOCH) // timedelta(microseconds=1)


class Received(NamedTuple):
    """Messages' last timestamps and when they arrived; processor seconds of the clients; memory of the service."""

    messages: list[tuple[int, float]]
    cpu: float
    memory: int


def subscribe(port: int, paths: Sequence[str]) -> list[Subscriber]:
    """Connect a client for each path and wait until each has its state."""
    subscribers = [Subscriber(port, path) for path in paths]
    for subscriber in subscribers:
        while not any(True for _ in subscriber.messages()):
            wait_for(subscriber.socket)
            subscriber.receive(True)
    return subscribers


def wait_for(connection: socket.socket) -> None:
    """Wait until a socket has something to read."""
    with selectors.DefaultSelector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        selector.select(30)


def listen(subscribers: Sequence[Subscriber], pid: int, seconds: float) -> Received:
    """Read messages for a while, and note the most memory that the process `pid` has meanwhile."""
    memory, end, cpu = 0, time.monotonic() + seconds, time.thread_time()
    with selectors.DefaultSelector() as selector:
        for subscriber in subscribers:
            selector.register(subscriber.socket, selectors.EVENT_READ, subscriber)
        looked = 0.0
        while (now := time.monotonic()) < end:
            if now > looked + 0.5:
                looked, memory = now, max(memory, used(pid).memory)
            for key, _ in selector.select(0.1):
                key.data.receive(True)
    cpu = time.thread_time() - cpu
    received = [
        (timestamp(text), at)
        for subscriber in subscribers
        for text, at in subscriber.messages()
        if text.startswith(READINGS)
    ]
    return Received(received, cpu, memory)


def paths_of(clients: int, users: int) -> list[str]:
    """Return paths that each subscribe to one user, evenly spread over all users."""
    return [f"/v1/live?user_id={quote(name(number * users // clients))}" for number in range(clients)]
