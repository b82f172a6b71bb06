"""The attacks, each what one connection does."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import NamedTuple

from scripts.bench.attacks import bombs
from scripts.bench.attacks.lines import Attack, Line, Script

BYTE_SECONDS = 9.0
HEAD_BYTE_SECONDS = 4.0
FORMATS = ("application/x-ndjson", "text/csv", "application/json")
DOWNLOADS = 40
LIVE = 300
LISTS = 60
WRITERS = 4


class Scenario(NamedTuple):
    """An attack."""

    name: str
    description: str
    lines: int
    attack: Callable[[int, str], Attack]
    """Returns the attack of so many lines, with a key."""


def request(method: str, path: str, key: str = "", *fields: str) -> bytes:
    """Return the head of a request."""
    known = [f"Authorization: Bearer {key}"] if key else []
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *known, *fields, "", ""]).encode()


def dripping(head: bytes, seconds: float) -> Script:
    """Return a script that sends a head, and then a byte now and then."""

    async def script(line: Line, number: int) -> None:
        await line.send(head)
        while True:
            await asyncio.sleep(seconds * random.uniform(0.9, 1.0))  # noqa: S311
            await line.send(b" ")

    return script


def slow_bodies(lines: int, key: str) -> Attack:
    """Announce a body of which a byte comes now and then."""
    head = request("POST", "/v1/readings", key, "Content-Type: application/json", "Content-Length: 1000")
    return Attack(lines, dripping(head, BYTE_SECONDS))


def slow_heads(lines: int, key: str) -> Attack:
    """Begin a head of which a byte comes now and then."""
    return Attack(lines, dripping(b"GET /v1/users HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", HEAD_BYTE_SECONDS))


def idle(lines: int, key: str) -> Attack:
    """Connect and say nothing."""

    async def script(line: Line, number: int) -> None:
        await asyncio.Event().wait()

    return Attack(lines, script, pause=5.0)


def bomb_requests(key: str) -> list[tuple[bytes, bytes]]:
    """Return heads and bodies of bombs."""
    return [
        (
            request(
                "POST",
                "/v1/readings",
                key,
                f"Content-Type: {kind}",
                f"Content-Encoding: {encoding}",
                f"Content-Length: {len(body)}",
            ),
            body,
        )
        for encoding, body in (("gzip", bombs.gzip_bomb()), ("zstd", bombs.zstd_bomb()))
        for kind in FORMATS
    ]


def whole_bombs(lines: int, key: str) -> Attack:
    """Send a bomb, and wait for what the service says to it."""
    made = bomb_requests(key)

    async def script(line: Line, number: int) -> None:
        head, body = made[number % len(made)]
        await line.send(head + body)
        await line.answered.wait()
        await asyncio.Event().wait()

    return Attack(lines, script, pause=0.1)


def abandoned_bombs(lines: int, key: str) -> Attack:
    """Send half a bomb, and leave."""
    made = bomb_requests(key)

    async def script(line: Line, number: int) -> None:
        head, body = made[number % len(made)]
        await line.send(head + body[: len(body) // 2])
        await asyncio.sleep(0.05)

    return Attack(lines, script, pause=0.1, breaks=True)


def endless_heads(lines: int, key: str) -> Attack:
    """Send header lines, a header field, a URL, trailers, or the extension of a chunk, without an end."""
    chunked = request("POST", "/v1/readings", key, "Content-Type: application/x-ndjson", "Transfer-Encoding: chunked")
    many = b"".join(b"X-%d: %b\r\n" % (number, b"a" * 20) for number in range(2000))
    one = b"a" * 65536
    kinds = (
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n", many),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ", one),
        (b"GET /", one),
        (chunked + b"0\r\n", many),
        (chunked + b"1;", one),
    )

    async def script(line: Line, number: int) -> None:
        head, endless = kinds[number % len(kinds)]
        await line.send(head)
        while True:
            await line.send(endless)

    return Attack(lines, script, pause=0.5)


def slow_readers(*paths: tuple[str, str]) -> Callable[[int, str], Attack]:
    """Return an attack that asks for paths, each with its header Accept, and takes little or nothing of the answer."""

    def made(lines: int, key: str) -> Attack:
        heads = [request("GET", path, key, f"Accept: {kind}") for path, kind in paths]

        async def script(line: Line, number: int) -> None:
            await line.send(heads[number % len(heads)])
            await take_little(line, number)

        return Attack(lines, script, per_second=500, listens=False, receives=4096)

    return made


async def take_little(line: Line, number: int) -> None:
    """Take nothing, or every other line some bytes a second, until the connection is lost."""
    while True:
        await asyncio.sleep(1)
        if number % 2:
            try:
                piece = line.socket.recv(100)
            except BlockingIOError:
                continue
            line.status = line.status or (int(piece[9:12]) if piece.startswith(b"HTTP/1.1 ") else 0)
            if not piece:
                raise ConnectionError


def deaf_live_clients(lines: int, key: str) -> Attack:
    """Listen to everyone, over a WebSocket or an event stream, without reading; a few write what is to be heard."""
    heads = (
        request("GET", "/v1/live", key, "Accept: text/event-stream"),
        request(
            "GET",
            "/v1/live",
            key,
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
        ),
    )

    async def script(line: Line, number: int) -> None:
        if number < WRITERS:
            await write(line, number, key)
        else:
            await line.send(heads[number % 2])
            await take_little(line, number // 2)

    return Attack(lines, script, per_second=500, listens=False, receives=4096)


async def write(line: Line, number: int, key: str) -> None:
    """Send readings of many users, four times a second, and read the answers."""
    for second in count():
        moment = datetime.now(UTC) + timedelta(milliseconds=second)
        items = ",".join(
            f'{{"user_id":"walker-{number}-{n}","timestamp":"{moment.isoformat()}","steps":1}}' for n in range(250)
        )
        body = f"[{items}]".encode()
        head = request("POST", "/v1/readings", key, "Content-Type: application/json", f"Content-Length: {len(body)}")
        await line.send(head + body)
        if not await line.loop.sock_recv(line.socket, 65536):
            raise ConnectionError
        await asyncio.sleep(0.25)


READINGS = "/v1/users/user-0/readings?start=2000-01-01T00:00:00Z&end=2100-01-01T00:00:00Z"
SCENARIOS = (
    Scenario("slow-bodies", "bodies of a byte per 9 s", 1050, slow_bodies),
    Scenario("slow-bodies-no-key", "the same without a key", 1050, lambda lines, key: slow_bodies(lines, "")),
    Scenario("slow-heads", "heads of a byte per 4 s", 2000, slow_heads),
    Scenario("idle", "connections that say nothing", 10_000, idle),
    Scenario("bombs", "gzip and zstd of 1 GiB of empty lines, one after the other", 12, whole_bombs),
    Scenario("abandoned-bombs", "half of such a bomb, then a reset", 12, abandoned_bombs),
    Scenario("endless-heads", "header fields, URLs, trailers and chunks without an end", 50, endless_heads),
    Scenario(
        "slow-export",
        "readers of exports that take 100 bytes a second or nothing",
        DOWNLOADS,
        slow_readers(("/v1/users/user-0/export", "*/*")),
    ),
    Scenario(
        "slow-csv-ndjson",
        "the same with a user's readings",
        DOWNLOADS,
        slow_readers((READINGS, "text/csv"), (READINGS, "application/x-ndjson")),
    ),
    Scenario(
        "slow-lists",
        "the same with lists of events, and of counts of them",
        LISTS,
        slow_readers(
            ("/v1/events?limit=1000&start=2000-01-01T00:00:00Z", "*/*"),
            ("/metrics?tenant_id=attacker&bucket_size=minute", "*/*"),
        ),
    ),
    Scenario("slow-live", "live clients, half by event stream, that do the same", LIVE, deaf_live_clients),
)
