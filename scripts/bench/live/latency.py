"""How soon live clients receive readings, also while other clients never read."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Sequence
from typing import NamedTuple

from scripts.bench.live.senders import BATCH, Sent, send
from scripts.bench.live.service import used
from scripts.bench.live.subscribers import ALL_USERS, Subscriber, listen, paths_of, subscribe


class Latency(NamedTuple):
    """A measurement of live clients."""

    readings: float
    """A second, acknowledged."""
    messages: int
    after_sending: tuple[float, float]
    """p50 and p99 in ms from sending a reading to receiving its message."""
    after_answer: tuple[float, float]
    """p50 and p99 in ms from the answer, which follows the commit, to the message; 0 where the message came first."""
    cpu: float
    """Of the service: how much of one core."""
    memory: int
    """Of the service, the most, in bytes."""
    clients: float
    """Of the subscribers: how much of one core."""


def measure(port: int, pid: int, users: int, rate: float, seconds: float, paths: Sequence[str]) -> Latency:
    """Measure a client for each of the paths, while `rate` readings a second are sent."""
    subscribers = subscribe(port, paths)
    results: multiprocessing.SimpleQueue[list[Sent]] = multiprocessing.SimpleQueue()
    sender = multiprocessing.Process(target=send, args=(port, users, rate, seconds, results))
    before, began = used(pid), time.monotonic()
    sender.start()
    received = listen(subscribers, pid, seconds + 2)
    after, took = used(pid), seconds + 2
    sent = results.get()
    sender.join()
    for subscriber in subscribers:
        subscriber.socket.close()
    by_timestamp = {request.ts: request for request in sent}
    known = [(by_timestamp[ts], at) for ts, at in received.messages if ts in by_timestamp]
    return Latency(
        readings=len(sent) * min(BATCH, users) / (max(request.answered for request in sent) - began),
        messages=len(received.messages),
        after_sending=percentiles([at - request.sent for request, at in known]),
        after_answer=percentiles([max(0.0, at - request.answered) for request, at in known]),
        cpu=(after.cpu - before.cpu) / took,
        memory=received.memory,
        clients=received.cpu / took,
    )


def percentiles(seconds: list[float]) -> tuple[float, float]:
    """Return p50 and p99 in ms."""
    ordered = sorted(seconds) or [float("nan")]
    return ordered[len(ordered) // 2] * 1000, ordered[int(len(ordered) * 0.99)] * 1000


def show(title: str, latency: Latency) -> None:
    """Print a measurement."""
    print(
        f"{title}: {latency.readings:,.0f} readings/s, {latency.messages:,} messages; "
        f"sending to message p50 {latency.after_sending[0]:.0f} ms, p99 {latency.after_sending[1]:.0f} ms; "
        f"answer to message p50 {latency.after_answer[0]:.0f} ms, p99 {latency.after_answer[1]:.0f} ms; "
        f"service {latency.cpu:.2f} cores, {latency.memory / 1e6:.0f} MB; clients {latency.clients:.2f} cores",
        flush=True,
    )


def measure_beside_unread(port: int, pid: int, clients: int, seconds: float) -> None:
    """Measure nine tenths of the clients, in turns beside a tenth that subscribes to all users and never reads."""
    users = clients
    reading = paths_of(clients * 9 // 10, users)
    for are_there in (False, True, True, False):
        unread = [Subscriber(port, ALL_USERS) for _ in range(clients // 10 if are_there else 0)]
        beside = f", beside {len(unread)} that ask for everyone and never read" if are_there else ""
        show(f"{len(reading)} clients, a user each{beside}", measure(port, pid, users, users, seconds, reading))
        for subscriber in unread:
            subscriber.socket.close()
