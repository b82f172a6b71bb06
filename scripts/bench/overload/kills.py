"""`bench kills`: kill -9 of service, backends and database under load, and what holds afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import uvloop

from scripts.bench.database import connect, value, version
from scripts.bench.ingest.processes import start, tree_ticks, wait_until_answering
from scripts.bench.overload import check, request_formats
from scripts.bench.overload.client import Client
from scripts.bench.overload.cluster import Cluster, cluster
from scripts.bench.overload.load import BUSY
from scripts.bench.overload.options import Options
from scripts.bench.overload.report import Results, Verdict
from scripts.bench.overload.workload import Write
from scripts.bench.overload.workload_mix import Flow, Shape, flow
from scripts.migrate import migrate
from service.database.schema import ROOT

Say = Callable[[str], None]

SENDERS = 16
ASKED = 200
AGAIN_SECONDS = 0.1
"""Pause before a sender repeats a request that did not succeed."""
PATIENCE = 20.0
BACK_SECONDS = 90.0
"""Time after a kill within which every sender must be answered again."""
LONGEST_CALM = 1.0
"""Longest pause from there to the next kill."""

# The rates are weights here.
SHAPES = (
    Shape(request_formats.READING, 200, 1, 0, 0.1, 6, 0.6, 0.4),
    Shape(request_formats.READING, 100, 100, 2, 1, 4, 0.4, 0.4),
    Shape(request_formats.GZIP, 50, 1000, 3, 1, 2, 0.3, 0.4),
    Shape(request_formats.LINES, 20, 5000, 5, 1, 1, 0.3, 0.4),
    Shape(request_formats.TABLE, 20, 5000, 6, 1, 1, 0.3, 0.4),
    Shape(request_formats.INGEST, 100, 20, 0, 1, 2, 0.4, 0.4),
    Shape(request_formats.HEART_RATES, 50, 200, 1, 1, 1, 0.4, 0.4, metrics=1),
    Shape(request_formats.EVENT, 1, 1, 0, 0.01, 2, 0.6, 0, is_events=True),
    Shape(request_formats.EVENTS, 1, 200, 1, 0.01, 1, 0.5, 0, is_events=True),
)


class Service:
    """The service, restarted after each kill."""

    def __init__(self, url: str, options: Options, log: Path) -> None:
        self.environment = {
            "DATABASE_URL": url,
            "HOST": "127.0.0.1",
            "PORT": str(options.port),
            "WORKERS": str(options.workers),
            "STOP_WITH_STDIN": "1",
        }
        self.log = log
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        """Start the service."""
        with self.log.open("ab") as out:
            return start([sys.executable, "-m", "service"], ROOT, self.environment, out)

    def kill(self) -> None:
        """Kill -9 all of its processes and start it again."""
        for pid in (self.process.pid, *tree_ticks(self.process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.process = self.start()

    def stop(self) -> None:
        """Stop the service."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()


class Senders:
    """Clients that repeat each block until it succeeds."""

    def __init__(self, port: int, flows: Sequence[Flow], seed: int) -> None:
        self.client = Client(port)
        self.flows = flows
        self.chance = random.Random(seed)  # noqa: S311
        self.over = False
        self.taken = [0] * SENDERS
        self.outcomes: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()

    async def run(self, number: int) -> None:
        """Send one block after the other."""
        weights = [flow.rate for flow in self.flows]
        while not self.over:
            (chosen,) = self.chance.choices(self.flows, weights)
            write = chosen.ledger.next(self.chance, chosen.fresh, chosen.changed)
            if write is None:
                await asyncio.sleep(0.01)
                continue
            while not await self.send(chosen, write):
                # From now on it is unknown how much of the block is stored.
                write = write._replace(is_new=False, was=None)
                await asyncio.sleep(AGAIN_SECONDS)
            chosen.ledger.end(write, answered=True)
            self.taken[number] += 1

    async def send(self, chosen: Flow, write: Write) -> bool:
        """Send a block and return whether it succeeded."""
        answer = await self.client.ask(chosen.format.request(write), PATIENCE)
        if 200 <= answer.status < 300:
            self.outcomes["answered"] += 1
            if problem := chosen.format.fault(write, json.loads(answer.body)):
                self.faults[f"{chosen.name}: {problem}"] += 1
            return True
        if answer.status in BUSY and answer.retry_after:
            self.outcomes["refused as busy"] += 1
        elif answer.status == 0:
            self.outcomes["without an answer"] += 1
        else:
            self.faults[f"{chosen.name}: {answer.status} {answer.body[:200].decode(errors='replace')}"] += 1
        return False

    async def all_answered(self) -> None:
        """Wait until each sender completes one more block."""
        before = list(self.taken)
        async with asyncio.timeout(BACK_SECONDS):
            while any(now <= then for now, then in zip(self.taken, before, strict=True)):
                await asyncio.sleep(0.02)


def run(options: Options, say: Say) -> Results:
    """Send, kill, and compare."""
    flows = [flow(number, shape, 1.0, datetime.now(UTC)) for number, shape in enumerate(SHAPES, 1)]
    with started(options) as (database, service):
        senders = Senders(options.port, flows, options.seed)
        began = time.monotonic()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            kills, longest = runner.run(kill_and_send(options, senders, database, service, say))
        seconds = time.monotonic() - began
        say("comparing what was sent with what is stored")
        found = check.compare(database.url, [flow.ledger for flow in flows])
        say("comparing rollups and answers with raw readings")
        verified = check.verify(database.url, say)
        answered = check.wrong_answers(database.url, ASKED)
        with connect(database.url) as connection:
            title = f"{version(connection)}; {options.rounds} kills in {seconds:.0f} s"
        sent = sum(len(flow.ledger.sent) * flow.ledger.kind.size for flow in flows)
        failed = senders.outcomes["refused as busy"] + senders.outcomes["without an answer"]
        faults = sum(senders.faults.values())
        verdicts = [
            Verdict("kills met requests under way", failed > 0, f"{failed:,} of them failed and were sent again"),
            Verdict("no answer but success and busy", faults == 0, f"{faults:,} others"),
            Verdict(
                "everything sent is there, once, right",
                found.wrong == 0 and found.readings == sent == found.certain,
                f"{sent:,} sent, {found.readings:,} stored, {found.wrong:,} blocks wrong",
            ),
            Verdict("rollups equal raw readings", verified.holds, verified.figure),
            Verdict("answers equal raw readings", answered[1] == 0, f"{answered[0]} asked, {answered[1]} differ"),
        ]
        notes = [
            *(f"Fault, {count} times: {text}" for text, count in senders.faults.most_common(5)),
            *(f"Wrong: {text}" for text in found.faults),
        ]
        rows = [(what, f"{kills[what]:,}", f"{longest[what]:.1f}") for what in sorted(kills)]
        return Results(title, ("kill -9 of", "times", "longest until all were answered, s"), rows, verdicts, notes)


@contextlib.contextmanager
def started(options: Options) -> Iterator[tuple[Cluster, Service]]:
    """Run a database and the service."""
    with (
        tempfile.TemporaryDirectory(prefix="hyperpulse-bench-") as directory,
        cluster(Path(directory) / "postgres.log") as database,
    ):
        migrate(database.url)
        log = Path(directory) / "service.log"
        service = Service(database.url, options, log)
        try:
            wait_until_answering(f"http://127.0.0.1:{options.port}/ready", service.process, log)
            yield database, service
        finally:
            service.stop()


async def kill_and_send(
    options: Options, senders: Senders, database: Cluster, service: Service, say: Say
) -> tuple[Counter[str], dict[str, float]]:
    """Kill at random under load; return the number of kills of each kind and its longest recovery in seconds."""
    tasks = [asyncio.create_task(senders.run(number)) for number in range(SENDERS)]
    chance = random.Random(options.seed)  # noqa: S311
    kills: Counter[str] = Counter()
    longest: dict[str, float] = {}
    await senders.all_answered()
    for count in range(1, options.rounds + 1):
        await asyncio.sleep(chance.uniform(0, LONGEST_CALM))
        what = chance.choice(("the service", "a backend", "the database"))
        began = time.monotonic()
        await asyncio.to_thread(kill, what, database, service, chance)
        await senders.all_answered()
        took = time.monotonic() - began
        kills[what] += 1
        longest[what] = max(longest.get(what, 0.0), took)
        say(f"  {count} of {options.rounds}: killed {what}; all were answered again after {took:.1f} s")
    senders.over = True
    await asyncio.gather(*tasks)
    senders.client.close()
    return kills, longest


def kill(what: str, database: Cluster, service: Service, chance: random.Random) -> None:
    """Kill the service, a backend or the database; start again what does not restart itself."""
    match what:
        case "the service":
            service.kill()
        case "a backend":
            if victims := backends(database.url):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(chance.choice(victims), signal.SIGKILL)
        case _:
            database.kill()
            database.start()


def backends(url: str) -> list[int]:
    """Return the processes of the service's connections, only busy ones if there are any."""
    try:
        with connect(url) as connection:
            found = value(connection, BACKENDS)
    except psycopg.Error:
        return []
    return list(found or ())


BACKENDS = """
    SELECT coalesce(array_agg(pid) FILTER (WHERE state <> 'idle'), array_agg(pid))
      FROM pg_stat_activity
     WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
"""
