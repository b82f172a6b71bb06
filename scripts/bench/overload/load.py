"""Send more than the service takes: requests begin when they are due, independent of earlier answers."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import uvloop

from scripts.bench.overload.client import Answer, Client
from scripts.bench.overload.request_formats import OVERVIEWS, REFUSED, SideRequest, questions
from scripts.bench.overload.workload import MICROSECONDS, Write
from scripts.bench.overload.workload_mix import Flow

TICK = 0.005
MOST_UNDER_WAY = 1500
"""Requests; further ones are counted and not begun, which bounds the client."""
BUSY = (429, 503)
SIDE_RATES = {"invalid": 20.0, "questions": 40.0, "overviews": 1.0}
SHOWN = 5
LATENCIES = 20_000
"""Size of a row's random sample."""


@dataclass
class Outcomes:
    """The outcomes of a row's requests."""

    name: str
    begun: int = 0
    taken: int = 0
    busy: int = 0
    items: int = 0
    """Items of requests that succeeded."""
    latencies: list[float] = field(default_factory=list)
    """Seconds, of requests that succeeded."""

    def take(self, items: int, seconds: float, chance: random.Random) -> None:
        """Count a success."""
        self.taken += 1
        self.items += items
        if len(self.latencies) < LATENCIES:
            self.latencies.append(seconds)
        elif (index := chance.randrange(self.taken)) < LATENCIES:
            self.latencies[index] = seconds

    def quantile(self, share: float) -> float | None:
        """Return a latency in seconds."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


class Load:
    """A run of mixed load."""

    def __init__(self, port: int, flows: Sequence[Flow], seed: int, factor: float) -> None:
        self.client = Client(port)
        self.flows = flows
        self.chance = random.Random(seed)  # noqa: S311
        self.factor = factor
        self.rows = {flow.name: Outcomes(flow.name) for flow in flows} | {name: Outcomes(name) for name in SIDE_RATES}
        self.tasks: set[asyncio.Task[None]] = set()
        self.not_begun = 0
        self.faults: Counter[str] = Counter()
        """Wrong answers and how often they occurred."""
        self.ended = 0.0
        """When the last request was begun, of the monotonic clock."""
        self.drained = 0.0
        """When the last answer arrived."""

    async def run(self, seconds: float, report: Callable[[Load, float], None]) -> None:
        """Send for `seconds`, then wait for the answers; call `report` once a second."""
        begin: list[Callable[[], None]] = [lambda flow=flow: self.write(flow) for flow in self.flows]  # type: ignore[misc]
        begin += [self.send_invalid, self.ask_question, self.ask_overview]
        rates = [flow.rate for flow in self.flows] + [rate * self.factor for rate in SIDE_RATES.values()]
        began = time.monotonic()
        due = [began + self.chance.expovariate(rate) for rate in rates]
        reported = began
        while (now := time.monotonic()) < began + seconds:
            for index, rate in enumerate(rates):
                while due[index] <= now:
                    due[index] += self.chance.expovariate(rate)
                    begin[index]()
            if now > reported + 1:
                reported = now
                report(self, now - began)
            await asyncio.sleep(TICK)
        self.ended = time.monotonic()
        while self.tasks:
            await asyncio.wait(self.tasks, timeout=1)
            report(self, time.monotonic() - began)
        self.drained = time.monotonic()
        self.client.close()

    def start(self, name: str) -> bool:
        """Return whether another request may begin, and count it."""
        if len(self.tasks) >= MOST_UNDER_WAY:
            self.not_begun += 1
            return False
        self.rows[name].begun += 1
        return True

    def write(self, flow: Flow) -> None:
        """Begin the write of a block."""
        if len(self.tasks) < MOST_UNDER_WAY:
            write = flow.ledger.next(self.chance, flow.fresh, flow.changed)
            if write is None:
                return
            self.start(flow.name)
            self.begin(self.complete_write(flow, write))
        else:
            self.not_begun += 1

    async def complete_write(self, flow: Flow, write: Write) -> None:
        """Write a block and count the outcome."""
        row = self.rows[flow.name]
        answer = await self.client.ask(flow.format.request(write))
        taken = 200 <= answer.status < 300
        flow.ledger.end(write, taken)
        if not taken:
            self.count_failure(row, answer)
            return
        row.take(write.kind.size, answer.seconds, self.chance)
        if problem := flow.format.fault(write, json.loads(answer.body)):
            self.faults[f"{flow.name}: {problem}"] += 1

    def send_invalid(self) -> None:
        """Send an invalid request."""
        if self.start("invalid"):
            self.begin(self.complete_side_request(self.chance.choice(REFUSED)))

    def ask_question(self) -> None:
        """Ask about a person."""
        if self.start("questions"):
            kind = self.chance.choice([flow.ledger.kind for flow in self.flows if not flow.ledger.kind.is_events])
            now = int(datetime.now(UTC).timestamp()) * MICROSECONDS
            self.begin(
                self.complete_side_request(self.chance.choice(questions(kind, self.chance.randrange(kind.people), now)))
            )

    def ask_overview(self) -> None:
        """Ask a rare, more expensive question."""
        if self.start("overviews"):
            self.begin(self.complete_side_request(self.chance.choice(OVERVIEWS)))

    async def complete_side_request(self, side_request: SideRequest) -> None:
        """Send a request that writes nothing and count the outcome."""
        row = self.rows[side_request.name]
        answer = await self.client.ask(side_request.request)
        if answer.status in side_request.statuses:
            row.take(0, answer.seconds, self.chance)
        else:
            self.count_failure(row, answer, side_request.request.head.partition(" HTTP")[0])

    def count_failure(self, row: Outcomes, answer: Answer, what: str = "") -> None:
        """Count an answer other than success: busy if it has Retry-After, else a fault."""
        if answer.status in BUSY and answer.retry_after:
            row.busy += 1
        else:
            text = answer.body[:200].decode(errors="replace")
            self.faults[f"{row.name}: {answer.status} {text} {what}".rstrip()] += 1

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Start a request as a task."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.end)

    def end(self, task: asyncio.Task[None]) -> None:
        """Remove a finished request, and note an error of the client itself."""
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self.faults[f"the client failed: {error!r}"] += 1


def send(load: Load, seconds: float, report: Callable[[Load, float], None]) -> None:
    """Run a load on uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(load.run(seconds, report))
