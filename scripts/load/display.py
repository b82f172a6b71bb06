"""The progress display: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from scripts.load.state import OUTCOMES, FileState

CALM = 5.0
"""Seconds between two lines if there is no terminal."""


class Display:
    """Shows the progress of an import, by the bytes of its files."""

    def __init__(self, console: Console, total: int, *, shown: bool) -> None:
        self.console = console
        self.shown = shown
        self.readings = 0
        """Readings of this run."""
        self.began = self.reported = time.monotonic()
        self.bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            DownloadColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[trouble]}", style="yellow", markup=False),
            console=console,
            transient=True,
            disable=not (shown and console.is_terminal),
        )
        self.task = self.bar.add_task("", total=total, rate="", trouble="")

    @property
    def seconds(self) -> float:
        """Return the duration of this run so far."""
        return max(time.monotonic() - self.began, 1e-6)

    def say(self, words: str) -> None:
        """Print one line."""
        self.console.print(words, markup=False, highlight=False, soft_wrap=True)

    def advance(self, path: Path, done: int, readings: int) -> None:
        """Show that a chunk was acknowledged, up to `done` bytes of all files."""
        self.readings += readings
        rate = f"{self.readings / self.seconds:,.0f}/s"
        self.bar.update(self.task, description=path.name, completed=done, rate=rate, trouble="")
        if self.shown and not self.console.is_terminal and time.monotonic() - self.reported > CALM:
            self.reported = time.monotonic()
            share = done / max(self.bar.tasks[0].total or 0, 1)
            self.say(f"{path.name}: {share:.0%} of all files, {self.readings:,} readings, {rate}")

    def trouble(self, kind: str) -> None:
        """Show that a request is repeated."""
        if self.console.is_terminal:
            self.bar.update(self.task, trouble=f"{kind}, trying again")
        elif self.shown and time.monotonic() - self.reported > CALM:
            self.reported = time.monotonic()
            self.say(f"{kind}, trying again")


def summed(files: list[FileState]) -> str:
    """Return the outcome of the readings of all files as text."""
    outcomes = ", ".join(f"{sum(getattr(file, name) for file in files):,} {name}" for name in OUTCOMES)
    readings = sum(file.readings for file in files)
    return f"{counted(len(files), 'file')}, {counted(readings, 'reading')}: {outcomes}."


def counted(count: int, word: str) -> str:
    """Return a count with its noun."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"
