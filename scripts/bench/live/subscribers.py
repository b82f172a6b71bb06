"""Those who listen, over WebSockets."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import quote

from scripts.bench.live.senders import YEAR_ONE, name
from scripts.bench.live.service import used

EVERYONE = "/v1/live"
PING = b"\x89"  # the first byte of a frame
READINGS = b'{"type":"readings"'


class Ear:
    """A client over a WebSocket, which does as little as it can: clients have computers of their own elsewhere."""

    def __init__(self, port: int, path: str) -> None:
        self.heard: list[tuple[bytes, float]] = []
        self.line = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.line.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        read = b""
        while b"\r\n\r\n" not in read:
            piece = self.line.recv(4096)
            if not piece:
                raise ConnectionError("the service hung up")
            read += piece
        head, _, rest = read.partition(b"\r\n\r\n")
        assert b" 101 " in head, head
        self.heard.append((rest, time.monotonic()))
        self.line.setblocking(False)

    def hear(self, keep: bool) -> int:
        """Read what has come, and keep it with the time, or not; return how many bytes it is. Answers pings."""
        try:
            piece = self.line.recv(1 << 20)
        except BlockingIOError:
            return 0
        if not piece:
            raise ConnectionError("the service hung up")
        if keep:
            self.heard.append((piece, time.monotonic()))
        if PING in piece and (found := whole_frame(piece[piece.index(PING) :])):
            # Masked, as a client's frames are, with zeros.
            payload = piece[piece.index(PING) :][found[1] : found[2]]
            self.line.sendall(bytes((0x8A, 0x80 | len(payload))) + bytes(4) + payload)
        return len(piece)

    def messages(self) -> Iterator[tuple[bytes, float]]:
        """Yield the messages that were kept, and when the end of each was read."""
        read = b""
        for piece, at in self.heard:
            read += piece
            while frame := whole_frame(read):
                kind, start, end = frame
                if kind == 1:
                    yield read[start:end], at
                elif kind == 8:
                    raise ConnectionError("the service closed")
                read = read[end:]


def whole_frame(read: bytes) -> tuple[int, int, int] | None:
    """Find the first frame: its opcode, and where its payload starts and ends; None where it has not come."""
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
    """Return the last timestamp that a message is about, in µs."""
    moment = datetime.fromisoformat(message[message.rindex(b'"to":"') + 6 : -2].decode())
    return (moment - YEAR_ONE) // timedelta(microseconds=1)


class Heard(NamedTuple):
    """What was listened to: messages' last timestamps and when they were heard; what the clients cost, and memory."""

    messages: list[tuple[int, float]]
    cpu: float
    memory: int


def opened(port: int, paths: Sequence[str]) -> list[Ear]:
    """Let clients come, and wait until each has its state."""
    ears = [Ear(port, path) for path in paths]
    for ear in ears:
        while not any(True for _ in ear.messages()):
            wait_for(ear.line)
            ear.hear(True)
    return ears


def wait_for(line: socket.socket) -> None:
    """Wait until there is something to read."""
    with selectors.DefaultSelector() as selector:
        selector.register(line, selectors.EVENT_READ)
        selector.select(30)


def listen(ears: Sequence[Ear], pid: int, seconds: float) -> Heard:
    """Listen, and note the most memory that a process had meanwhile."""
    memory, end, cpu = 0, time.monotonic() + seconds, time.thread_time()
    with selectors.DefaultSelector() as selector:
        for ear in ears:
            selector.register(ear.line, selectors.EVENT_READ, ear)
        looked = 0.0
        while (now := time.monotonic()) < end:
            if now > looked + 0.5:
                looked, memory = now, max(memory, used(pid).memory)
            for key, _ in selector.select(0.1):
                key.data.hear(True)
    cpu = time.thread_time() - cpu
    told = [(timestamp(text), at) for ear in ears for text, at in ear.messages() if text.startswith(READINGS)]
    return Heard(told, cpu, memory)


def paths_of(clients: int, users: int) -> list[str]:
    """Return the paths that each tell of one user, of users that are evenly spread."""
    return [f"/v1/live?user_id={quote(name(number * users // clients))}" for number in range(clients)]
