"""Steps that the questions share."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import psycopg

from scripts.bench.history import Say
from scripts.bench.refresh.measurement import Spent, spent
from scripts.bench.refresh.options import Options
from scripts.bench.refresh.readings import DAY, Batch
from scripts.bench.refresh.subject import OpenSubject, Subject

MINUTE = timedelta(minutes=1)
SAMPLE = 20
"""Number of users whose rollups are compared with their readings after each question."""


class Context(NamedTuple):
    """The subject, options and output of a question."""

    open_subject: OpenSubject
    options: Options
    say: Say
    problems: list[str]
    """Errors in the rollups, to which each check adds."""

    def check(self, subject: Subject, day: datetime) -> None:
        """Compare rollups of a day with its readings, for random users."""
        self.problems.extend(subject.problems(day, SAMPLE))


class Cut(Exception):
    """A refresh took too long."""


class Stopwatch:
    """Elapsed seconds, and whether progress is due."""

    def __init__(self) -> None:
        self.began = self.reported = time.monotonic()

    def passed(self) -> float:
        """Return the elapsed seconds."""
        return time.monotonic() - self.began

    def is_due(self) -> bool:
        """Return whether ten seconds have passed since this last returned true."""
        if time.monotonic() - self.reported < 10:
            return False
        self.reported = time.monotonic()
        return True


def yesterday() -> datetime:
    """Return the start (UTC) of the day before yesterday, which is behind every horizon."""
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - 2 * DAY


def store(subject: Subject, batches: Sequence[Batch]) -> None:
    """Store batches, each in a transaction."""
    for batch in batches:
        subject.store(batch)


def refresh(subject: Subject, until: datetime, patience: float, *, checkpoint: bool = True) -> Spent:
    """Refresh up to a moment; raise Cut if that takes longer than `patience` seconds."""
    subject.aim(until)
    return bounded(subject, subject.refresh, patience, checkpoint=checkpoint)


def bounded(subject: Subject, work: Callable[[], object], patience: float, *, checkpoint: bool = True) -> Spent:
    """Measure work; raise Cut, after which the connection may hold locks, if a statement takes too long."""
    subject.connection.execute(f"SET statement_timeout = {patience * 1000:.0f}".encode())
    try:
        taken = spent(subject.connection, work, checkpoint=checkpoint)
    except psycopg.errors.QueryCanceled as error:
        raise Cut(f"cut after {patience:,.0f} s") from error
    subject.connection.execute("SET statement_timeout = 0")
    return taken


def gather_statistics(subject: Subject, *, vacuum: bool = False) -> None:
    """Run ANALYZE or VACUUM ahead, so that autovacuum does not run during a measurement."""
    embedded = subject.connection.execute("SELECT current_setting('hyperpulse.embedded', true)").fetchone() == ("on",)
    subject.connection.execute("VACUUM (ANALYZE)" if vacuum and not embedded else "ANALYZE")
