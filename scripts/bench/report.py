"""The table of results, and the same as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from scripts.bench.measure import Times
from scripts.bench.questions import KINDS, RAW, Kind
from scripts.bench.run import ONCE, Results


def write_json(results: NamedTuple, path: Path) -> None:
    """Write all measurements as JSON; times in the units that their types name."""
    text = json.dumps(
        plain({"measured_at": datetime.now(UTC).isoformat(timespec="seconds"), **results._asdict()}), indent=2
    )
    path.write_text(text + "\n", encoding="utf-8")


def plain(thing: object) -> object:
    """Convert named tuples to dictionaries, recursively."""
    if isinstance(thing, dict):
        return {key: plain(item) for key, item in thing.items()}
    if isinstance(thing, tuple) and hasattr(thing, "_asdict"):
        return plain(thing._asdict())
    if isinstance(thing, list):
        return [plain(item) for item in thing]
    return thing


def show(results: Results, console: Console) -> None:
    """Print the table, and below it the cost of loading and freshness."""
    console.print(f"\n{results.version}; {results.users:,} users × {results.days:,} days")
    table = Table("question", box=None, pad_edge=False)
    for title in ("first p50", "first p99", "p50 ms", "p99 ms", "client p50", "client p99", "× raw", "target"):
        table.add_column(title, justify="right")
    for row in rows(results):
        table.add_row(*row)
    console.print(table)
    for line in costs(results):
        console.print(line, highlight=False)


def rows(results: Results) -> Iterator[tuple[str, ...]]:
    """Yield the rows: every kind, the raw baselines, then stale days and sizes."""
    for kind in KINDS + RAW:
        yield row(kind.name, kind, results.times[kind.name], results)
    for name, times in results.with_stale_days.items():
        yield row(f"{name}; {results.stale_days:,} stale days of others", None, times, results)
    for size, by_kind in results.scaled.items():
        for name, times in by_kind.items():
            *cells, _ = row(f"{name}; {size}", None, times, results)
            yield (*cells, f"{times.p50 / results.scaled[ONCE][name].p50 - 1:+.0%}")


def row(name: str, kind: Kind | None, times: Times, results: Results) -> tuple[str, ...]:
    """Return one row as text."""
    raw = results.times[kind.baseline].p50 / times.p50 if kind and kind.baseline else None
    return (
        name,
        f"{times.first_p50:.2f}",
        f"{times.first_p99:.2f}",
        f"{times.p50:.2f}",
        f"{times.p99:.2f}",
        f"{times.client_p50:.2f}",
        f"{times.client_p99:.2f}",
        f"{raw:,.0f}" if raw else "",
        judged(kind, times) if kind else "",
    )


def judged(kind: Kind, times: Times) -> str:
    """Return the target and whether it is met."""
    limits = [(kind.target_p50, times.p50), (kind.target_p99, times.p99)]
    set_limits = [(limit, reached) for limit, reached in limits if limit is not None]
    if not set_limits:
        return ""
    met = all(reached < limit for limit, reached in set_limits)
    return f"< {', '.join(f'{limit:g}' for limit, _ in set_limits)}: {'met' if met else 'missed'}"


def costs(results: Results) -> Iterator[str]:
    """Yield the cost of loading, freshness and a late upload."""
    if live := results.live:
        yield (
            f"A day as it happens, {live.readings:,} readings: ingest {live.ingest.passed:.1f} s, "
            f"96 refreshes {live.refresh.passed:.1f} s, {live.refresh.passed / live.ingest.passed:.0%} of it; "
            f"a refresh with nothing to do {live.idle_refresh * 1000:.0f} ms."
        )
        if live.ingest.computed and live.refresh.computed:
            yield (
                f"CPU of the database's process: ingest {live.ingest.computed:.1f} s, refreshes "
                f"{live.refresh.computed:.1f} s, {live.refresh.computed / live.ingest.computed:.0%} of it."
            )
    if loaded := results.loaded:
        yield (
            f"At once, {loaded.readings:,} readings: INSERT {loaded.ingest:.0f} s, backfill {loaded.backfill:.0f} s "
            f"({loaded.readings / loaded.backfill:,.0f} readings a second), "
            f"compression, VACUUM and ANALYZE {loaded.upkeep:.0f} s."
        )
    late = results.late
    yield (
        f"A day of {late.readings:,} readings uploaded late: write {late.write:.0f} ms; "
        f"its summary {late.before:.1f} ms before, {late.stale:.1f} ms while stale; "
        f"refresh {late.refresh:.0f} ms; then {late.after:.1f} ms."
    )
