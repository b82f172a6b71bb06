"""The traffic of others: few requests of all kinds, each begun when it is due, whatever became of earlier ones."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from typing import NamedTuple

from scripts.bench.attacks.environment import USERS, lines, user
from scripts.bench.overload import client
from scripts.bench.overload.client import Client, Request

BATCH = 100
PATIENCE = 20.0
JSON = "application/json"
NDJSON = "application/x-ndjson"
# What is asked, and how often, in hundredths.
MIX = {"write": 50, "batch": 6, "latest": 20, "summary": 12, "series": 6, "page": 6}


class Sample(NamedTuple):
    """A request of others."""

    at: float
    """Of the monotonic clock."""
    what: str
    seconds: float
    status: int
    """0 where there was no answer."""


class NewConnections(Client):
    """Opens a connection for each request, as phones do; the time includes that."""

    async def free_connection(self) -> client.Connection:
        """Open a connection."""
        return await self.open_connection()


class Others:
    """Clients of one tenant."""

    def __init__(self, port: int, key: str, rate: float) -> None:
        self.rate = rate
        self.head = f"Host: localhost\r\nAuthorization: Bearer {key}\r\n"
        self.kept, self.fresh = Client(port), NewConnections(port)
        self.chance = random.Random(1)  # noqa: S311
        self.samples: list[Sample] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.count = 0

    async def run(self) -> None:
        """Send requests for ever."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            task = asyncio.create_task(self.ask())
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
            due += self.chance.expovariate(self.rate)
            await asyncio.sleep(max(0.0, due - loop.time()))

    async def ask(self) -> None:
        """Send a request, on a new connection or not."""
        (what,) = self.chance.choices(list(MIX), list(MIX.values()))
        is_fresh = self.chance.random() < 0.5
        began = time.monotonic()
        answer = await (self.fresh if is_fresh else self.kept).ask(self.request(what), PATIENCE)
        self.fresh.close()
        self.samples.append(Sample(began, what, answer.seconds, answer.status))

    def request(self, what: str) -> Request:
        """Return a request that no other is like."""
        self.count += 1
        name = user(self.chance.randrange(USERS))
        now = datetime.now(UTC)
        if what in ("write", "batch"):
            size = BATCH if what == "batch" else 1
            body = lines(name, now - timedelta(seconds=size), size, 1)
            kind = NDJSON if what == "batch" else JSON
            return Request(f"POST /v1/readings HTTP/1.1\r\n{self.head}Content-Type: {kind}\r\n", body)
        begin, end = ((now - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ") for days in (3, 1))
        tail = {
            "latest": "latest",
            "summary": f"summary?start={begin}&end={end}",
            "series": f"series?start={begin}&end={end}&bucket=1h",
            "page": f"readings?start={begin}&end={end}&limit=100",
        }[what]
        return Request(f"GET /v1/users/{name}/{tail} HTTP/1.1\r\n{self.head}")


async def send(pipe: Connection, port: int, key: str, rate: float) -> None:
    """Send requests until something comes through the pipe; then answer with the samples."""
    others = Others(port, key, rate)
    running = asyncio.create_task(others.run())
    await asyncio.to_thread(pipe.recv)
    running.cancel()
    if others.tasks:
        await asyncio.wait(others.tasks, timeout=PATIENCE)
    pipe.send(others.samples)


class Quality:
    """How others were served in a time."""

    def __init__(self, samples: Sequence[Sample], begin: float, end: float) -> None:
        within = [sample for sample in samples if begin <= sample.at < end]
        self.times = sorted(sample.seconds for sample in within if is_success(sample))
        self.faults = [sample for sample in within if not is_success(sample)]
        self.count = len(within)

    def quantile(self, share: float) -> float:
        """Return a quantile in seconds; infinite where nothing was answered."""
        return self.times[min(len(self.times) - 1, int(share * len(self.times)))] if self.times else float("inf")

    def figure(self, share: float) -> str:
        """Return a quantile in milliseconds as text."""
        return f"{self.quantile(share) * 1000:,.0f}"


def is_success(sample: Sample) -> bool:
    """Return whether a request was answered as it should be."""
    return 200 <= sample.status < 300
