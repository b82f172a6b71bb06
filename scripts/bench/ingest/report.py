"""The table of results, and the same as JSON."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from scripts.bench.ingest.copying import SUBJECT
from scripts.bench.ingest.kinds import INTERVALS, ONE_OTHER, THREE
from scripts.bench.ingest.measurement import Measured, document

RIVALS = (
    ("of COPY", f"{SUBJECT}: {{kind}}, 1 connection"),
    ("of add_all", "FastAPI + SQLAlchemy: add_all, {what}"),
    ("of InfluxDB", "InfluxDB: {what}"),
)
"""Rows that a row is compared with in interleaved runs, by its description."""
TITLES = ("readings/s", "of COPY", "p50 ms", "p99 ms", "service", "database", "client")


class Results(NamedTuple):
    """Everything measured."""

    machine: str
    version: str
    readings: int
    users: int
    rows: list[Measured]
    left_out: list[str]
    """What was not measured, and why."""


def machine() -> str:
    """Describe the size of this machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB"


def limit_of(row: Measured, rows: Sequence[Measured]) -> float | None:
    """Return the rate of COPY of what a row stores, the faster of one and two connections."""
    name = copied_kind(row.what)
    return max((one.rate for one in rows if one.subject == SUBJECT and one.what.startswith(f"{name},")), default=None)


def copied_kind(what: str) -> str:
    """Return the name of the kind of readings whose COPY a row is compared with."""
    return next((kind.name for kind in (ONE_OTHER, INTERVALS) if what.startswith(kind.name)), THREE.name)


def show(results: Results, console: Console) -> None:
    """Print one table."""
    console.print(headline(results))
    console.print("The last three columns are processor seconds for a million readings.")
    table = Table(box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    for title in TITLES:
        table.add_column(title, justify="right", no_wrap=True)
    for row in results.rows:
        table.add_row(row.name, *cells(row, limit_of(row, results.rows)))
    console.print(table, markup=False)
    show_notes(results, console)


def headline(results: Results) -> str:
    """Return the title: versions, machine and sizes."""
    sizes = f"up to {results.readings:,} readings of {results.users:,} users"
    return f"\n{results.version}; {results.machine}; {sizes}"


def show_notes(results: Results, console: Console) -> None:
    """Print each note once, and the rows that were left out."""
    for words in dict.fromkeys(f"{row.name}: {row.note}" for row in results.rows if row.note):
        console.print(words, markup=False, highlight=False)
    for words in results.left_out:
        console.print(f"Left out: {words}", markup=False, highlight=False)


def show_turns(results: Results, console: Console) -> None:
    """Print the table of an interleaved run."""
    turns: dict[str, list[Measured]] = {}
    for row in results.rows:
        turns.setdefault(row.name, []).append(row)
    console.print(headline(results))
    console.print("Medians of all turns; times as fast as another of the same turn, from the least to the most.")
    table = Table(box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    for title in ("readings/s", *(title for title, _ in RIVALS), *TITLES[3:6]):
        table.add_column(title, justify="right", no_wrap=True)
    for name, rows in turns.items():
        compared = [
            versus(rows, turns.get(rival.format(what=rows[0].what, kind=copied_kind(rows[0].what)), []))
            for _, rival in RIVALS
        ]
        rate = statistics.median(row.rate for row in rows)
        table.add_row(name, f"{rate:,.0f}", *compared, *cells(median_row(rows), None)[3:6])
    console.print(table, markup=False)
    show_notes(results, console)


def median_row(rows: Sequence[Measured]) -> Measured:
    """Return the row with the median rate."""
    return sorted(rows, key=lambda row: row.rate)[len(rows) // 2]


def versus(rows: Sequence[Measured], rivals: Sequence[Measured]) -> str:
    """Return how many times as fast as a rival of the same turn: the median, the least and the most."""
    if not rivals or rows[0].name == rivals[0].name or rows[0].subject == rivals[0].subject:
        return ""
    ratios = sorted(row.rate / rival.rate for row, rival in zip(rows, rivals, strict=True))
    return f"{statistics.median(ratios):.2g} ({ratios[0]:.2g}–{ratios[-1]:.2g})"


def cells(row: Measured, limit: float | None) -> tuple[str, ...]:
    """Return the figures of a row as text."""
    if not row.readings:
        return ("",) * len(TITLES)
    million = row.readings / 1e6
    latencies = ("" if value is None else f"{value:,.1f}" for value in (row.p50, row.p99))
    cpu = ("" if value is None else f"{value / million:,.1f}" for value in row.cpu)
    return (f"{row.rate:,.0f}", f"{row.rate / limit:.2g}" if limit else "", *latencies, *cpu)


def write_json(results: Results, path: Path) -> None:
    """Write every measurement."""
    rows = [document(row, limit_of(row, results.rows)) for row in results.rows]
    measured_at = datetime.now(UTC).isoformat(timespec="seconds")
    text = json.dumps({"measured_at": measured_at, **results._asdict(), "rows": rows}, indent=2)
    path.write_text(text + "\n", encoding="utf-8")
