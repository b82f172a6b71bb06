"""The table of results, and the same as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from scripts.bench.sustained.result_row import PARTS, Row
from scripts.bench.sustained.run import Results

TITLES = ("readings/s", "kept up", "for ever", "of alone", "stale", "oldest s", "p99 ms", *PARTS, "WAL")
NOTES = """\
The columns from service to rest are processor seconds for a million readings: of the service, of the sessions that
write, of the one that refreshes, and of the rest of PostgreSQL. WAL is bytes for a reading, of the whole server, and
whatever else it does; what refreshes write is the difference to ingest alone. "Stale" counts days of users in the end
of the window; "oldest" is how long one of them waited, or a cycle of continuous aggregates took, at most. Where a
refresh recomputes whole ranges of time for all users, "for ever" is the rate at which a cycle takes 2 minutes once the
readings of half a day (days: of a day) are stored, by the processor time that a stored reading took in this run."""
ALONE = ", ingest alone"


def show(results: Results, console: Console) -> None:
    """Print one table."""
    options = results.options
    console.print(
        f"\n{results.version}; {results.machine}; the last day of {options.users:,} people is stored before; "
        f"{options.minutes:g} minutes",
        markup=False,
        highlight=False,
    )
    table = Table(box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    for title in TITLES:
        table.add_column(title, justify="right", no_wrap=True)
    for row in results.rows:
        table.add_row(row.name, *cells(row, alone(results, row)))
    console.print(table, markup=False)
    for line in lines(results):
        console.print(line, markup=False, highlight=False)


def lines(results: Results) -> Iterator[str]:
    """Yield notes to the table."""
    yield NOTES
    if not any(row.cpu for row in results.rows):
        yield "Processor time is not measured: the server's processes cannot be read from here."
    yield from ratios(results)
    yield from (f"{row.name}: {row.note}" for row in results.rows if row.note)
    yield from (f"Left out: {words}" for words in results.left_out)


def ratios(results: Results) -> Iterator[str]:
    """Compare the first contestant with each other one."""
    lasting = [(row.name, row.for_ever) for row in results.rows if row.for_ever]
    for other, rate in lasting[1:]:
        first, best = lasting[0]
        yield f"{first} sustains {best / rate:,.1f} times the rate of {other}."


def alone(results: Results, row: Row) -> float | None:
    """Return the rate of ingest alone of the same code."""
    return next((other.rate for other in results.rows if other.name == row.name + ALONE), None)


def cells(row: Row, alone: float | None) -> tuple[str, ...]:
    """Return the figures of a row as text."""
    kept = {None: "", True: "yes", False: "no"}[row.is_kept_up]
    return (
        f"{row.rate:,.0f}",
        kept,
        f"{row.for_ever:,.0f}" if row.for_ever is not None else "",
        f"{share:.2g}" if (share := ratio(row, alone)) else "",
        f"{row.stale:,}" if row.stale is not None else "",
        f"{row.age:,.0f}" if row.age is not None else "",
        f"{row.p99:,.0f}" if row.p99 is not None else "",
        *(f"{row.cpu[part]:.2f}" if part in row.cpu else "" for part in PARTS),
        f"{row.wal:,.0f}" if row.wal is not None else "",
    )


def write_json(results: Results, path: Path) -> None:
    """Write all measurements as JSON."""
    document = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        **results._asdict(),
        "options": {name: value for name, value in results.options._asdict().items() if name not in UNSAID},
        "rows": [{**row._asdict(), "of_alone": ratio(row, alone(results, row))} for row in results.rows],
    }
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


UNSAID = ("server_url", "json")
"""Options that are left out of the document: server_url may contain a password."""


def ratio(row: Row, alone: float | None) -> float | None:
    """Return the sustainable rate as a share of ingest alone."""
    return row.for_ever / alone if alone and row.for_ever else None
