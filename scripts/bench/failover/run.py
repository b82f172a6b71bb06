"""`bench failover`: faults of the primary's host under load, and what holds afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psycopg

from scripts.bench.database import connect, version
from scripts.bench.failover.cluster import Cluster, cluster
from scripts.bench.failover.hosts import Host
from scripts.bench.failover.options import Options
from scripts.bench.failover.probe import probing
from scripts.bench.ingest.processes import server, wait_until_answering
from scripts.bench.overload.report import Results, Verdict
from scripts.bench.under_load.clients import Clients, interruption
from scripts.bench.under_load.frame import Say, fault_notes, judge_stored, seconds, send_during, workplace
from scripts.migrate import migrate
from service.database.schema import ROOT

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
    with workplace(options.logs) as place:
        say("starting three hosts")
        with cluster(3, place) as running, service(options, running.url, place / "service.log"):
            clients = Clients(options.port)
            failovers = send_during(clients, fail_again_and_again(options, clients, running, say))
            return results(running, clients, failovers, say)


@contextlib.contextmanager
def service(options: Options, url: str, log: Path) -> Iterator[None]:
    """Run a service on a cluster, which is migrated first, until the block ends."""
    migrate(url)
    environment = {
        "DATABASE_URL": url,
        "HOST": "127.0.0.1",
        "PORT": str(options.port),
        "STOP_WITH_STDIN": "1",
        "STATEMENT_SECONDS": "10",
    }
    with server([sys.executable, "-m", "service"], ROOT, environment, log) as process:
        wait_until_answering(f"http://127.0.0.1:{options.port}/ready", process, log)
        yield


async def fail_again_and_again(options: Options, clients: Clients, running: Cluster, say: Say) -> list[Failover]:
    """Cause one fault after the other."""
    failovers: list[Failover] = []
    for number in range(options.rounds):
        await asyncio.sleep(CALM_SECONDS)
        fault = options.faults[number % len(options.faults)]
        failovers.append(await fail(fault, clients, running))
        say(f"  {number + 1} of {options.rounds}: {failovers[-1]}; {dict(clients.statuses)}")
    await asyncio.sleep(CALM_SECONDS)
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
    """Compare what was answered with what is stored, on all hosts, and report."""
    stored = judge_stored(running.url, clients, say)
    with connect(running.url) as connection:
        title = f"{version(connection)}; {len(failovers)} failovers"
    heads = ("seconds of", "writes away", "reads away", "live away", "until fenced", "until promoted", "until rejoined")
    rows = [
        (
            f"{number}. {NAMES[each.fault]}",
            *seconds(each.writes, each.reads, each.live, each.fenced, each.promoted, each.rejoined),
        )
        for number, each in enumerate(failovers, 1)
    ]
    verdicts = [
        *answers(clients),
        *stored.verdicts,
        Verdict(
            "no old primary answered beside another one",
            all(each.fenced < each.promoted for each in failovers),
            f"it had stopped {min(each.promoted - each.fenced for each in failovers):.1f} s before, at least",
        ),
        all_hold_the_same(running, stored.readings),
    ]
    return Results(title, heads, rows, verdicts, fault_notes(clients.faults))


def answers(clients: Clients) -> list[Verdict]:
    """Judge what clients were answered."""
    refused, faults = clients.statuses[503], sum(clients.faults.values())
    unready = sum(not is_ready for _, is_ready in clients.ready)
    return [
        Verdict("failovers met requests under way", refused > 0, f"{refused:,} of them got 503 with Retry-After"),
        Verdict("no answer but success and 503 with Retry-After", faults == 0, f"{faults:,} others"),
        Verdict("every request was answered", clients.statuses[0] == 0, f"after {clients.longest:.1f} s at most"),
        Verdict(
            "/ready did not say soon that it was, meanwhile", unready > 0, f"{unready} of {len(clients.ready)} times"
        ),
    ]


def all_hold_the_same(running: Cluster, readings: int) -> Verdict:
    """Judge whether each host holds as many readings as the primary."""
    problems = [problem for host in running.hosts if (problem := differs(running, host, readings))]
    return Verdict("all hosts hold the same", not problems, "; ".join(problems) or f"{readings:,} readings")


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
