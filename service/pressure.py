"""How hard those press who send readings: how many writes are under way at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Pressure:
    """Counts writes that are under way."""

    def __init__(self) -> None:
        self.under_way = 0
        self.at = time.monotonic()
        self.seconds = 0.0

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
