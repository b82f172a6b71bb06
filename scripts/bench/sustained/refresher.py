"""The benchmark's own refresher: one cycle after the other on a separate connection."""

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
from scripts.bench.sustained.processor_time import REFRESHER, processor_seconds


class Cycle(NamedTuple):
    """A cycle of refreshes."""

    began: float
    """Of the monotonic clock."""
    seconds: float
    cpu: float | None
    """Processor seconds of its backend; None if they cannot be read."""
    readings: int
    """Readings stored when it began."""


class Refresher:
    """Runs cycles in a thread until stopped."""

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
        """Minimum seconds from the end of a cycle to the next."""
        self.every = every
        """Minimum seconds from the start of a cycle to the next."""
        self.over = threading.Event()
        self.began = self.fresh_since = time.monotonic()
        self.cycles: list[Cycle] = []
        self.fault = ""
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self) -> None:
        """Run cycles until stopped."""
        try:
            while not self.over.is_set():
                self.once()
                due = max(self.began + self.every, time.monotonic() + self.pause)
                self.over.wait(max(0.0, due - time.monotonic()))
        except psycopg.Error as error:
            if not self.over.is_set():
                self.fault = str(error).strip().split("\n")[0]

    def once(self) -> None:
        """Run one cycle."""
        self.began = time.monotonic()
        before, readings = self.cpu(), self.readings()
        self.cycle(self.connection)
        after = self.cpu()
        used = None if before is None or after is None else after - before
        self.cycles.append(Cycle(self.began, time.monotonic() - self.began, used, readings))
        self.fresh_since = self.began

    def cpu(self) -> float | None:
        """Return the processor time of the backend."""
        return None if self.pid is None else processor_seconds(self.pid)

    def sample(self) -> Waiting:
        """Return the duration of the current or last cycle as age; refreshes of ranges have no stale user-days."""
        now = time.monotonic()
        last = self.cycles[-1].seconds if self.cycles else 0.0
        is_under_way = self.began > self.fresh_since or not self.cycles
        return Waiting(0, max(last, now - self.began) if is_under_way else last)


@contextlib.contextmanager
def refreshing(refresher: Refresher) -> Iterator[Refresher]:
    """Run a refresher and cancel its last cycle."""
    refresher.thread.start()
    try:
        yield refresher
    finally:
        refresher.over.set()
        with contextlib.suppress(psycopg.Error):
            refresher.connection.cancel()
        refresher.thread.join()
        refresher.connection.close()
