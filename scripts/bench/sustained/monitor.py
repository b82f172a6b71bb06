"""A window of sending, watched from beside: what waits, second by second, and what it costs."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import psycopg

from scripts.bench.database import Connection, value
from scripts.bench.sustained.backlog import Backlog, Waiting
from scripts.bench.sustained.pace import Pace
from scripts.bench.sustained.processor_time import Meter
from scripts.bench.sustained.progress import Progress, Send, Window

LOOK_SECONDS = 1.0
POSITION = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8"


class Look(NamedTuple):
    """What was seen at a moment."""

    at: float
    """Seconds since the window began."""
    readings: int
    """Acknowledged by then."""
    waiting: Waiting


class Seen(NamedTuple):
    """A window."""

    offered: float | None
    """Readings a second; None for as many as were answered."""
    seconds: float
    progress: Progress
    looks: list[Look]
    cpu: Mapping[str, float]
    """Processor seconds by part, empty where they cannot be seen."""
    wal: float | None
    """Bytes."""

    @property
    def rate(self) -> float:
        """Return the readings acknowledged a second."""
        return self.progress.readings / self.seconds

    @property
    def age(self) -> float:
        """Return how old a stale day became, in seconds."""
        return max((look.waiting.age for look in self.looks), default=0.0)

    @property
    def days(self) -> int:
        """Return how many days of users were stale in the end."""
        return self.looks[-1].waiting.days if self.looks else 0

    def quantile(self, share: float) -> float | None:
        """Return a latency in milliseconds."""
        ordered = sorted(self.progress.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000 if ordered else None


class Watch(NamedTuple):
    """Who looks, and where."""

    connection: Connection
    """Nobody else uses it."""
    backlog: Backlog
    meter: Callable[[], Meter]
    limit: float
    """Seconds: a window ends where a stale day is older."""
    tell: Callable[[Look, float | None], None]


class Watcher:
    """Looks every second while a window lasts."""

    def __init__(self, watch: Watch, progress: Progress, rate: float | None) -> None:
        self.watch = watch
        self.rate = rate
        self.meter = watch.meter()
        self.progress = progress
        self.looks: list[Look] = []
        self.over = threading.Event()
        self.is_too_old = False
        self.fault = ""
        self.began = time.monotonic()

    def run(self) -> None:
        """Look until it is over."""
        try:
            while not self.over.wait(LOOK_SECONDS):
                self.look()
        except psycopg.Error as error:
            self.fault = str(error).strip().split("\n")[0]

    def look(self) -> None:
        """Look once."""
        waiting = self.watch.backlog.look()
        self.meter.look(self.watch.connection)
        look = Look(time.monotonic() - self.began, self.progress.readings, waiting)
        self.looks.append(look)
        self.is_too_old = waiting.age > self.watch.limit
        self.watch.tell(look, self.rate)


def send(work: Send, watch: Watch, progress: Progress, rate: float | None, seconds: float) -> Seen:
    """Send for so long at a rate, and watch."""
    watcher = Watcher(watch, progress, rate)
    watcher.meter.look(watch.connection)
    before = wal(watch.connection)
    thread = threading.Thread(target=watcher.run, daemon=True)
    thread.start()
    watcher.began = began = time.monotonic()
    try:
        work(Window(Pace(rate), seconds, progress, lambda: watcher.is_too_old or bool(watcher.fault)))
    finally:
        took = time.monotonic() - began
        watcher.over.set()
        thread.join()
    watcher.look()
    after = wal(watch.connection)
    progress.refusal = progress.refusal or watcher.fault
    used = None if before is None or after is None else after - before
    return Seen(rate, took, progress, watcher.looks, watcher.meter.seconds(), used)


def wal(connection: Connection) -> float | None:
    """Return how much the server has written ahead, in bytes; None where it does not say."""
    with contextlib.suppress(psycopg.Error):
        return float(value(connection, POSITION))
    return None
