"""A refresher of the benchmark's own: one cycle after the other, on a connection of its own."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import psycopg
from psycopg.conninfo import make_conninfo

from scripts.bench.database import Connection, connect, value
from scripts.bench.sustained.backlog import Waiting
from scripts.bench.sustained.processor_time import REFRESHER, of_one


class Cycle(NamedTuple):
    """A refresh."""

    began: float
    """Of the monotonic clock."""
    seconds: float
    cpu: float | None
    """Processor seconds of its backend, where they can be seen."""
    readings: int
    """That were there when it began."""


class Refresher:
    """Runs cycles until it is to end."""

    def __init__(
        self,
        url: str,
        cycle: Callable[[Connection], None],
        readings: Callable[[], int],
        pause: float,
        every: float,
        *,
        is_here: bool,
    ) -> None:
        self.connection = connect(make_conninfo(url, application_name=REFRESHER))
        self.pid = int(value(self.connection, "SELECT pg_backend_pid()")) if is_here else None
        self.cycle = cycle
        self.readings = readings
        self.pause = pause
        """Seconds from the end of a cycle to the next, at least."""
        self.every = every
        """Seconds from the beginning of a cycle to the next, at least."""
        self.over = threading.Event()
        self.began = self.fresh_since = time.monotonic()
        self.cycles: list[Cycle] = []
        self.fault = ""
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self) -> None:
        """Refresh again and again."""
        try:
            while not self.over.is_set():
                self.once()
                due = max(self.began + self.every, time.monotonic() + self.pause)
                self.over.wait(max(0.0, due - time.monotonic()))
        except psycopg.Error as error:
            if not self.over.is_set():
                self.fault = str(error).strip().split("\n")[0]

    def once(self) -> None:
        """Refresh."""
        self.began = time.monotonic()
        before, readings = self.cpu(), self.readings()
        self.cycle(self.connection)
        after = self.cpu()
        used = None if before is None or after is None else after - before
        self.cycles.append(Cycle(self.began, time.monotonic() - self.began, used, readings))
        self.fresh_since = self.began

    def cpu(self) -> float | None:
        """Return the processor time of the backend."""
        return None if self.pid is None else of_one(self.pid)

    def look(self) -> Waiting:
        """Say how long the cycle under way takes, or took; a refresher of ranges of time knows no days of users."""
        now = time.monotonic()
        last = self.cycles[-1].seconds if self.cycles else 0.0
        is_under_way = self.began > self.fresh_since or not self.cycles
        return Waiting(0, max(last, now - self.began) if is_under_way else last)


@contextlib.contextmanager
def refreshing(refresher: Refresher) -> Iterator[Refresher]:
    """Run a refresher; what it is doing in the end is cancelled."""
    refresher.thread.start()
    try:
        yield refresher
    finally:
        refresher.over.set()
        with contextlib.suppress(psycopg.Error):
            refresher.connection.cancel()
        refresher.thread.join()
        refresher.connection.close()
