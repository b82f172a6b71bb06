"""A tenant that floods the service with all kinds of requests, and what another one notices."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from scripts.bench.attacks.apart import apart
from scripts.bench.attacks.environment import (
    ATTACKER,
    USERS,
    Running,
    add_key,
    forget_peak,
    lines,
    peak_bytes,
    user,
    waited_seconds,
)
from scripts.bench.attacks.lines import Attack, Line, Swarm
from scripts.bench.attacks.options import Options, title_of
from scripts.bench.attacks.others import Quality, send
from scripts.bench.attacks.scenarios import READINGS, request
from scripts.bench.overload.client import Client, Request
from scripts.bench.overload.report import Results, Verdict

REQUESTS = 50
READINGS_A_SECOND = 5000
"""The limits of a key for which two cores have room beside others."""
BATCH = 400
LIVE = 200
CONNECTS = 5
"""Live clients that come in a second within the limits."""
MOST_RATIO = 2.0
WARM_SECONDS = 2.0
PATIENCE = 30.0
HEADS = (
    "a tenant floods", "requests/s", "429", "live", "others", "failed", "p50 alone", "p99 alone", "p50 ms", "p99 ms",
    "ratio", "waits", "peak MB",
)  # fmt: skip


class Kind(NamedTuple):
    """A kind of request: how many senders of the flood send it, and how often all of them do within the limits."""

    name: str
    senders: int
    per_second: float


KINDS = (Kind("single", 8, 15), Kind("batch", 6, 8), Kind("read", 8, 20), Kind("export", 4, 0.2))


class Phase(NamedTuple):
    """A part of the flood."""

    name: str
    is_paced: bool
    has_limits: bool


PHASES = (
    Phase("within the limits of its key", True, True),
    Phase("beyond the limits of its key", False, True),
    Phase("with a key without limits", False, False),
)


NOTHING = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}"


class Nothing(asyncio.Protocol):
    """Answers each piece that comes, without a look at it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport: Any = transport  # uvloop's is no asyncio.Transport

    def data_received(self, data: bytes) -> None:
        """Answer."""
        self.transport.write(NOTHING)


async def answer_nothing(pipe: Connection, port: int) -> None:
    """Serve in place of the service, for ever."""
    server = await asyncio.get_running_loop().create_server(Nothing, "127.0.0.1", port)
    pipe.send(None)
    await server.serve_forever()


class Flood:
    """The clients of a tenant, each of which sends the next request when the last is answered, or is paced."""

    def __init__(self, port: int, key: str, scale: float, is_paced: bool, faster: float = 1.0) -> None:
        """`faster` than the pace within the limits."""
        self.client = Client(port)
        self.head = f"Host: localhost\r\nAuthorization: Bearer {key}\r\n"
        self.is_paced = is_paced
        self.pace = scale * faster
        self.statuses: Counter[int] = Counter()
        self.numbers = itertools.count()

    async def send(self, kind: Kind) -> None:
        """Send requests of a kind for ever."""
        interval = kind.senders / (kind.per_second * self.pace)
        while True:
            began = time.monotonic()
            answer = await self.client.ask(self.request(kind.name), PATIENCE)
            self.statuses[answer.status] += 1
            if self.is_paced:
                await asyncio.sleep(max(0.0, began + interval * random.uniform(0.8, 1.2) - time.monotonic()))  # noqa: S311

    def request(self, kind: str) -> Request:
        """Return a request."""
        number = next(self.numbers)
        name = user(number % USERS)
        now = datetime.now(UTC)
        if kind in ("single", "batch"):
            body = lines(name, now - timedelta(hours=1), BATCH if kind == "batch" else 1, 1)
            return Request(f"POST /v1/readings HTTP/1.1\r\n{self.head}Content-Type: application/x-ndjson\r\n", body)
        if kind == "export":
            return Request(f"GET {READINGS} HTTP/1.1\r\n{self.head}Accept: application/x-ndjson\r\n")
        begin, end = ((now - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ") for days in (3, 0))
        tails = (
            "latest",
            f"summary?start={begin}&end={end}",
            f"series?start={begin}&end={end}&bucket=15m",
            f"readings?start={begin}&end={end}&limit=1000",
        )
        return Request(f"GET /v1/users/{name}/{tails[number % len(tails)]} HTTP/1.1\r\n{self.head}")


def listeners(key: str, count: int, per_second: float) -> Attack:
    """Return what listens to all users of the tenant and reads everything."""
    upgrade = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")
    head = request("GET", "/v1/live", key, *upgrade, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")

    async def script(line: Line, number: int) -> None:
        await line.send(head)
        await asyncio.Event().wait()

    return Attack(count, script, per_second=per_second)


async def run_flood(pipe: Connection, port: int, key: str, scale: float, is_paced: bool, faster: float = 1.0) -> None:
    """Flood until something comes through the pipe; answer with how many requests had which status."""
    flood = Flood(port, key, scale, is_paced, faster)
    live = Swarm(port, listeners(key, max(1, round(LIVE * scale)), CONNECTS if is_paced else 1000))
    senders = [kind for kind in KINDS for _ in range(max(1, round(kind.senders * scale)))]
    tasks = [asyncio.create_task(work) for work in (live.run(), *(flood.send(kind) for kind in senders))]
    await asyncio.to_thread(pipe.recv)
    pipe.send((dict(flood.statuses), live.opened))
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def measure(options: Options, running: Running) -> Results:
    """Compare another tenant's latency beside each phase of the flood with that alone, before the first."""
    limited = add_key(
        running.database_url, ATTACKER, requests_per_second=REQUESTS, readings_per_second=READINGS_A_SECOND
    )
    with apart(send, running.port, running.keys.other, options.rate) as others:
        time.sleep(WARM_SECONDS)
        begun = time.monotonic()
        time.sleep(options.seconds)
        others.send(None)
        alone = Quality(others.recv(), begun, begun + options.seconds)
    rows, verdicts = [], []
    for phase in PHASES:
        key = limited if phase.has_limits else running.keys.attacker
        row, ratio, failures = flooded(options, running, phase, key, alone)
        rows.append(row)
        holds = ratio <= MOST_RATIO and not failures
        figure = f"{ratio:.1f} times, {failures} errors"
        verdicts.append(Verdict(f"{phase.name}: another tenant's p99 at most doubles", holds, figure))
    beside = beside_nothing(options, running, max(float(row[1].replace(",", "")) for row in rows))
    notes = [
        "waits: seconds a second for which the service could have run, and others had the processors.",
        f"The fastest of these floods, sent to a server that does nothing: p50 {beside.figure(0.5)} ms, "
        f"p99 {beside.figure(0.99)} ms, {beside.quantile(0.99) / alone.quantile(0.99):.1f} times. That is the part of "
        "the generator, which shares the processors.",
    ]
    return Results(title_of(options, running.version), HEADS, rows, verdicts, notes)


def beside_nothing(options: Options, running: Running, rate: float) -> Quality:
    """Return how another tenant is served while as many requests a second are sent to a server that does nothing."""
    port = options.port + 1
    with (
        apart(answer_nothing, port, yields=True) as nothing,
        apart(send, running.port, running.keys.other, options.rate) as others,
    ):
        nothing.recv()
        faster = rate / sum(kind.per_second for kind in KINDS)
        with apart(run_flood, port, running.keys.attacker, options.scale, True, faster, yields=True):
            time.sleep(WARM_SECONDS)
            begun = time.monotonic()
            time.sleep(options.seconds)
            ended = time.monotonic()
            others.send(None)
            return Quality(others.recv(), begun, ended)


def flooded(
    options: Options, running: Running, phase: Phase, key: str, alone: Quality
) -> tuple[Sequence[str], float, int]:
    """Flood; return a row of the table, how many times as long the p99 of others is as alone, and their failures."""
    forget_peak(running.pid)
    with (
        apart(send, running.port, running.keys.other, options.rate) as others,
        apart(run_flood, running.port, key, options.scale, phase.is_paced, yields=True) as attackers,
    ):
        time.sleep(WARM_SECONDS)
        begun, waited = time.monotonic(), waited_seconds(running.pid)
        time.sleep(options.seconds)
        ended, waited = time.monotonic(), waited_seconds(running.pid) - waited
        attackers.send(None)
        statuses, clients = attackers.recv()
        others.send(None)
        meanwhile = Quality(others.recv(), begun, ended)
    ratio = meanwhile.quantile(0.99) / alone.quantile(0.99)
    row = (
        phase.name,
        f"{sum(statuses.values()) / options.seconds:,.0f}",
        f"{statuses.get(429, 0) / max(1, sum(statuses.values())):.0%}",
        f"{clients:,}",
        f"{meanwhile.count:,}",
        f"{len(meanwhile.faults):,}",
        *(quality.figure(share) for quality in (alone, meanwhile) for share in (0.5, 0.99)),
        f"{ratio:.1f}",
        f"{waited / options.seconds:.2f}",
        f"{peak_bytes(running.pid) / 1e6:,.0f}",
    )
    return row, ratio, len(meanwhile.faults)
