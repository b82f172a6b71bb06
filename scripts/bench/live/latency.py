"""How soon clients are told, and how others are while some never read."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Sequence
from typing import NamedTuple

from scripts.bench.live.senders import BATCH, Sent, send
from scripts.bench.live.service import used
from scripts.bench.live.subscribers import EVERYONE, Ear, listen, opened, paths_of


class Told(NamedTuple):
    """A measurement."""

    readings: float
    """A second, taken in."""
    messages: int
    after_sending: tuple[float, float]
    """p50 and p99 in ms from sending a reading to hearing of it."""
    after_answer: tuple[float, float]
    """p50 and p99 in ms from the answer, which follows the commit, to hearing of it; 0 where that came first."""
    cpu: float
    """Of the service: how much of one core."""
    memory: int
    """Of the service, the most, in bytes."""
    clients: float
    """Of those who listen: how much of one core."""


def tell(port: int, pid: int, users: int, rate: float, seconds: float, paths: Sequence[str]) -> Told:
    """Measure clients that each ask one of these paths, while so many readings a second are sent."""
    ears = opened(port, paths)
    results: multiprocessing.SimpleQueue[list[Sent]] = multiprocessing.SimpleQueue()
    sender = multiprocessing.Process(target=send, args=(port, users, rate, seconds, results))
    before, began = used(pid), time.monotonic()
    sender.start()
    heard = listen(ears, pid, seconds + 2)
    after, took = used(pid), seconds + 2
    sent = results.get()
    sender.join()
    for ear in ears:
        ear.line.close()
    by_timestamp = {request.ts: request for request in sent}
    known = [(by_timestamp[ts], at) for ts, at in heard.messages if ts in by_timestamp]
    return Told(
        readings=len(sent) * min(BATCH, users) / (max(request.answered for request in sent) - began),
        messages=len(heard.messages),
        after_sending=percentiles([at - request.sent for request, at in known]),
        after_answer=percentiles([max(0.0, at - request.answered) for request, at in known]),
        cpu=(after.cpu - before.cpu) / took,
        memory=heard.memory,
        clients=heard.cpu / took,
    )


def percentiles(seconds: list[float]) -> tuple[float, float]:
    """Return p50 and p99 in ms."""
    ordered = sorted(seconds) or [float("nan")]
    return ordered[len(ordered) // 2] * 1000, ordered[int(len(ordered) * 0.99)] * 1000


def say(title: str, told: Told) -> None:
    """Print a measurement."""
    print(
        f"{title}: {told.readings:,.0f} readings/s, {told.messages:,} messages; "
        f"sending to hearing p50 {told.after_sending[0]:.0f} ms, p99 {told.after_sending[1]:.0f} ms; "
        f"answer to hearing p50 {told.after_answer[0]:.0f} ms, p99 {told.after_answer[1]:.0f} ms; "
        f"service {told.cpu:.2f} cores, {told.memory / 1e6:.0f} MB; clients {told.clients:.2f} cores",
        flush=True,
    )


def deaf(port: int, pid: int, clients: int, seconds: float) -> None:
    """Let a tenth of the clients ask for everyone and never read, or stay away, in turns; and look at the others."""
    users = clients
    reading = paths_of(clients * 9 // 10, users)
    for are_there in (False, True, True, False):
        unread = [Ear(port, EVERYONE) for _ in range(clients // 10 if are_there else 0)]
        beside = f", beside {len(unread)} that ask for everyone and never read" if are_there else ""
        say(f"{len(reading)} clients, a user each{beside}", tell(port, pid, users, users, seconds, reading))
        for ear in unread:
            ear.line.close()
