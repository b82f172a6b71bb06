"""The mix of requests in an overload: kinds, rates, and shares of new blocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from scripts.bench.overload import request_formats
from scripts.bench.overload.request_formats import Format
from scripts.bench.overload.workload import MICROSECONDS, Kind, Ledger

AHEAD = timedelta(hours=12)
"""How far ahead of now a reading may be; the service accepts 24 hours."""


class Flow(NamedTuple):
    """Requests of one format."""

    ledger: Ledger
    format: Format
    rate: float
    """Requests a second, at random moments."""
    fresh: float
    """Share of requests that write a new block."""
    changed: float
    """Share of the others that change a known block; the rest repeats it unchanged."""

    @property
    def name(self) -> str:
        """Return the name of the row."""
        size = self.ledger.kind.size
        return f"{self.format.name}, {size:,} {'events' if self.ledger.kind.is_events else 'readings'}".replace(
            "1 events", "1 event").replace("1 readings", "1 reading")  # fmt: skip


class Shape(NamedTuple):
    """The parameters of a flow."""

    format: Format
    people: int
    size: int
    days: float
    """Days from the first reading to today's midnight; 0 begins now."""
    step: float
    """Seconds between two readings of a person."""
    rate: float
    fresh: float
    changed: float
    metrics: int = 3
    is_events: bool = False


SHAPES = (
    Shape(request_formats.READING, 500, 1, 0, 0.1, 1500, 0.5, 0.3),
    Shape(request_formats.READING, 200, 100, 2, 1, 60, 0.15, 0.4),
    Shape(request_formats.READING, 200, 1000, 3, 1, 30, 0.05, 0.3),
    Shape(request_formats.READING, 100, 5000, 4, 1, 8, 0.05, 0.2),
    Shape(request_formats.GZIP, 100, 5000, 6, 1, 2, 0.1, 0.2),
    Shape(request_formats.LINES, 50, 20_000, 8, 1, 0.6, 0.1, 0.3),
    Shape(request_formats.TABLE, 50, 20_000, 8, 1, 0.3, 0.1, 0.3),
    Shape(request_formats.INGEST, 300, 20, 0, 1, 60, 0.3, 0.3),
    Shape(request_formats.HEART_RATE, 300, 1, 1, 0.5, 100, 0.5, 0.3, metrics=1),
    Shape(request_formats.HEART_RATES, 100, 200, 1, 1, 15, 0.3, 0.3, metrics=1),
    Shape(request_formats.EVENT, 1, 1, 0, 0.01, 60, 0.6, 0, is_events=True),
    Shape(request_formats.EVENTS, 1, 500, 1, 0.01, 3, 0.5, 0, is_events=True),
)


def flows_of(factor: float, now: datetime) -> list[Flow]:
    """Return the flows of all shapes, with their rates multiplied by `factor`."""
    return [flow(number, shape, factor, now) for number, shape in enumerate(SHAPES, 1)]


def flow(number: int, shape: Shape, factor: float, now: datetime) -> Flow:
    """Return the flow of a shape."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    start = midnight - timedelta(days=shape.days) if shape.days else now.replace(microsecond=0)
    blocks_each = int((now + AHEAD - start).total_seconds() / (shape.size * shape.step))
    kind = Kind(
        f"events-{number}" if shape.is_events else shape.format.name,
        number,
        shape.people,
        shape.size,
        int(start.astimezone(UTC).timestamp()) * MICROSECONDS,
        int(shape.step * MICROSECONDS),
        blocks_each * shape.people,
        shape.metrics,
        shape.is_events,
    )
    return Flow(Ledger(kind), shape.format, shape.rate * factor, shape.fresh, shape.changed)
