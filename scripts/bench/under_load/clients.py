"""Clients that write until they are answered, ask for what was answered, and note every answer and its time."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from scripts.bench.overload.client import Answer, Client, Request
from scripts.bench.overload.load import BUSY

WRITERS = 6
SIZE = 3
"""Readings of a request."""
READERS = 3
PATIENCE = 60.0
AGAIN_SECONDS = 0.2
CALM_SECONDS = 0.02
"""Pause after a success: the machine is shared with three databases."""
SOON_SECONDS = 2.0
"""That a load balancer waits for an answer of /ready."""
LIVE_PAUSE = 0.5


class Writer:
    """A client of one user, with a reading each second of that user's time, in requests repeated until answered."""

    def __init__(self, number: int, start: datetime) -> None:
        self.user_id = f"rider-{number}"
        self.start = start
        self.sent = 0
        """Readings that were sent, the last ones perhaps without an answer."""
        self.answered = 0
        """Readings of which an answer says that they are stored."""

    def body(self) -> bytes:
        """Return the next readings."""
        return json.dumps(
            [
                {
                    "user_id": self.user_id,
                    "device_id": "watch",
                    "timestamp": (self.start + timedelta(seconds=number)).isoformat(),
                    "heart_rate": 60 + number % 60,
                    "steps": 1,
                }
                for number in range(self.answered, self.answered + SIZE)
            ]
        ).encode()


class Clients:
    """All clients, and what they were answered."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.client = Client(port)
        # Two days ago, so that refreshes and late marks are under way too.
        start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=2)
        self.writers = [Writer(number, start) for number in range(WRITERS)]
        self.events_sent = 0
        self.events_answered = 0
        self.over = False
        self.writes: list[float] = []
        """When writes were answered well, of the monotonic clock."""
        self.reads: list[float] = []
        self.live: list[float] = []
        """When messages arrived."""
        self.ready: list[tuple[float, bool]] = []
        self.statuses: Counter[int] = Counter()
        self.longest = 0.0
        """Seconds that an answer took at most."""
        self.faults: Counter[str] = Counter()

    async def run(self) -> None:
        """Write and ask until it is over."""
        async with asyncio.TaskGroup() as tasks:
            self.begin(tasks)
            tasks.create_task(self.listen())
            tasks.create_task(self.look())
        self.client.close()

    def begin(self, tasks: asyncio.TaskGroup) -> None:
        """Begin to write and to ask."""
        for writer in self.writers:
            tasks.create_task(self.write(writer))
        tasks.create_task(self.write_events())
        for number in range(READERS):
            tasks.create_task(self.ask(number))

    async def send(self, what: str, head: str, body: bytes = b"") -> Answer:
        """Send a request, and note its answer, which must be a success, or 503 with Retry-After."""
        answer = await self.client.ask(Request(head, body), PATIENCE)
        self.statuses[answer.status] += 1
        self.longest = max(self.longest, answer.seconds)
        if not 200 <= answer.status < 300 and not (answer.status in BUSY and answer.retry_after):
            self.faults[f"{what}: {answer.status} {answer.body[:200].decode(errors='replace')}"] += 1
        return answer

    async def write(self, writer: Writer) -> None:
        """Write one request after the other, each until it is answered well."""
        head = "POST /v1/readings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        while not self.over:
            writer.sent = writer.answered + SIZE
            answer = await self.send("a write", head, writer.body())
            if answer.status != 200:
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            receipt = json.loads(answer.body)
            if receipt["inserted"] + receipt["unchanged"] != SIZE:
                self.faults[f"a receipt: {receipt}"] += 1
            writer.answered += SIZE
            self.writes.append(time.monotonic())
            await asyncio.sleep(CALM_SECONDS)

    async def write_events(self) -> None:
        """Write events, one at a time."""
        head = "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        start = self.writers[0].start
        while not self.over:
            number = self.events_answered
            self.events_sent = number + 1
            event = {
                "tenant_id": "default",
                "event_id": f"failover-{number}",
                "source": "bench",
                "event_type": "ride",
                "timestamp": (start + timedelta(seconds=number)).isoformat(),
                "payload": {"number": number},
            }
            answer = await self.send("an event", head, json.dumps(event).encode())
            if 200 <= answer.status < 300:
                self.events_answered = number + 1
                await asyncio.sleep(CALM_SECONDS)
            else:
                await asyncio.sleep(AGAIN_SECONDS)

    async def ask(self, number: int) -> None:
        """Ask for the summary of a user; it holds all that was answered before the question."""
        turn = number
        while not self.over:
            writer = self.writers[turn % len(self.writers)]
            turn += 1
            least = writer.answered
            if not least:  # the user is not known yet
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            range_ = f"start={moment(writer.start)}&end={moment(writer.start + timedelta(days=1))}"
            answer = await self.send(
                "a question", f"GET /v1/users/{writer.user_id}/summary?{range_} HTTP/1.1\r\nHost: localhost\r\n"
            )
            if answer.status != 200:
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            self.reads.append(time.monotonic())
            steps = json.loads(answer.body)["steps"] or 0
            if not least <= steps <= writer.sent:
                self.faults[f"an answer counts {steps} readings of {least} answered, {writer.sent} sent"] += 1
            await asyncio.sleep(CALM_SECONDS)

    async def look(self) -> None:
        """Ask twice a second whether the service is ready, and note whether it said so while a load balancer waits."""
        while not self.over:
            begun = time.monotonic()
            answer = await self.send("/ready", "GET /ready HTTP/1.1\r\nHost: localhost\r\n")
            self.ready.append((begun, answer.status == 200 and time.monotonic() - begun < SOON_SECONDS))
            await asyncio.sleep(0.5)

    async def listen(self) -> None:
        """Listen to live updates of everyone, again where that ends."""
        head = "GET /v1/live HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
        while not self.over:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                try:
                    writer.write(head.encode())
                    while not self.over:
                        line = await asyncio.wait_for(reader.readline(), 1)
                        if not line:
                            break
                        if line.startswith(b"data:") and b'"readings"' in line[:40]:
                            self.live.append(time.monotonic())
                finally:
                    writer.close()
            except TimeoutError:
                continue
            except OSError:
                await asyncio.sleep(LIVE_PAUSE)


def moment(at: datetime) -> str:
    """Write a moment for a query string."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def interruption(times: Sequence[float], begin: float, end: float) -> float:
    """Return the longest pause between two successes around a fault, in seconds; one at its edge counts to the edge."""
    within = [at for at in times if begin <= at <= end]
    before = max((at for at in times if at < begin), default=begin)
    edges = [before, *within, end]
    return max(later - earlier for earlier, later in pairwise(edges))
