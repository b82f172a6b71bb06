"""Clients of `GET /v1/live`: over a WebSocket, over an event stream, one that never reads, and one in this process."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
from websockets.sync.client import ClientConnection, connect

from service.live.connections import Connection
from service.live.messages import Message
from tests.support.wire import PATIENCE, strict_json

EVENTS = {"Accept": "text/event-stream"}
HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@contextmanager
def listening(
    base_url: str, path: str = "/v1/live", headers: dict[str, str] | None = None
) -> Iterator[ClientConnection]:
    """Open a WebSocket."""
    url = "ws" + base_url.removeprefix("http").rstrip("/") + path
    with connect(url, open_timeout=PATIENCE, additional_headers=headers) as client:
        yield client


def heard(client: ClientConnection, *kinds: str, timeout: float = PATIENCE) -> dict[str, Any]:
    """Return the next message, of one of these types if any are named, otherwise of any but a heartbeat."""
    while True:
        said = client.recv(timeout=timeout)
        assert isinstance(said, str)
        message = dict(strict_json(said))
        if message["type"] in kinds or (not kinds and message["type"] != "heartbeat"):
            return message


class Stream:
    """An event stream, read as an EventSource does."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self.lines = answer.iter_lines()
        self.ids: list[int] = []
        self.comments: list[str] = []
        self.retry: int | None = None

    def next(self, *kinds: str) -> dict[str, Any]:
        """Return the next message, of one of these types if any are named; StopIteration at the end."""
        while True:
            name, _, value = next(self.lines).partition(":")
            match name:
                case "id":
                    self.ids.append(int(value))
                case "retry":
                    self.retry = int(value)
                case "data":
                    message = dict(strict_json(value))
                    if not kinds or message["type"] in kinds:
                        return message
                case "":
                    self.comments += [value] if value else []
                case other:
                    raise AssertionError(other)


@contextmanager
def streaming(base_url: str, path: str = "/v1/live", headers: dict[str, str] | None = None) -> Iterator[Stream]:
    """Open an event stream."""
    url = base_url.rstrip("/") + path
    with httpx.stream("GET", url, headers=EVENTS | (headers or {}), timeout=PATIENCE) as answer:
        assert answer.status_code == 200, answer.read()
        yield Stream(answer)


class Deaf:
    """A client that asks, over a WebSocket or for an event stream, and then reads nothing until it is told to."""

    def __init__(self, base_url: str, path: str, *, events: bool) -> None:
        url = urlsplit(base_url)
        assert url.hostname
        self.line = socket.socket()
        self.line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
        self.line.settimeout(PATIENCE)
        self.line.connect((url.hostname, url.port or 80))
        asked = f"GET {path} HTTP/1.1\r\nHost: {url.netloc}\r\nAccept: text/event-stream\r\n\r\n"
        self.line.sendall((asked if events else HANDSHAKE.format(path=path, host=url.netloc)).encode())

    def __enter__(self) -> Deaf:
        return self

    def __exit__(self, *_: object) -> None:
        self.line.close()

    def everything(self, ending: bytes | None = None) -> bytes:
        """Read until the other side ends, or has said this."""
        read = b""
        try:
            while piece := self.line.recv(65536):
                read += piece
                if ending is not None and ending in read[-1000:]:
                    break
        except ConnectionError:
            pass
        return read


def closing_in(read: bytes) -> dict[str, Any]:
    """Find the last message of a closed line."""
    found = re.findall(rb'\{"type":"closing"[^}]*\}', read)
    assert len(found) == 1, read[-500:]
    return dict(json.loads(found[0]))


class Ear(Connection):
    """A connection that ends in this process."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def send(self, message: Message) -> None:
        self.messages.append(message)

    def heard(self, *kinds: str) -> list[dict[str, Any]]:
        """Return the messages of these types."""
        told = [json.loads(text) for message in self.messages for text in message.texts]
        return [message for message in told if message["type"] in kinds]

    def backlog(self) -> int:
        return 0

    def release(self) -> None:
        pass

    def send_heartbeat(self) -> None:
        pass

    def encode(self, message: Message) -> bytes:
        return message.frames

    def end(self, code: int, reason: str) -> None:
        raise NotImplementedError
