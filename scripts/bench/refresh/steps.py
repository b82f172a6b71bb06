"""Steps that every question is made of."""

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
from scripts.bench.refresh.subject import Made, Subject

MINUTE = timedelta(minutes=1)
SAMPLE = 20
"""Users whose rollups are compared with their readings after each question."""


class Asked(NamedTuple):
    """What a question is asked of, and how."""

    made: Made
    options: Options
    say: Say
    problems: list[str]
    """To which is added what is found wrong."""

    def check(self, subject: Subject, day: datetime) -> None:
        """Compare rollups of a day with its readings, of some users drawn at random."""
        self.problems.extend(subject.problems(day, SAMPLE))


class Cut(Exception):
    """A refresh took too long."""


class Watch:
    """Seconds since it was made, and whether it is time to say something."""

    def __init__(self) -> None:
        self.began = self.told = time.monotonic()

    def passed(self) -> float:
        """Return the seconds since the beginning."""
        return time.monotonic() - self.began

    def is_due(self) -> bool:
        """Tell whether the last time that this was so is ten seconds ago."""
        if time.monotonic() - self.told < 10:
            return False
        self.told = time.monotonic()
        return True


def yesterday() -> datetime:
    """Return the midnight (UTC) at which the last day began that is over for long enough."""
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - 2 * DAY


def store(subject: Subject, batches: Sequence[Batch]) -> None:
    """Store batches, each in a transaction."""
    for batch in batches:
        subject.store(batch)


def refresh(subject: Subject, until: datetime, patience: float, *, checkpoint: bool = True) -> Spent:
    """Refresh up to a moment; raises Cut when that takes longer than so many seconds."""
    subject.aim(until)
    return bounded(subject, subject.refresh, patience, checkpoint=checkpoint)


def bounded(subject: Subject, work: Callable[[], object], patience: float, *, checkpoint: bool = True) -> Spent:
    """Do something; raises Cut, after which the connection may hold locks, when a statement takes too long."""
    subject.connection.execute(f"SET statement_timeout = {patience * 1000:.0f}".encode())
    try:
        taken = spent(subject.connection, work, checkpoint=checkpoint)
    except psycopg.errors.QueryCanceled as error:
        raise Cut(f"cut after {patience:,.0f} s") from error
    subject.connection.execute("SET statement_timeout = 0")
    return taken


def gather_statistics(subject: Subject, *, vacuum: bool = False) -> None:
    """Do what autovacuum would sooner or later, so that it does not strike in between."""
    embedded = subject.connection.execute("SELECT current_setting('hyperpulse.embedded', true)").fetchone() == ("on",)
    subject.connection.execute("VACUUM (ANALYZE)" if vacuum and not embedded else "ANALYZE")
