"""A row of the table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from scripts.bench.sustained.monitor import Observed

PARTS = ("service", "copy", "refresh", "rest")


class Row(NamedTuple):
    """The results of a contestant."""

    name: str
    rate: float
    """Readings a second, over the window."""
    seconds: float
    readings: int
    is_kept_up: bool | None
    """None if no refresh runs."""
    for_ever: float | None
    """Sustainable readings a second; None if there is no such rate."""
    stale: int | None
    """Stale user-days at the end."""
    age: float | None
    """Greatest age in seconds of a stale day, or longest cycle."""
    p99: float | None
    """Milliseconds of a request from when it was due."""
    cpu: Mapping[str, float]
    """Processor seconds for a million readings, by part; empty if they cannot be read."""
    wal: float | None
    """Bytes of WAL for a reading, of the whole server."""
    there: int
    """Readings stored before."""
    note: str = ""


def row_of(name: str, observed: Observed, there: int, note: str = "") -> Row:
    """Return the row of a window without refreshes."""
    readings = observed.progress.readings
    million = readings / 1e6
    return Row(
        name,
        observed.rate,
        observed.seconds,
        readings,
        None,
        None,
        None,
        None,
        observed.quantile(0.99),
        {part: seconds / million for part, seconds in observed.cpu.items()} if readings else {},
        observed.wal / readings if observed.wal is not None and readings else None,
        there,
        note,
    )
