"""Monitor a window of sending: the backlog every second, and the cost."""

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
from scripts.bench.sustained.processor_time import ProcessorMeter
from scripts.bench.sustained.progress import Progress, Send, Window

SAMPLE_SECONDS = 1.0
POSITION = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8"


class Sample(NamedTuple):
    """The state at a moment."""

    at: float
    """Seconds since the window began."""
    readings: int
    """Readings acknowledged by then."""
    waiting: Waiting


class Observed(NamedTuple):
    """The measurements of a window."""

    offered: float | None
    """Readings a second; None for as many as are answered."""
    seconds: float
    progress: Progress
    samples: list[Sample]
    cpu: Mapping[str, float]
    """Processor seconds by part, empty if they cannot be read."""
    wal: float | None
    """Bytes of WAL, of the whole server."""

    @property
    def rate(self) -> float:
        """Return the readings acknowledged a second."""
        return self.progress.readings / self.seconds

    @property
    def age(self) -> float:
        """Return the greatest age of a stale day, in seconds."""
        return max((sample.waiting.age for sample in self.samples), default=0.0)

    @property
    def days(self) -> int:
        """Return the number of stale user-days at the end."""
        return self.samples[-1].waiting.days if self.samples else 0

    def quantile(self, share: float) -> float | None:
        """Return a latency in milliseconds."""
        ordered = sorted(self.progress.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000 if ordered else None


class MonitorOptions(NamedTuple):
    """How a window is monitored."""

    connection: Connection
    """Used by the monitor only."""
    backlog: Backlog
    meter: Callable[[], ProcessorMeter]
    limit: float
    """Age in seconds of a stale day at which a window ends early."""
    report: Callable[[Sample, float | None], None]


class Monitor:
    """Samples every second during a window."""

    def __init__(self, options: MonitorOptions, progress: Progress, rate: float | None) -> None:
        self.options = options
        self.rate = rate
        self.meter = options.meter()
        self.progress = progress
        self.samples: list[Sample] = []
        self.over = threading.Event()
        self.is_too_old = False
        self.fault = ""
        self.began = time.monotonic()

    def run(self) -> None:
        """Sample until the window is over."""
        try:
            while not self.over.wait(SAMPLE_SECONDS):
                self.sample()
        except psycopg.Error as error:
            self.fault = str(error).strip().split("\n")[0]

    def sample(self) -> None:
        """Take one sample."""
        waiting = self.options.backlog.sample()
        self.meter.sample(self.options.connection)
        sample = Sample(time.monotonic() - self.began, self.progress.readings, waiting)
        self.samples.append(sample)
        self.is_too_old = waiting.age > self.options.limit
        self.options.report(sample, self.rate)


def send(work: Send, options: MonitorOptions, progress: Progress, rate: float | None, seconds: float) -> Observed:
    """Send at a rate for `seconds`, and monitor it."""
    monitor = Monitor(options, progress, rate)
    monitor.meter.sample(options.connection)
    before = wal(options.connection)
    thread = threading.Thread(target=monitor.run, daemon=True)
    thread.start()
    monitor.began = began = time.monotonic()
    try:
        work(Window(Pace(rate), seconds, progress, lambda: monitor.is_too_old or bool(monitor.fault)))
    finally:
        took = time.monotonic() - began
        monitor.over.set()
        thread.join()
    monitor.sample()
    after = wal(options.connection)
    progress.refusal = progress.refusal or monitor.fault
    used = None if before is None or after is None else after - before
    return Observed(rate, took, progress, monitor.samples, monitor.meter.seconds(), used)


def wal(connection: Connection) -> float | None:
    """Return the position of the server's WAL in bytes; None if it cannot be read."""
    with contextlib.suppress(psycopg.Error):
        return float(value(connection, POSITION))
    return None
