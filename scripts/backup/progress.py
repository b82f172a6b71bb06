"""Progress of long work on standard error: one line that changes on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time

CALM_SECONDS = 10.0
TERMINAL_SECONDS = 0.2
CLEAR = "\r\x1b[K"


class Progress:
    """Shows how far a piece of work is."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.is_terminal = sys.stderr.isatty()
        self.began = self.shown = time.monotonic()
        self.is_open = False

    @property
    def seconds(self) -> float:
        """Return the duration so far."""
        return time.monotonic() - self.began

    def show(self, how_far: str) -> None:
        """Show how far it is, unless that was shown a moment ago."""
        now = time.monotonic()
        if now - self.shown < (TERMINAL_SECONDS if self.is_terminal else CALM_SECONDS):
            return
        self.shown = now
        if self.is_terminal:
            self.is_open = True
            print(f"{CLEAR}{self.what}: {how_far}", end="", file=sys.stderr, flush=True)
        else:
            print(f"{self.what}: {how_far}", file=sys.stderr, flush=True)

    def end(self, result: str) -> None:
        """Show the result."""
        print(f"{CLEAR if self.is_open else ''}{self.what}: {result}", file=sys.stderr, flush=True)
        self.is_open = False


def size(number: float) -> str:
    """Return a number of bytes as text."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:,.0f} {unit}" if unit == "bytes" else f"{number:,.1f} {unit}"
        number /= 1000
    return f"{number:,.1f} TB"
