"""The display: a live board on a terminal, a line now and then elsewhere, and the outcome."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from scripts.simulate.check import Difference, Outcome
from scripts.simulate.reading import instant
from scripts.simulate.tally import Tally

REFRESH, CALM = 0.25, 5.0
"""Seconds between two refreshes of the board, and between two lines if there is no terminal."""

SHOWN = 20
"""Differences that are listed; further ones are counted."""


def milliseconds(seconds: float | None) -> str:
    """Return a latency as text."""
    return "–" if seconds is None else f"{seconds * 1000:.1f} ms" if seconds < 0.1 else f"{seconds * 1000:.0f} ms"


def counted(kinds: dict[str, int]) -> str:
    """Return counts by kind, such as "3 no connection, 1 HTTP 503"."""
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "none"


class Board:
    """The state of a run, drawn while it runs."""

    def __init__(self, console: Console, tally: Tally, users: int, *, progress: bool, quiet: bool) -> None:
        self.console = console
        self.tally = tally
        self.users = users
        self.progress = progress and not quiet
        self.quiet = quiet
        self.phase = "starting"
        self.behind = 0.0
        """Seconds by which the live part is behind its pace."""
        self.in_flight = 0
        self.bar = Progress(
            TextColumn("history"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console
        )
        self.backfill: TaskID | None = None

    def say(self, words: str) -> None:
        """Print one line, unless --quiet is given."""
        if not self.quiet:
            self.complain(words)

    def complain(self, words: str) -> None:
        """Print one line."""
        self.console.print(words, markup=False, highlight=False, soft_wrap=True)

    def start_backfill(self, total: int) -> None:
        """Show the progress of the past."""
        self.phase = "sending the past"
        self.backfill = self.bar.add_task("history", total=total)

    def advance(self, readings: int) -> None:
        """Count accepted readings of the past."""
        if self.backfill is not None:
            self.bar.advance(self.backfill, readings)

    def end_backfill(self) -> None:
        """Hide the progress of the past."""
        self.backfill = None

    def draw(self) -> RenderableType:
        """Return the board for a terminal."""
        tally = self.tally
        grid = Table.grid(padding=(0, 2))
        rows = [
            ("", self._doing()),
            ("users", f"{self.users:,}"),
            ("sent", f"{tally.sent:,} readings, {self.in_flight} requests under way"),
            ("accepted", f"{tally.accepted:,} readings in {tally.requests:,} requests"),
            ("rate", f"{tally.rate_now():,.1f}/s now, {tally.mean_rate():,.1f}/s on average"),
            ("latency", f"p50 {self._latency(0.5)}, p99 {self._latency(0.99)}"),
            ("retries", counted(tally.retries)),
            ("errors", counted(tally.errors)),
        ]
        for name, value in rows:
            grid.add_row(name, value, style="bold red" if name == "errors" and tally.errors else "")
        return Group(grid, self.bar) if self.backfill is not None else grid

    def line(self) -> str:
        """Return the same as one line."""
        tally = self.tally
        done = ""
        if self.backfill is not None:
            task = self.bar.tasks[self.backfill]
            left = "" if task.time_remaining is None else f", {task.time_remaining:.0f} s left"
            done = f" {task.percentage:.0f} %{left}"
        return (
            f"{datetime.now():%H:%M:%S}  {self._doing()}{done}: sent {tally.sent:,}, accepted {tally.accepted:,}, "
            f"{tally.rate_now():,.1f}/s now, {tally.mean_rate():,.1f}/s on average, p50 {self._latency(0.5)}, "
            f"p99 {self._latency(0.99)}, retries: {counted(tally.retries)}, errors: {counted(tally.errors)}"
        )

    def _doing(self) -> str:
        return f"{self.phase}, {self.behind:.0f} s behind" if self.behind else self.phase

    def _latency(self, share: float) -> str:
        return milliseconds(self.tally.latencies.quantile(share))

    async def show(self) -> None:
        """Draw until cancelled."""
        if not self.progress:
            return
        if not self.console.is_terminal:
            while True:
                await asyncio.sleep(CALM)
                self.say(self.line())
        with self._live() as live:
            while live is not None:
                live.update(self.draw(), refresh=True)
                await asyncio.sleep(REFRESH)

    def _live(self) -> AbstractContextManager[Live | None]:
        return Live(self.draw(), console=self.console, auto_refresh=False) if self.progress else nullcontext()


def sent_words(tally: Tally, repeated: dict[str, int]) -> str:
    """Return what was sent, in one sentence."""
    parts = [f"{tally.fresh:,} new"]
    parts += [f"{count:,} {kind}s" for kind, count in repeated.items() if count]
    parts += [f"{tally.late:,} of them late"] if tally.late else []
    p50, p99 = milliseconds(tally.latencies.quantile(0.5)), milliseconds(tally.latencies.quantile(0.99))
    return (
        f"Sent {tally.sent:,} readings, {tally.accepted:,} accepted ({', '.join(parts)}), "
        f"{tally.mean_rate():,.1f}/s, p50 {p50}, p99 {p99}; retries: {counted(tally.retries)}; "
        f"errors: {counted(tally.errors)}."
    )


def differences(console: Console, found: list[Difference]) -> None:
    """Print a table of the differences."""
    table = Table(title=f"{len(found)} values differ", title_justify="left")
    for name in ("user", "range", "asked", "value", "sent", "answered", ""):
        table.add_column(name, overflow="fold")
    for item in found[:SHOWN]:
        where = f"{item.where.name}\n{instant(item.where.start)} to {instant(item.where.end)}"
        table.add_row(
            item.user, where, item.request, item.field, _value(item.sent), _value(item.answered), item.words()
        )
    console.print(table, markup=False)
    if len(found) > SHOWN:
        console.print(f"… and {len(found) - SHOWN} more.", highlight=False)


def _value(value: object) -> str:
    """Return a value as text, to the last digit."""
    return "nothing" if value is None else repr(value)


def outcome_words(outcome: Outcome, users: int, ranges: int) -> str:
    """Return the outcome of the check in one sentence."""
    asked = f"Check: {outcome.compared:,} values of {users:,} users in {ranges} ranges"
    if not outcome.differences and not outcome.unanswered:
        return f"{asked}: every answer is equal to what was sent, to the last digit."
    return f"{asked}: {len(outcome.differences)} differ, {len(outcome.unanswered)} questions got no answer."
