"""How hard those press who send readings: how many writes are under way at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

HIGH = 1.1  # writes under way, on average: more than there are where one follows another
WINDOW = 0.5  # seconds


class Pressure:
    """Counts writes that are under way."""

    def __init__(self) -> None:
        self.under_way = 0
        self.at = self.window_at = time.monotonic()
        self.seconds = self.window_seconds = 0.0
        self.was_high = False

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Count a write for as long as the block lasts."""
        self.spent()
        self.under_way += 1
        try:
            yield
        finally:
            self.spent()
            self.under_way -= 1

    def spent(self) -> float:
        """Return the seconds of all writes so far: two in each second in which two are under way."""
        now = time.monotonic()
        self.seconds += self.under_way * (now - self.at)
        self.at = now
        return self.seconds

    def is_high(self) -> bool:
        """Tell whether writes press, of the last window that is over; it ends when this is asked for."""
        seconds, took = self.spent(), self.at - self.window_at
        if took >= WINDOW:
            self.was_high = seconds - self.window_seconds >= HIGH * took
            self.window_at, self.window_seconds = self.at, seconds
        return self.was_high
