"""The figures of a row, and the measurement of processor time."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import NamedTuple

from scripts.bench.ingest.client import Answered
from scripts.bench.ingest.processes import cpu_seconds


class Cpu(NamedTuple):
    """Processor seconds; None where they cannot be read."""

    service: float | None = None
    database: float | None = None
    client: float | None = None


class Measured(NamedTuple):
    """A row of the table."""

    subject: str
    what: str
    readings: int
    seconds: float
    p50: float | None = None
    """Milliseconds, of a request."""
    p99: float | None = None
    cpu: Cpu = Cpu()
    note: str = ""

    @property
    def name(self) -> str:
        """Return the name of the row."""
        return f"{self.subject}: {self.what}"

    @property
    def rate(self) -> float:
        """Readings a second."""
        return self.readings / self.seconds if self.seconds else 0.0


class Watched(NamedTuple):
    """The processes whose time counts."""

    service: int | None = None
    database: int | None = None


def timed(subject: str, what: str, watched: Watched, work: Callable[[], Answered], *, note: str = "") -> Measured:
    """Do the work of a row and measure it."""
    before = now(watched)
    answered = work()
    after = now(watched)
    cpu = Cpu(*(None if a is None or b is None else b - a for a, b in zip(before, after, strict=True)))
    notes = [part for part in (note, answered.refusal, f"{answered.busy} times busy" if answered.busy else "") if part]
    return Measured(
        subject,
        what,
        answered.readings,
        answered.seconds,
        answered.quantile(0.5) if answered.latencies else None,
        answered.quantile(0.99) if answered.latencies else None,
        cpu,
        "; ".join(notes),
    )


def now(watched: Watched) -> Cpu:
    """Return the processor time used so far; that of the client includes its psql processes, which have ended."""
    return Cpu(cpu_seconds(watched.service), cpu_seconds(watched.database), sum(os.times()[:4]))


def document(row: Measured, limit: float | None) -> Mapping[str, object]:
    """Return a row for JSON."""
    return {
        **row._asdict(),
        "cpu": row.cpu._asdict(),
        "rate": row.rate,
        "of_limit": row.rate / limit if limit else None,
    }
