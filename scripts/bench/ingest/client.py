"""A client that is fast enough not to be the limit: bodies are ready, connections persist, answers are barely read."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Coroutine, Sequence
from typing import Any, NamedTuple, cast

import httptools
import uvloop

BUSY = (429, 503)
PAUSE = 0.02
"""Seconds until a body is sent again to a server that is busy."""

LONGEST = 120.0
"""Seconds that a row may take altogether."""


class Body(NamedTuple):
    """The body of a request and the number of its readings."""

    content: bytes
    readings: int


class Answered(NamedTuple):
    """The outcome of the bodies that were sent."""

    readings: int
    requests: int
    seconds: float
    latencies: list[float]
    """Seconds, sorted; from when a request was due if there is a pace."""
    busy: int
    refusal: str
    """The first answer that was neither success nor busy, "" where there is none."""

    def quantile(self, share: float) -> float:
        """Return a latency in milliseconds."""
        if not self.latencies:
            return math.nan
        return self.latencies[min(len(self.latencies) - 1, int(share * len(self.latencies)))] * 1000


class Sending:
    """State that the connections of a row share."""

    def __init__(self, bodies: Sequence[Body], head: str, seconds: float, pace: float | None) -> None:
        self.loop = asyncio.get_running_loop()
        self.bodies = bodies
        self.head = head
        self.pace = pace
        self.sent = 0
        self.readings = self.requests = self.busy = 0
        self.latencies: list[float] = []
        self.refusal = ""
        self.began = time.perf_counter()
        self.until = self.began + seconds
        self.ended = self.began

    def take(self) -> tuple[Body, float] | None:
        """Return the next body and when it is due; None when the row is over."""
        now = time.perf_counter()
        due = now if self.pace is None else self.began + self.sent / self.pace
        if self.sent == len(self.bodies) or max(now, due) > self.until or self.refusal:
            return None
        self.sent += 1
        return self.bodies[self.sent - 1], due


class Connection(asyncio.Protocol):
    """Sends one body after the other."""

    def __init__(self, sending: Sending) -> None:
        self.sending = sending
        self.over = sending.loop.create_future()
        self.parser = httptools.HttpResponseParser(self)
        self.answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = cast(asyncio.Transport, transport)
        self.next()

    def next(self) -> None:
        """Send the next body when it is due."""
        taken = self.sending.take()
        if taken is None:
            self.transport.close()
            return
        self.body, self.due = taken
        wait = self.due - time.perf_counter()
        if wait > 0:
            self.sending.loop.call_later(wait, self.send)
        else:
            self.send()

    def send(self) -> None:
        """Send the body, for the first time or again."""
        head = f"{self.sending.head}Content-Length: {len(self.body.content)}\r\n\r\n".encode()
        self.transport.writelines((head, self.body.content))

    def data_received(self, data: bytes) -> None:
        """Read an answer."""
        self.parser.feed_data(data)

    def on_body(self, data: bytes) -> None:
        """Keep the last part of an answer."""
        self.answer = data

    def on_message_complete(self) -> None:
        """Count an answer and send the next body."""
        status, sending = self.parser.get_status_code(), self.sending
        self.parser = httptools.HttpResponseParser(self)
        if status in BUSY:
            sending.busy += 1
            sending.loop.call_later(PAUSE, self.send)
            return
        sending.ended = time.perf_counter()
        if 200 <= status < 300:
            sending.readings += self.body.readings
            sending.requests += 1
            sending.latencies.append(sending.ended - self.due)
        else:
            sending.refusal = sending.refusal or f"HTTP {status}: {self.answer[:200].decode(errors='replace')}"
        self.next()

    def connection_lost(self, error: Exception | None) -> None:
        """End; a connection that the server closes is an error."""
        if error is not None:
            self.sending.refusal = self.sending.refusal or f"connection lost: {error}"
        if not self.over.done():
            self.over.set_result(None)


def head_of(path: str, media_type: str) -> str:
    """Return the head of a request without its Content-Length."""
    return f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {media_type}\r\n"


def send(
    port: int,
    path: str,
    media_type: str,
    bodies: Sequence[Body],
    connections: int,
    seconds: float,
    pace: float | None = None,
) -> Answered:
    """Send bodies over several connections for `seconds`; `pace` is requests a second."""

    async def run() -> Answered:
        sending = Sending(bodies, head_of(path, media_type), seconds, pace)
        loop = asyncio.get_running_loop()
        opened = [loop.create_connection(lambda: Connection(sending), "127.0.0.1", port) for _ in range(connections)]
        protocols = [protocol for _, protocol in await asyncio.gather(*opened)]
        await asyncio.wait_for(asyncio.gather(*(protocol.over for protocol in protocols)), seconds + LONGEST)
        return Answered(
            sending.readings,
            sending.requests,
            sending.ended - sending.began,
            sorted(sending.latencies),
            sending.busy,
            sending.refusal,
        )

    return on_loop(run())


def stream(port: int, path: str, media_type: str, bodies: Sequence[Body], connections: int, seconds: float) -> Answered:
    """Send one long request on each connection, whose chunks are the bodies; a receipt ends each."""

    async def run() -> Answered:
        began = time.perf_counter()
        shares = [bodies[number::connections] for number in range(connections)]
        answers = await asyncio.wait_for(
            asyncio.gather(*(one_stream(port, path, media_type, share, began + seconds) for share in shares)),
            seconds + LONGEST,
        )
        took = time.perf_counter() - began
        refusals = [refusal for _, refusal in answers if refusal]
        stored = sum(received for received, _ in answers)
        return Answered(stored, connections, took, [], 0, refusals[0] if refusals else "")

    return on_loop(run())


async def one_stream(port: int, path: str, media_type: str, pieces: Sequence[Body], until: float) -> tuple[int, str]:
    """Send one long request; return the number of readings received, and the refusal."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = asyncio.create_task(whole_answer(reader))
    try:
        writer.write(f"{head_of(path, media_type)}Transfer-Encoding: chunked\r\n\r\n".encode())
        for piece in pieces:
            if time.perf_counter() > until or answer.done():
                break
            writer.writelines((f"{len(piece.content):x}\r\n".encode(), piece.content, b"\r\n"))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
    except ConnectionError:
        pass  # the answer says why
    status, body = await answer
    writer.close()
    if status != 200:
        return 0, f"HTTP {status}: {body[:200].decode(errors='replace')}"
    return int(json.loads(body)["received"]), ""


async def whole_answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Read one answer; return its status and body."""

    class Parts:
        body = b""
        is_complete = False

        def on_body(self, data: bytes) -> None:
            self.body += data

        def on_message_complete(self) -> None:
            self.is_complete = True

    parts = Parts()
    parser = httptools.HttpResponseParser(parts)
    while not parts.is_complete:
        data = await reader.read(65536)
        if not data:
            raise ConnectionError("the server closed the connection without an answer")
        parser.feed_data(data)
    return parser.get_status_code(), parts.body


def on_loop(work: Coroutine[Any, Any, Answered]) -> Answered:
    """Run on uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)
