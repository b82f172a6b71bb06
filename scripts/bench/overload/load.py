"""Send more than is taken: requests begin when they are due, whatever became of those before."""

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
from scripts.bench.overload.request_formats import OVERVIEWS, REFUSED, Foreign, questions
from scripts.bench.overload.workload import MICROSECONDS, Write
from scripts.bench.overload.workload_mix import Flow

TICK = 0.005
MOST_UNDER_WAY = 1500
"""Requests; more are not begun, and counted, so that the client has an end of its own."""
BUSY = (429, 503)
FOREIGN_RATES = {"invalid": 20.0, "questions": 40.0, "overviews": 1.0}
SHOWN = 5
LATENCIES = 20_000
"""Kept of a row, drawn at random."""


@dataclass
class Sent:
    """What became of the requests of a row."""

    name: str
    begun: int = 0
    taken: int = 0
    busy: int = 0
    items: int = 0
    """That were answered with success."""
    latencies: list[float] = field(default_factory=list)
    """Seconds, of what was taken."""

    def take(self, items: int, seconds: float, chance: random.Random) -> None:
        """Count a success."""
        self.taken += 1
        self.items += items
        if len(self.latencies) < LATENCIES:
            self.latencies.append(seconds)
        elif (place := chance.randrange(self.taken)) < LATENCIES:
            self.latencies[place] = seconds

    def quantile(self, share: float) -> float | None:
        """Return a latency in seconds."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


class Load:
    """A run of sending."""

    def __init__(self, port: int, flows: Sequence[Flow], seed: int, factor: float) -> None:
        self.client = Client(port)
        self.flows = flows
        self.chance = random.Random(seed)  # noqa: S311
        self.factor = factor
        self.rows = {flow.name: Sent(flow.name) for flow in flows} | {name: Sent(name) for name in FOREIGN_RATES}
        self.tasks: set[asyncio.Task[None]] = set()
        self.not_begun = 0
        self.faults: Counter[str] = Counter()
        """Answers that must not be, and how often."""
        self.ended = 0.0
        """When the last request was begun, of the monotonic clock."""
        self.drained = 0.0
        """When the last answer was there."""

    async def run(self, seconds: float, tell: Callable[[Load, float], None]) -> None:
        """Send for so long, then wait for the answers; tell of it every now and then."""
        begin: list[Callable[[], None]] = [lambda flow=flow: self.write(flow) for flow in self.flows]  # type: ignore[misc]
        begin += [self.refused, self.question, self.overview]
        rates = [flow.rate for flow in self.flows] + [rate * self.factor for rate in FOREIGN_RATES.values()]
        began = time.monotonic()
        due = [began + self.chance.expovariate(rate) for rate in rates]
        told = began
        while (now := time.monotonic()) < began + seconds:
            for place, rate in enumerate(rates):
                while due[place] <= now:
                    due[place] += self.chance.expovariate(rate)
                    begin[place]()
            if now > told + 1:
                told = now
                tell(self, now - began)
            await asyncio.sleep(TICK)
        self.ended = time.monotonic()
        while self.tasks:
            await asyncio.wait(self.tasks, timeout=1)
            tell(self, time.monotonic() - began)
        self.drained = time.monotonic()
        self.client.close()

    def start(self, name: str) -> bool:
        """Tell whether another request may begin, and count it."""
        if len(self.tasks) >= MOST_UNDER_WAY:
            self.not_begun += 1
            return False
        self.rows[name].begun += 1
        return True

    def write(self, flow: Flow) -> None:
        """Begin to write a block."""
        if len(self.tasks) < MOST_UNDER_WAY:
            write = flow.ledger.next(self.chance, flow.fresh, flow.changed)
            if write is None:
                return
            self.start(flow.name)
            self.begin(self.written(flow, write))
        else:
            self.not_begun += 1

    async def written(self, flow: Flow, write: Write) -> None:
        """Write a block, and note what came of it."""
        row = self.rows[flow.name]
        answer = await self.client.ask(flow.form.request(write))
        taken = 200 <= answer.status < 300
        flow.ledger.end(write, taken)
        if not taken:
            self.refuse(row, answer)
            return
        row.take(write.kind.size, answer.seconds, self.chance)
        if problem := flow.form.fault(write, json.loads(answer.body)):
            self.faults[f"{flow.name}: {problem}"] += 1

    def refused(self) -> None:
        """Send something invalid."""
        if self.start("invalid"):
            self.begin(self.foreign(self.chance.choice(REFUSED)))

    def question(self) -> None:
        """Ask something."""
        if self.start("questions"):
            kind = self.chance.choice([flow.ledger.kind for flow in self.flows if not flow.ledger.kind.is_events])
            now = int(datetime.now(UTC).timestamp()) * MICROSECONDS
            self.begin(self.foreign(self.chance.choice(questions(kind, self.chance.randrange(kind.people), now))))

    def overview(self) -> None:
        """Ask what is asked now and then, and costs more."""
        if self.start("overviews"):
            self.begin(self.foreign(self.chance.choice(OVERVIEWS)))

    async def foreign(self, foreign: Foreign) -> None:
        """Send what writes nothing."""
        row = self.rows[foreign.name]
        answer = await self.client.ask(foreign.request)
        if answer.status in foreign.statuses:
            row.take(0, answer.seconds, self.chance)
        else:
            self.refuse(row, answer, foreign.request.head.partition(" HTTP")[0])

    def refuse(self, row: Sent, answer: Answer, what: str = "") -> None:
        """Count an answer that is no success: busy, and says when to try again, or a fault."""
        if answer.status in BUSY and answer.retry_after:
            row.busy += 1
        else:
            text = answer.body[:200].decode(errors="replace")
            self.faults[f"{row.name}: {answer.status} {text} {what}".rstrip()] += 1

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Let a request run."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.end)

    def end(self, task: asyncio.Task[None]) -> None:
        """Notice a request that ended, and a fault of our own."""
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self.faults[f"the client failed: {error!r}"] += 1


def send(load: Load, seconds: float, tell: Callable[[Load, float], None]) -> None:
    """Run on the fast event loop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(load.run(seconds, tell))
