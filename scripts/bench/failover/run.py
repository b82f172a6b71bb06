"""`bench failover`: faults of the primary's host under load, and what holds afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import math
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import psycopg
import uvloop

from scripts.bench.database import connect, value, version
from scripts.bench.failover.clients import Clients, interruption
from scripts.bench.failover.cluster import Cluster, cluster
from scripts.bench.failover.hosts import Host
from scripts.bench.failover.options import Options
from scripts.bench.failover.probe import probing
from scripts.bench.ingest.processes import server, wait_until_answering
from scripts.bench.overload import check
from scripts.bench.overload.report import Results, Verdict
from scripts.migrate import migrate
from service.database.schema import ROOT

Say = Callable[[str], None]

NAMES = {"kill": "kill -9 of the primary", "cut": "its host cut off", "pause": "its disk paused"}
CALM_SECONDS = 3.0
AFTER_SECONDS = 5.0
"""For which the old primary stays away once another one has taken over."""
BACK_SECONDS = 180.0


class Failover(NamedTuple):
    """What one failover was like, in seconds."""

    fault: str
    writes: float
    """Between the last write that was answered before, and the first one after."""
    reads: float
    live: float
    fenced: float
    """Until the old primary answered no question as the primary any more, on its own host."""
    promoted: float
    """Until another host was the primary."""
    rejoined: float
    """From the end of the fault until the old primary followed the new one, and all was as before."""


def run(options: Options, say: Say) -> Results:
    """Cause faults, and compare."""
    with tempfile.TemporaryDirectory(prefix="hyperpulse-bench-") as directory, kept_logs(Path(directory), options.logs):
        place = Path(directory)
        say("starting three hosts")
        with cluster(3, place) as running:
            migrate(running.url)
            environment = {
                "DATABASE_URL": running.url,
                "HOST": "127.0.0.1",
                "PORT": str(options.port),
                "STOP_WITH_STDIN": "1",
                "STATEMENT_SECONDS": "10",
            }
            log = place / "service.log"
            with server([sys.executable, "-m", "service"], ROOT, environment, log) as process:
                wait_until_answering(f"http://127.0.0.1:{options.port}/ready", process, log)
                clients = Clients(options.port)
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    failovers = runner.run(fail_and_send(options, clients, running, say))
            say("comparing what was answered with what is stored")
            return results(running, clients, failovers, say)


@contextlib.contextmanager
def kept_logs(place: Path, kept: Path | None) -> Iterator[None]:
    """Copy the logs somewhere in the end."""
    try:
        yield
    finally:
        if kept is not None:
            kept.mkdir(parents=True, exist_ok=True)
            for log in place.glob("*.log"):
                shutil.copy(log, kept)


async def fail_and_send(options: Options, clients: Clients, running: Cluster, say: Say) -> list[Failover]:
    """Cause one fault after the other under load."""
    sending = asyncio.create_task(clients.run())
    failovers: list[Failover] = []
    try:
        for number in range(options.rounds):
            await asyncio.sleep(CALM_SECONDS)
            fault = options.faults[number % len(options.faults)]
            failovers.append(await fail(fault, clients, running))
            say(f"  {number + 1} of {options.rounds}: {failovers[-1]}; {dict(clients.statuses)}")
        await asyncio.sleep(CALM_SECONDS)
    finally:
        clients.over = True
        await sending
    return failovers


async def fail(fault: str, clients: Clients, running: Cluster) -> Failover:
    """Cause a fault of the primary's host, wait until another one has taken over, and end the fault."""
    old = await asyncio.to_thread(running.primary)
    assert old is not None
    with probing(old, running.url_of(old)) as probe:
        while probe.last(math.inf) is None:
            await asyncio.sleep(0.05)
        begun = time.monotonic()
        match fault:
            case "kill":
                await asyncio.to_thread(old.kill, "postgres")
            case "cut":
                await asyncio.to_thread(old.cut)
            case _:
                await asyncio.to_thread(old.pause)
        promoted = await asyncio.to_thread(running.wait, "another primary", lambda: is_replaced(running, old))
        await answered_again(clients)
        await asyncio.sleep(AFTER_SECONDS)
        healed = time.monotonic()
        fenced = max(0.0, (probe.last(healed) or begun) - begun)
        await asyncio.to_thread(old.heal)
    await asyncio.to_thread(running.wait, "the return of the old primary", running.is_whole, BACK_SECONDS)
    rejoined = time.monotonic() - healed
    await answered_again(clients)
    ended = time.monotonic()
    writes, reads, live = (interruption(times, begun, ended) for times in (clients.writes, clients.reads, clients.live))
    return Failover(fault, writes, reads, live, fenced, promoted, rejoined)


def is_replaced(running: Cluster, old: Host) -> bool:
    """Return whether another host is the primary."""
    new = running.primary()
    return new is not None and new is not old


async def answered_again(clients: Clients) -> None:
    """Wait until every writer has one more answer."""
    before = [writer.answered for writer in clients.writers]
    async with asyncio.timeout(BACK_SECONDS):
        while any(writer.answered <= then for writer, then in zip(clients.writers, before, strict=True)):
            await asyncio.sleep(0.05)


def results(running: Cluster, clients: Clients, failovers: list[Failover], say: Say) -> Results:
    """Compare what was answered with what is stored, and report."""
    missing, surplus, stored = compared(running.url, clients)
    verified = check.verify(running.url, say)
    standbys = [problem for host in running.hosts if (problem := differs(running, host, stored))]
    refused = clients.statuses[503]
    faults = sum(clients.faults.values())
    answered = sum(writer.answered for writer in clients.writers)
    verdicts = [
        Verdict("failovers met requests under way", refused > 0, f"{refused:,} of them got 503 with Retry-After"),
        Verdict("no answer but success and 503 with Retry-After", faults == 0, f"{faults:,} others"),
        Verdict(
            "all that was answered is there, once",
            missing == 0 and surplus == 0,
            f"{answered:,} readings and {clients.events_answered:,} events answered, {missing:,} missing, "
            f"{surplus:,} that were never sent",
        ),
        Verdict("rollups equal raw readings", verified.holds, verified.figure),
        Verdict(
            "no old primary answered beside another one",
            all(each.fenced < each.promoted for each in failovers),
            f"it had stopped {min(each.promoted - each.fenced for each in failovers):.1f} s before, at least",
        ),
        Verdict(
            "all hosts hold the same", not any(standbys), "; ".join(filter(None, standbys)) or f"{stored:,} readings"
        ),
        Verdict("every request was answered", clients.statuses[0] == 0, f"after {clients.longest:.1f} s at most"),
        Verdict(
            "/ready said when it was not",
            any(not is_ready for _, is_ready in clients.ready),
            f"{sum(not is_ready for _, is_ready in clients.ready)} of {len(clients.ready)} times",
        ),
    ]
    with connect(running.url) as connection:
        title = f"{version(connection)}; {len(failovers)} failovers"
    rows = [
        (
            f"{number}. {NAMES[each.fault]}",
            *(
                f"{seconds:.1f}"
                for seconds in (each.writes, each.reads, each.live, each.fenced, each.promoted, each.rejoined)
            ),
        )
        for number, each in enumerate(failovers, 1)
    ]
    heads = ("seconds of", "writes away", "reads away", "live away", "until fenced", "until promoted", "until rejoined")
    notes = [f"Fault, {count} times: {text}" for text, count in clients.faults.most_common(8)]
    return Results(title, heads, rows, verdicts, notes)


def compared(url: str, clients: Clients) -> tuple[int, int, int]:
    """Return how many answered items are missing, how many are there that were not sent, and the number of readings."""
    missing = surplus = total = 0
    with connect(url) as connection:
        for writer in clients.writers:
            rows = connection.execute(
                "SELECT ts, steps FROM api.readings WHERE user_id = %s ORDER BY ts", [writer.user_id]
            ).fetchall()
            stored = {row[0] for row in rows if row[1] == 1}
            total += len(rows)
            expected = [writer.start + timedelta(seconds=number) for number in range(writer.sent)]
            missing += sum(at not in stored for at in expected[: writer.answered])
            surplus += len(rows) - len(stored & set(expected))
        there = value(connection, "SELECT count(DISTINCT event_id) FROM api.events WHERE source = 'bench'")
        each = value(connection, "SELECT count(*) FROM api.events WHERE source = 'bench'")
    missing += max(0, clients.events_answered - there)
    surplus += each - there + max(0, there - clients.events_sent)
    return missing, surplus, total


def differs(running: Cluster, host: Host, stored: int) -> str:
    """Return how a host differs from the primary once it has replayed everything, "" where it does not."""
    deadline = time.monotonic() + 20
    while True:
        try:
            with psycopg.connect(running.url_of(host), connect_timeout=5) as connection:
                row = connection.execute("SELECT count(*) FROM api.readings WHERE user_id LIKE 'rider-%'").fetchone()
                found = row[0] if row else 0
        except psycopg.Error as error:
            return f"{host.name}: {error}"
        if found == stored:
            return ""
        if time.monotonic() > deadline:
            return f"{host.name} has {found:,} readings of {stored:,}"
        time.sleep(0.2)
