"""The results of a run: rows of figures, and verdicts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from scripts.bench.ingest.report import machine


class Verdict(NamedTuple):
    """A condition, whether it holds, and the figure."""

    what: str
    holds: bool
    figure: str


class Results(NamedTuple):
    """The results of a run."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    verdicts: Sequence[Verdict]
    notes: Sequence[str] = ()

    @property
    def status(self) -> int:
        """Return the exit status."""
        return 0 if all(verdict.holds for verdict in self.verdicts) else 1


def show(results: Results, console: Console) -> None:
    """Print the tables."""
    console.print(f"\n{results.title}; {machine()}", markup=False, highlight=False)
    table = Table(box=None, pad_edge=False)
    for column, head in enumerate(results.heads):
        table.add_column(head, justify="right" if column else "left", no_wrap=True)
    for row in results.rows:
        table.add_row(*row)
    console.print(table, markup=False)
    verdicts = Table(box=None, pad_edge=False, show_header=False)
    for verdict in results.verdicts:
        verdicts.add_row(verdict.what, "holds" if verdict.holds else "DOES NOT HOLD", verdict.figure)
    console.print(verdicts, markup=False)
    for note in results.notes:
        console.print(note, markup=False, highlight=False)


def write_json(results: Results, path: Path) -> None:
    """Write the results as JSON."""
    document = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        **results._asdict(),
        "verdicts": [verdict._asdict() for verdict in results.verdicts],
    }
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
