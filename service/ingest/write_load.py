"""The write load: how many writes are in flight at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

HIGH = 1.1  # writes in flight, on average: more than there are where one follows another
WINDOW = 0.5  # seconds


class WriteLoad:
    """Counts the writes that are in flight."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.at = self.window_at = time.monotonic()
        self.seconds = self.window_seconds = 0.0
        self.was_high = False

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Count a write for as long as the block lasts."""
        self.write_seconds()
        self.in_flight += 1
        try:
            yield
        finally:
            self.write_seconds()
            self.in_flight -= 1

    def write_seconds(self) -> float:
        """Return the seconds of all writes so far: two in each second in which two are in flight."""
        now = time.monotonic()
        self.seconds += self.in_flight * (now - self.at)
        self.at = now
        return self.seconds

    def is_high(self) -> bool:
        """Return whether the load of the last complete window was high; a window ends at the first call after it."""
        seconds, took = self.write_seconds(), self.at - self.window_at
        if took >= WINDOW:
            self.was_high = seconds - self.window_seconds >= HIGH * took
            self.window_at, self.window_seconds = self.at, seconds
        return self.was_high
