"""What live updates cost those who write: turns with and without, in turns.

A machine may change its speed within seconds, by more than what is looked for. So turns are short, each is compared
with its neighbour only, and what comes first alternates.
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
from scripts.bench.live.subscribers import EVERYONE, opened, paths_of
from service.database.schema import SQL

ORDER = (False, True, True, False, True, False, False, True)  # whether it is announced: each pair is turned around
QUIET = 0.3  # seconds in which nothing is heard any more
LONGEST = 20.0  # seconds to wait for that


class Turn(NamedTuple):
    """A turn: readings a second; processor seconds for a million, of service and database, and of those who listen."""

    rate: float
    cpu: float
    clients: float


class Gate:
    """What lets senders of another process send, and counts what they sent."""

    def __init__(self) -> None:
        self.is_open = multiprocessing.Event()
        self.is_over = multiprocessing.Event()
        self.readings = multiprocessing.Value("q", 0)
        self.at_work = multiprocessing.Value("i", 0)


def push(port: int, users: int, gate: Gate) -> None:
    """Send as many readings as are taken while a gate is open."""
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
    """Run senders, who wait until the gate is opened."""
    gate = Gate()
    sender = multiprocessing.Process(target=push, args=(port, users, gate))
    sender.start()
    try:
        yield gate
    finally:
        gate.is_over.set()
        sender.join()


class Crowd:
    """Clients that read what they are sent, in a thread; what that takes of the processor, and when the last came."""

    def __init__(self, port: int, paths: Sequence[str]) -> None:
        self.ears = opened(port, paths)
        self.cpu = 0.0
        self.heard_at = 0.0
        self.is_over = False
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self) -> None:
        """Read until it is over."""
        with selectors.DefaultSelector() as selector:
            for ear in self.ears:
                selector.register(ear.line, selectors.EVENT_READ, ear)
            while not self.is_over:
                for key, _ in selector.select(0.1):
                    key.data.hear(False)
                    self.heard_at = time.monotonic()
                self.cpu = time.thread_time()

    def close(self) -> None:
        """Let all go."""
        self.is_over = True
        self.thread.join()
        for ear in self.ears:
            ear.line.close()


def cost(url: str, port: int, pid: int, users: int, clients: int, seconds: float, rounds: int) -> None:
    """Compare how many readings are taken in, and what they take, with announcements and with nothing announced."""
    paths = {"announced, nobody listens": [], "1 client of everyone": [EVERYONE]}
    paths[f"{clients} clients of a user each"] = paths_of(clients, users)
    with pushing(port, users) as gate, connect(url) as connection:
        for kind, asked in paths.items():
            crowd = Crowd(port, asked)
            warm_up(port, users, crowd)
            pairs: list[tuple[Turn, Turn]] = []
            for _ in range(rounds):
                turns = []
                for on in ORDER:
                    with announcing(connection, on):
                        turns.append(turn(connection, pid, gate, crowd, seconds))
                pairs += in_pairs(turns)
            crowd.close()
            say(kind, pairs)


def warm_up(port: int, users: int, crowd: Crowd) -> None:
    """Send a reading of everybody: whom the service has not told of before, it asks the database for once."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    for body in bodies(users):
        post(connection, body.replace(b"@", now().isoformat().encode()))
    connection.close()
    quiet(crowd)


def in_pairs(turns: Sequence[Turn]) -> list[tuple[Turn, Turn]]:
    """Pair neighbours: with nothing announced, and with announcements."""
    neighbours = zip(ORDER[::2], turns[::2], turns[1::2], strict=True)
    return [(second, first) if on_first else (first, second) for on_first, first, second in neighbours]


def turn(connection: Connection, pid: int, gate: Gate, crowd: Crowd, seconds: float) -> Turn:
    """Let the senders send for a while, and count; what is told of after that, is told before the next turn."""
    before, heard, known = seconds_of(connection, pid), crowd.cpu, gate.readings.value
    began = time.monotonic()
    gate.is_open.set()
    time.sleep(seconds)
    gate.is_open.clear()
    while gate.at_work.value:
        time.sleep(0.001)
    took = time.monotonic() - began
    count = gate.readings.value - known
    spent = sum(after - before.get(process, 0.0) for process, after in seconds_of(connection, pid).items())
    heard = crowd.cpu - heard
    quiet(crowd)
    return Turn(count / took, spent / count * 1e6, heard / count * 1e6)


def quiet(crowd: Crowd) -> None:
    """Wait until nobody is told anything."""
    began = time.monotonic()
    while (now := time.monotonic()) - max(began, crowd.heard_at) < QUIET and now < began + LONGEST:
        time.sleep(0.02)


def seconds_of(connection: Connection, pid: int) -> dict[int, float]:
    """Return the processor seconds of the service and of the database's sessions, which may not be visible from here.

    Those of sessions that do something else, such as a job of the database, are not among them.
    """
    pids = connection.execute(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"
    ).fetchall()
    sessions = [session for (session,) in pids if os.path.exists(f"/proc/{session}/stat")]  # noqa: PTH110
    return {process: used(process).cpu for process in (pid, *sessions)}


@contextlib.contextmanager
def announcing(connection: Connection, on: bool) -> Iterator[None]:
    """Let writes be announced, or not."""
    made = (SQL / "api_internal" / "ingest" / "announce.sql").read_text(encoding="utf-8").split("COMMENT ON")[0]
    made = made.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
    head = made[: made.index("AS $$")]
    connection.execute(sql.SQL(made if on else head + "AS $$ BEGIN END $$"))
    try:
        yield
    finally:
        connection.execute(sql.SQL(made))


def say(kind: str, pairs: Sequence[tuple[Turn, Turn]]) -> None:
    """Print a comparison."""
    on = [told for _, told in pairs]
    print(
        f"as many readings as are taken, {kind}, against nothing announced, {len(pairs)} pairs of turns, with 95 %: "
        f"{statistics.median(each.rate for each in on):,.0f} readings/s, "
        f"{ratio([(silent.rate, told.rate) for silent, told in pairs])}; "
        f"processor seconds a million readings: service and database {statistics.median(each.cpu for each in on):.1f}, "
        f"{ratio([(silent.cpu, told.cpu) for silent, told in pairs])}, "
        f"clients {statistics.median(each.clients for each in on):.1f}",
        flush=True,
    )
