"""Monitor the service from a separate process: its memory, the latency of a single reading, and live clients."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import selectors
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.client import HTTPConnection
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from scripts.bench.ingest.processes import tree_ticks
from scripts.bench.live.subscribers import Subscriber

PROBE_SECONDS = 0.1
"""Interval between two probes."""
SAMPLE_SECONDS = 1.0
PATIENCE = 60.0
PERSON = "probe"
PATH = "/v1/readings"
PAGE = os.sysconf("SC_PAGE_SIZE")
RECONNECT_SECONDS = 1.0


class Probe(NamedTuple):
    """A single reading of a user of its own."""

    at: float
    """Of the monotonic clock."""
    seconds: float
    status: int


class Observed(NamedTuple):
    """The observations of a run."""

    probes: list[Probe]
    memory: list[tuple[float, int]]
    """Moments of the monotonic clock, and the bytes of the largest process of the service."""
    received_bytes: int
    """Bytes that live clients received."""
    reconnects: int
    """Number of times a live client connected again."""


@contextlib.contextmanager
def monitoring(port: int, pid: int, clients: int) -> Iterator[Connection]:
    """Monitor the service until the block ends; `finish` returns the observations."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=run, args=(theirs, port, pid, clients), daemon=True)
    process.start()
    try:
        yield ours
    finally:
        process.kill()
        process.join()


def finish(pipe: Connection) -> Observed:
    """Stop monitoring and return the observations."""
    pipe.send(None)
    observed = pipe.recv()
    assert isinstance(observed, Observed)
    return observed


def run(pipe: Connection, port: int, pid: int, clients: int) -> None:
    """Monitor until a message or the end of the pipe."""
    over = threading.Event()
    probes: list[Probe] = []
    memory: list[tuple[float, int]] = []
    counts = [0, 0]
    threads = [
        threading.Thread(target=probe, args=(port, over, probes)),
        threading.Thread(target=sample_memory, args=(pid, over, memory)),
        threading.Thread(target=listen, args=(port, clients, over, counts)),
    ]
    for thread in threads:
        thread.start()
    with contextlib.suppress(EOFError):
        pipe.recv()
    over.set()
    for thread in threads:
        thread.join()
    pipe.send(Observed(probes, memory, *counts))


def probe(port: int, over: threading.Event, probes: list[Probe]) -> None:
    """Send a reading every tenth of a second, sequentially."""
    due = time.monotonic()
    while not over.wait(max(0.0, due - time.monotonic())):
        began = time.monotonic()
        probes.append(Probe(began, *post(port)))
        due = max(due + PROBE_SECONDS, time.monotonic())


def post(port: int) -> tuple[float, int]:
    """Send one reading over a new connection; return the seconds until the answer, and its status or 0."""
    body = f'{{"user_id":"{PERSON}","timestamp":"{datetime.now(UTC).isoformat()}","steps":1}}'
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    began = time.monotonic()
    try:
        connection.request("POST", PATH, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        status = answer.status
    except OSError:
        status = 0
    finally:
        connection.close()
    return time.monotonic() - began, status


def sample_memory(pid: int, over: threading.Event, memory: list[tuple[float, int]]) -> None:
    """Sample the memory of the largest process every second."""
    while not over.wait(SAMPLE_SECONDS):
        memory.append((time.monotonic(), resident(pid)))


def resident(pid: int) -> int:
    """Return the resident bytes of the largest of a process and its descendants."""
    return max((resident_bytes(each) for each in tree_ticks(pid)), default=0)


def resident_bytes(pid: int) -> int:
    """Return the resident bytes of a process; 0 if there is none."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    except (OSError, IndexError):
        return 0


def listen(port: int, clients: int, over: threading.Event, counts: list[int]) -> None:
    """Run live clients of all users that read everything, and connect again those whose connection is closed."""
    with selectors.DefaultSelector() as selector:
        missing, tried = clients, 0.0
        while not over.is_set():
            if missing and time.monotonic() > tried + RECONNECT_SECONDS:
                missing -= connect(selector, port, missing)
                tried = time.monotonic()
            for key, _ in selector.select(0.2):
                try:
                    counts[0] += key.data.receive(keep=False)
                except OSError:
                    selector.unregister(key.fileobj)
                    key.data.socket.close()
                    missing += 1
                    counts[1] += 1
        for key in list(selector.get_map().values()):
            key.data.socket.close()


def connect(selector: selectors.BaseSelector, port: int, most: int) -> int:
    """Connect up to `most` clients; return how many succeeded."""
    for count in range(most):
        try:
            subscriber = Subscriber(port, "/v1/live")
        except (OSError, AssertionError):
            return count
        selector.register(subscriber.socket, selectors.EVENT_READ, subscriber)
    return most
