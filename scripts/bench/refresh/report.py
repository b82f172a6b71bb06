"""A table for each question, and the same as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from scripts.bench.refresh.late_reading import REFRESH
from scripts.bench.refresh.measurement import Aims, Row, Spent, median_of
from scripts.bench.refresh.run import Results
from scripts.bench.report import plain

TITLES = ("", "", "users", "readings", "passed", "processor", "µs a reading", "WAL MB", "aims")
GROWTH = 4 / 3


def write_json(results: Results, path: Path) -> None:
    """Write all measurements as JSON, in seconds and bytes."""
    rows = [{**row._asdict(), "spent": [each._asdict() for each in row.spent]} for row in results.rows]
    document = {"measured_at": datetime.now(UTC).isoformat(timespec="seconds"), **results._asdict(), "rows": rows}
    text = json.dumps({name: plain(value) for name, value in document.items()}, indent=2, default=plain)
    path.write_text(text + "\n", encoding="utf-8")


def show(results: Results, console: Console) -> None:
    """Print the tables, the growth, and the problems."""
    console.print(f"\n{'; '.join(results.versions)}; {results.machine}")
    console.print("Medians of what was repeated, from the least to the most; a checkpoint before each step.")
    for question in dict.fromkeys(row.question for row in results.rows):
        rows = [row for row in results.rows if row.question == question]
        console.print(f"\n{question[0].upper()}{question[1:]}", markup=False, highlight=False)
        console.print(table(rows), markup=False)
        for line in growth(rows):
            console.print(line, markup=False, highlight=False)
    for problem in results.problems:
        console.print(f"WRONG: {problem}", markup=False, highlight=False)


def table(rows: Sequence[Row]) -> Table:
    """Return the table of a question: for each step, the subjects below each other."""
    made = Table(box=None, pad_edge=False)
    for title in TITLES:
        made.add_column(title, justify="right" if title else "left", no_wrap=bool(title) and title != "aims")
    steps = dict.fromkeys((row.users, row.what) for row in rows)
    for users, what in steps:
        said = what
        for row in rows:
            if (row.users, row.what) == (users, what):
                made.add_row(said, row.subject, *cells(row))
                said = ""
    return made


def cells(row: Row) -> tuple[str, ...]:
    """Return the figures of a row as text."""
    about = (f"{row.users:,}", f"{row.readings:,}" if row.readings else "")
    if not row.spent:
        return (*about, row.note, "", "", "", "")
    taken = median_of(row.spent)
    computed = [each.computed for each in row.spent if each.computed is not None]
    return (
        *about,
        ranged([each.passed for each in row.spent], taken.passed),
        "" if taken.computed is None else ranged(computed, taken.computed),
        f"{taken.computed / row.readings * 1e6:.2f}" if taken.computed is not None and row.readings > 1 else "",
        f"{taken.wal / 1e6:,.2f}",
        "; ".join(part for part in (judged(row.aims, row, taken), row.note) if part),
    )


def ranged(values: Sequence[float], median: float) -> str:
    """Return a median of seconds as text, with the least and the most in the same unit."""
    scale, unit = (1.0, "s") if median >= 1 else (1000.0, "ms")
    digits = 2 if median * scale < 10 else 1 if median * scale < 100 else 0
    low, middle, high = (f"{value * scale:,.{digits}f}" for value in (min(values), median, max(values)))
    return f"{middle} {unit}" if len(values) < 2 else f"{middle} {unit} ({low}–{high})"


def judged(aims: Aims, row: Row, taken: Spent) -> str:
    """Return the targets and whether they are met."""
    limits: list[tuple[str, float | None, float | None]] = [
        (f"{(aims.passed or 0) * 1000:,.3g} ms", aims.passed, taken.passed),
        (
            f"{(aims.per_reading or 0) * 1e6:g} µs",
            aims.per_reading,
            taken.computed / row.readings if taken.computed is not None and row.readings else None,
        ),
        (f"{(aims.wal or 0) / 1e6:.3g} MB", aims.wal, taken.wal),
    ]
    return ", ".join(
        f"≤ {words} {'met' if reached <= limit else 'missed'}"
        for words, limit, reached in limits
        if limit is not None and reached is not None
    )


def growth(rows: Sequence[Row]) -> Iterator[str]:
    """Yield by how much the refresh after a late reading differs between numbers of users."""
    for subject in dict.fromkeys(row.subject for row in rows):
        sized = {
            row.users: median_of(row.spent)
            for row in rows
            if row.subject == subject and row.what == REFRESH and row.spent
        }
        if len(sized) < 2:
            continue
        costs = {users: spent.passed if spent.computed is None else spent.computed for users, spent in sized.items()}
        ratio = max(costs.values()) / min(costs.values())
        verdict = "met" if ratio <= GROWTH else "missed"
        yield (
            f"{subject}: from {min(costs):,} to {max(costs):,} users the most is {ratio:.2f} times the least"
            f" (aim ≤ {GROWTH:.2f}: {verdict})."
        )
