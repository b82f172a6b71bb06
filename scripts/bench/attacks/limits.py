"""Keys with limits that send as much as they can to several processes, of which one is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from typing import NamedTuple

from scripts.bench.attacks.apart import apart
from scripts.bench.attacks.environment import ATTACKER, Running, add_key, lines, user
from scripts.bench.attacks.options import Options
from scripts.bench.attacks.others import NewConnections
from scripts.bench.ingest.processes import CannotStart, tree_ticks
from scripts.bench.overload.client import Request
from scripts.bench.overload.report import Results, Verdict

WORKERS = 3
SENDERS = 12
PAUSE = 0.02
"""Seconds between an answer and the next request of a sender."""
REQUESTS = 50.0
READINGS = 2000.0
BATCH = 50
BYTES = 3_000_000
DAY = 86400.0
BODY = 20_000
DRAIN_SECONDS = 4.0
"""After which the burst of each key is used up."""
TOLERANCE = 0.2


class Taken(NamedTuple):
    """A request of a key."""

    at: float
    amount: int
    """Requests, readings or bytes that were taken; 0 where it was refused."""
    status: int


class Sender(NamedTuple):
    """How a key sends."""

    unit: str
    key: str
    request: str
    """The head."""
    amount: int
    size: int
    """Readings in a body."""
    pause: float


def senders(url: str, seconds: float) -> list[Sender]:
    """Return a sender for each kind of limit; that of bytes takes half the time to use up what it may send."""
    post = "POST /v1/readings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
    get = "GET /v1/users/user-1/latest HTTP/1.1\r\nHost: localhost\r\n"
    pause = SENDERS * BODY * seconds / BYTES / 2
    return [
        Sender("requests", add_key(url, ATTACKER, requests_per_second=REQUESTS), get, 1, 0, PAUSE),
        Sender("readings", add_key(url, ATTACKER, readings_per_second=READINGS), post, BATCH, BATCH, PAUSE),
        Sender("bytes", add_key(url, ATTACKER, bytes_per_day=BYTES), post, BODY, -1, pause),
    ]


async def run_senders(pipe: Connection, port: int, all_senders: Sequence[Sender]) -> None:
    """Send until something comes through the pipe; answer with what was taken of each sender."""
    taken: list[list[Taken]] = [[] for _ in all_senders]
    tasks = [
        asyncio.create_task(send(port, sender, of))
        for sender, of in zip(all_senders, taken, strict=True)
        for _ in range(SENDERS)
    ]
    await asyncio.to_thread(pipe.recv)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    pipe.send(taken)


async def send(port: int, sender: Sender, taken: list[Taken]) -> None:
    """Send one request after the other, each on a new connection, so that all processes get some."""
    client = NewConnections(port)
    while True:
        answer = await client.ask(Request(f"{sender.request}Authorization: Bearer {sender.key}\r\n", body(sender)), 20)
        client.close()
        is_taken = 200 <= answer.status < 300
        taken.append(Taken(time.monotonic(), sender.amount if is_taken else 0, answer.status))
        await asyncio.sleep(sender.pause)


def body(sender: Sender) -> bytes:
    """Return a body of as many readings, or of as many bytes, as a sender sends."""
    if not sender.size:
        return b""
    begin = datetime.now(UTC) - timedelta(hours=1)
    if sender.size > 0:
        return lines(user(1), begin, sender.size, 1)
    made = lines(user(2), begin, 100, 1)
    return made + b"\n" * (BODY - len(made))


def kill_worker(pid: int) -> None:
    """Kill -9 one of the workers of a service."""
    workers = [each for each in tree_ticks(pid) if each != pid]
    if not workers:
        raise CannotStart("the service has no worker to kill")
    os.kill(workers[0], signal.SIGKILL)


def measure(options: Options, running: Running) -> Results:
    """Measure what each key got through, before a worker is killed and from then on."""
    seconds = options.seconds / 2
    all_senders = senders(running.database_url, 2 * seconds + DRAIN_SECONDS)
    with apart(run_senders, running.port, all_senders) as pipe:
        begun = time.monotonic()
        time.sleep(DRAIN_SECONDS + seconds)
        kill_worker(running.pid)
        killed = time.monotonic()
        time.sleep(seconds)
        pipe.send(None)
        taken = pipe.recv()
    rows, verdicts = [], []
    for sender, of in zip(all_senders, taken, strict=True):
        expected = {"requests": REQUESTS * seconds, "readings": READINGS * seconds}.get(sender.unit)
        if expected is None:
            spent = killed + seconds - begun
            parts = {f"{spent:.0f} s, with a kill -9": (within(of, begun, killed + seconds), BYTES * (1 + spent / DAY))}
        else:
            parts = {
                f"{seconds:g} s before kill -9": (within(of, killed - seconds, killed), expected),
                f"{seconds:g} s from kill -9 on": (within(of, killed, killed + seconds), expected),
            }
        refusals = sum(each.status == 429 for each in of)
        failures = sum(each.status not in (200, 429) for each in of)
        for when, (got, allowed) in parts.items():
            ratio = got / allowed
            rows.append(
                [
                    f"{sender.unit}, {when}",
                    f"{allowed:,.0f}",
                    f"{got:,}",
                    f"{ratio:.2f}",
                    f"{refusals:,}",
                    f"{failures:,}",
                ]
            )
            holds = abs(ratio - 1) <= TOLERANCE and refusals > 0
            verdicts.append(Verdict(f"the limit of {sender.unit} holds within a fifth, {when}", holds, f"{ratio:.2f}"))
    heads = ("a key's", "allowed", "taken", "ratio", "429 in all", "other failures")
    return Results(f"{running.version}; {WORKERS} workers", heads, rows, verdicts)


def within(taken: Sequence[Taken], begin: float, end: float) -> int:
    """Return how much was taken in a time."""
    return sum(each.amount for each in taken if begin <= each.at < end)
