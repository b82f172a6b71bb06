"""The cost of a step and its targets."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple

from scripts.bench.database import Connection, value
from scripts.bench.freshness import cost


class Spent(NamedTuple):
    """The cost of one step."""

    passed: float
    """Seconds."""
    computed: float | None
    """Processor seconds of the connection's process; None if they cannot be read."""
    wal: int
    """Bytes of WAL, of the whole server."""


class Aims(NamedTuple):
    """Upper limits; None for no target."""

    passed: float | None = None
    """Seconds."""
    per_reading: float | None = None
    """Processor seconds a reading."""
    wal: float | None = None
    """Bytes."""


NO_AIMS = Aims()


class Row(NamedTuple):
    """A step of a question, measured once or repeatedly."""

    question: str
    subject: str
    what: str
    users: int
    readings: int
    """Readings in one repetition of the step."""
    spent: tuple[Spent, ...]
    """Costs of the repetitions; empty if the step was cut."""
    aims: Aims = NO_AIMS
    note: str = ""


def spent(connection: Connection, work: Callable[[], object], *, checkpoint: bool = True) -> Spent:
    """Measure work on a connection; after a checkpoint, so that each touched page is written whole to the WAL, once."""
    if checkpoint:
        connection.execute("CHECKPOINT")
    before = position(connection)
    taken = cost(connection, work)
    return Spent(taken.passed, taken.computed, position(connection) - before)


def position(connection: Connection) -> int:
    """Return the number of bytes of WAL written so far."""
    return int(value(connection, "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"))


def total(many: Sequence[Spent]) -> Spent:
    """Return the sum of costs."""
    computed = [each.computed for each in many if each.computed is not None]
    return Spent(
        sum(each.passed for each in many),
        sum(computed) if len(computed) == len(many) else None,
        sum(each.wal for each in many),
    )


def median_of(many: Sequence[Spent]) -> Spent:
    """Return the median of each figure."""
    computed = [each.computed for each in many if each.computed is not None]
    return Spent(
        statistics.median(each.passed for each in many),
        statistics.median(computed) if computed else None,
        round(statistics.median(each.wal for each in many)),
    )
