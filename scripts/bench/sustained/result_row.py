"""A row of the table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from scripts.bench.sustained.monitor import Seen

PARTS = ("service", "copy", "refresh", "rest")


class Row(NamedTuple):
    """What a contestant reached."""

    name: str
    rate: float
    """Readings a second, over the window."""
    seconds: float
    readings: int
    is_kept_up: bool | None
    """None where nothing was to be kept up with."""
    for_ever: float | None
    """Readings a second that can be kept up for ever, None where nothing can."""
    stale: int | None
    """Days of users that waited in the end."""
    age: float | None
    """Seconds that the oldest stale day waited at most, or the longest cycle took."""
    p99: float | None
    """Milliseconds, of a request, from when it was due."""
    cpu: Mapping[str, float]
    """Processor seconds for a million readings, by part; empty where they cannot be seen."""
    wal: float | None
    """Bytes for a reading, of the whole server."""
    there: int
    """Readings that were there before."""
    note: str = ""


def row_of(name: str, seen: Seen, there: int, note: str = "") -> Row:
    """Make the row of a window with nothing to be kept up with."""
    readings = seen.progress.readings
    million = readings / 1e6
    return Row(
        name,
        seen.rate,
        seen.seconds,
        readings,
        None,
        None,
        None,
        None,
        seen.quantile(0.99),
        {part: seconds / million for part, seconds in seen.cpu.items()} if readings else {},
        seen.wal / readings if seen.wal is not None and readings else None,
        there,
        note,
    )
