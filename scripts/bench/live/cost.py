"""What live updates cost the writers: short runs with and without announcements, alternating.

A machine may change its speed within seconds by more than the cost to be measured. So turns are short, each is compared
with its neighbour only, and the order of the two alternates.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import selectors
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from http.client import HTTPConnection
from typing import NamedTuple

from psycopg import sql

from scripts.bench.database import Connection, connect
from scripts.bench.live.ratios import ratio
from scripts.bench.live.senders import BATCH, SENDERS, bodies, now, post
from scripts.bench.live.service import used
from scripts.bench.live.subscribers import ALL_USERS, paths_of, subscribe
from service.database.schema import SQL

ORDER = (
    False,
    True,
    True,
    False,
    True,
    False,
    False,
    True,
)  # announced or not, in pairs
QUIET = 0.3  # seconds without a message, after which clients count as quiet
LONGEST = 20.0  # seconds to wait for that


class Turn(NamedTuple):
    """A turn: readings a second; processor seconds for a million, of service and database, and of the subscribers."""

    rate: float
    cpu: float
    clients: float


class Gate:
    """Opens and closes the senders of another process, and counts what they sent."""

    def __init__(self) -> None:
        self.is_open = multiprocessing.Event()
        self.is_over = multiprocessing.Event()
        self.readings = multiprocessing.Value("q", 0)
        self.at_work = multiprocessing.Value("i", 0)


def push(port: int, users: int, gate: Gate) -> None:
    """Send as many readings as the service takes while a gate is open."""
    made = bodies(users)
    turn = iter(range(1 << 60))
    lock = threading.Lock()

    def work() -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        while not gate.is_over.is_set():
            if not gate.is_open.wait(0.5):
                connection.close()  # the service may do so as well
                continue
            with gate.at_work.get_lock():
                gate.at_work.value += 1
            with lock:
                body, moment = made[next(turn) % len(made)], now()
            if post(connection, body.replace(b"@", moment.isoformat().encode())) == 200:
                with gate.readings.get_lock():
                    gate.readings.value += min(BATCH, users)
            with gate.at_work.get_lock():
                gate.at_work.value -= 1

    threads = [threading.Thread(target=work) for _ in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@contextlib.contextmanager
def pushing(port: int, users: int) -> Iterator[Gate]:
    """Run senders that wait until the gate is open."""
    gate = Gate()
    sender = multiprocessing.Process(target=push, args=(port, users, gate))
    sender.start()
    try:
        yield gate
    finally:
        gate.is_over.set()
        sender.join()


class Readers:
    """Subscribers that read in a thread, their processor seconds, and when the last message arrived."""

    def __init__(self, port: int, paths: Sequence[str]) -> None:
        self.subscribers = subscribe(port, paths)
        self.cpu = 0.0
        self.received_at = 0.0
        self.is_over = False
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self) -> None:
        """Read until closed."""
        with selectors.DefaultSelector() as selector:
            for subscriber in self.subscribers:
                selector.register(subscriber.socket, selectors.EVENT_READ, subscriber)
            while not self.is_over:
                for key, _ in selector.select(0.1):
                    key.data.receive(False)
                    self.received_at = time.monotonic()
                self.cpu = time.thread_time()

    def close(self) -> None:
        """Close all connections."""
        self.is_over = True
        self.thread.join()
        for subscriber in self.subscribers:
            subscriber.socket.close()


def cost(url: str, port: int, pid: int, users: int, clients: int, seconds: float, rounds: int) -> None:
    """Compare throughput and processor time with announcements and without."""
    paths = {"announced, no client listens": [], "1 client of everyone": [ALL_USERS]}
    paths[f"{clients} clients of a user each"] = paths_of(clients, users)
    with pushing(port, users) as gate, connect(url) as connection:
        for kind, asked in paths.items():
            readers = Readers(port, asked)
            warm_up(port, users, readers)
            pairs: list[tuple[Turn, Turn]] = []
            for _ in range(rounds):
                turns = []
                for on in ORDER:
                    with announcing(connection, on):
                        turns.append(turn(connection, pid, gate, readers, seconds))
                pairs += in_pairs(turns)
            readers.close()
            show(kind, pairs)


def warm_up(port: int, users: int, readers: Readers) -> None:
    """Send a reading of each user, since the service reads a user's state once before its first announcement."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    for body in bodies(users):
        post(connection, body.replace(b"@", now().isoformat().encode()))
    connection.close()
    quiet(readers)


def in_pairs(turns: Sequence[Turn]) -> list[tuple[Turn, Turn]]:
    """Pair neighbouring turns: without announcements first, with announcements second."""
    neighbours = zip(ORDER[::2], turns[::2], turns[1::2], strict=True)
    return [(second, first) if on_first else (first, second) for on_first, first, second in neighbours]


def turn(connection: Connection, pid: int, gate: Gate, readers: Readers, seconds: float) -> Turn:
    """Let the senders send for a while and count; wait for the last messages before the next turn."""
    before, client_seconds, known = seconds_of(connection, pid), readers.cpu, gate.readings.value
    began = time.monotonic()
    gate.is_open.set()
    time.sleep(seconds)
    gate.is_open.clear()
    while gate.at_work.value:
        time.sleep(0.001)
    took = time.monotonic() - began
    count = gate.readings.value - known
    spent = sum(after - before.get(process, 0.0) for process, after in seconds_of(connection, pid).items())
    client_seconds = readers.cpu - client_seconds
    quiet(readers)
    return Turn(count / took, spent / count * 1e6, client_seconds / count * 1e6)


def quiet(readers: Readers) -> None:
    """Wait until no message arrives."""
    began = time.monotonic()
    while (now := time.monotonic()) - max(began, readers.received_at) < QUIET and now < began + LONGEST:
        time.sleep(0.02)


def seconds_of(connection: Connection, pid: int) -> dict[int, float]:
    """Return the processor seconds of the service and of the database's sessions, where they run on this machine.

    Sessions that do something else, such as a job of the database, are left out.
    """
    pids = connection.execute(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"
    ).fetchall()
    sessions = [session for (session,) in pids if os.path.exists(f"/proc/{session}/stat")]  # noqa: PTH110
    return {process: used(process).cpu for process in (pid, *sessions)}


@contextlib.contextmanager
def announcing(connection: Connection, on: bool) -> Iterator[None]:
    """Turn the announcement of writes on or off."""
    made = (SQL / "api_internal" / "ingest" / "announce.sql").read_text(encoding="utf-8").split("COMMENT ON")[0]
    made = made.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
    head = made[: made.index("AS $$")]
    connection.execute(sql.SQL(made if on else head + "AS $$ BEGIN END $$"))
    try:
        yield
    finally:
        connection.execute(sql.SQL(made))


def show(kind: str, pairs: Sequence[tuple[Turn, Turn]]) -> None:
    """Print a comparison."""
    on = [announced for _, announced in pairs]
    print(
        f"as many readings as are taken, {kind}, against nothing announced, {len(pairs)} pairs of turns, with 95 %: "
        f"{statistics.median(each.rate for each in on):,.0f} readings/s, "
        f"{ratio([(silent.rate, announced.rate) for silent, announced in pairs])}; "
        f"processor seconds a million readings: service and database {statistics.median(each.cpu for each in on):.1f}, "
        f"{ratio([(silent.cpu, announced.cpu) for silent, announced in pairs])}, "
        f"clients {statistics.median(each.clients for each in on):.1f}",
        flush=True,
    )
