"""What waits to be refreshed: how many days of users are stale, and since when the oldest of them is."""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path
from typing import NamedTuple, Protocol

from scripts.bench.database import Connection

STALE = Path(__file__).with_name("stale.sql").read_bytes()


class Waiting(NamedTuple):
    """What is stale at a moment."""

    days: int
    """Days of users."""
    age: float
    """Seconds since the oldest of their marks was made, at most."""


class Backlog(Protocol):
    """Knows what waits."""

    def look(self) -> Waiting:
        """Look."""


class Marks:
    """The marks of stale days, whose versions only grow: how old one is follows from what was seen before it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.seen: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])
        """Moments of the monotonic clock, and the newest version that was there."""

    def look(self) -> Waiting:
        """Count stale days and date the oldest mark: it was not there yet when only older ones had been seen."""
        began = time.monotonic()
        row = self.connection.execute(STALE).fetchone()
        assert row is not None
        days, oldest, newest = row
        if not days:
            self.seen = deque([(began, self.seen[-1][1])])
            return Waiting(0, 0.0)
        while len(self.seen) > 1 and self.seen[1][1] < oldest:
            self.seen.popleft()
        if newest > self.seen[-1][1]:
            self.seen.append((began, newest))
        return Waiting(days, time.monotonic() - self.seen[0][0])
