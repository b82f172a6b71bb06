"""The backlog of refreshes: the number of stale user-days and the age of the oldest."""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path
from typing import NamedTuple, Protocol

from scripts.bench.database import Connection

STALE = Path(__file__).with_name("stale.sql").read_bytes()


class Waiting(NamedTuple):
    """The backlog at a moment."""

    days: int
    """Stale user-days."""
    age: float
    """Upper bound of the age of their oldest mark, in seconds."""


class Backlog(Protocol):
    """Reports the backlog."""

    def sample(self) -> Waiting:
        """Return the backlog."""


class StaleMarks:
    """The marks of stale days, whose versions only grow: earlier samples give the age of a mark."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.versions: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])
        """Moments of the monotonic clock, and the newest version at each."""

    def sample(self) -> Waiting:
        """Return the number of stale days and the age of the oldest mark, from the last sample without it."""
        began = time.monotonic()
        row = self.connection.execute(STALE).fetchone()
        assert row is not None
        days, oldest, newest = row
        if not days:
            self.versions = deque([(began, self.versions[-1][1])])
            return Waiting(0, 0.0)
        while len(self.versions) > 1 and self.versions[1][1] < oldest:
            self.versions.popleft()
        if newest > self.versions[-1][1]:
            self.versions.append((began, newest))
        return Waiting(days, time.monotonic() - self.versions[0][0])
