"""Look at the service from a process of its own: its memory, how long a single reading takes, and live clients."""

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
"""From one probe to the next."""
LOOK_SECONDS = 1.0
PATIENCE = 60.0
PERSON = "probe"
PATH = "/v1/readings"
PAGE = os.sysconf("SC_PAGE_SIZE")
RECONNECT_SECONDS = 1.0


class Probe(NamedTuple):
    """A single reading, sent as nobody else's."""

    at: float
    """Of the monotonic clock."""
    seconds: float
    status: int


class Seen(NamedTuple):
    """What was seen."""

    probes: list[Probe]
    memory: list[tuple[float, int]]
    """Moments of the monotonic clock, and the bytes of the largest process of the service."""
    told: int
    """Bytes that live clients were told."""
    hung_up: int
    """How often a live client had to connect again."""


@contextlib.contextmanager
def watching(port: int, pid: int, clients: int) -> Iterator[Connection]:
    """Watch from now on; `finish` ends it."""
    ours, theirs = multiprocessing.Pipe()
    watcher = multiprocessing.Process(target=watch, args=(theirs, port, pid, clients), daemon=True)
    watcher.start()
    try:
        yield ours
    finally:
        watcher.kill()
        watcher.join()


def finish(line: Connection) -> Seen:
    """End watching, and return what was seen."""
    line.send(None)
    seen = line.recv()
    assert isinstance(seen, Seen)
    return seen


def watch(line: Connection, port: int, pid: int, clients: int) -> None:
    """Watch until told to stop."""
    over = threading.Event()
    probes: list[Probe] = []
    memory: list[tuple[float, int]] = []
    told = [0, 0]
    threads = [
        threading.Thread(target=probe, args=(port, over, probes)),
        threading.Thread(target=weigh, args=(pid, over, memory)),
        threading.Thread(target=listen, args=(port, clients, over, told)),
    ]
    for thread in threads:
        thread.start()
    with contextlib.suppress(EOFError):
        line.recv()
    over.set()
    for thread in threads:
        thread.join()
    line.send(Seen(probes, memory, *told))


def probe(port: int, over: threading.Event, probes: list[Probe]) -> None:
    """Send a reading every tenth of a second, one after the other."""
    due = time.monotonic()
    while not over.wait(max(0.0, due - time.monotonic())):
        began = time.monotonic()
        probes.append(Probe(began, *post(port)))
        due = max(due + PROBE_SECONDS, time.monotonic())


def post(port: int) -> tuple[float, int]:
    """Send one reading over a connection of its own; return the seconds until the answer, and its status or 0."""
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


def weigh(pid: int, over: threading.Event, memory: list[tuple[float, int]]) -> None:
    """Read every second what the largest process holds."""
    while not over.wait(LOOK_SECONDS):
        memory.append((time.monotonic(), resident(pid)))


def resident(pid: int) -> int:
    """Return the resident bytes of the largest of a process and those below it."""
    return max((of_one(each) for each in tree_ticks(pid)), default=0)


def of_one(pid: int) -> int:
    """Return the resident bytes of a process; 0 where there is none."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    except (OSError, IndexError):
        return 0


def listen(port: int, clients: int, over: threading.Event, told: list[int]) -> None:
    """Have live clients, of everyone, read all they are told; who is hung up on connects again."""
    with selectors.DefaultSelector() as selector:
        missing, tried = clients, 0.0
        while not over.is_set():
            if missing and time.monotonic() > tried + RECONNECT_SECONDS:
                missing -= connect(selector, port, missing)
                tried = time.monotonic()
            for key, _ in selector.select(0.2):
                try:
                    told[0] += key.data.receive(keep=False)
                except OSError:
                    selector.unregister(key.fileobj)
                    key.data.socket.close()
                    missing += 1
                    told[1] += 1
        for key in list(selector.get_map().values()):
            key.data.socket.close()


def connect(selector: selectors.BaseSelector, port: int, most: int) -> int:
    """Let so many clients connect; return how many did."""
    for count in range(most):
        try:
            subscriber = Subscriber(port, "/v1/live")
        except (OSError, AssertionError):
            return count
        selector.register(subscriber.socket, selectors.EVENT_READ, subscriber)
    return most
