"""Readings that this process wrote, kept until the database announces them.

Announcements come in the order of the commits. So what a batch holds is taken in when its own announcement comes, which
carries a mark, rather than when its writer hears of the commit: somebody else may have changed it by then.

Whose readings a batch changed is announced beside the mark only while clients listen to another process, which says so
every other second. Who gets a mark alone that is not its own, says so at once, and sends its clients the state.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Sequence
from itertools import count

from service.pressure import Pressure
from service.readings import Row

HELLO_SECONDS = 2.0  # between two times that a process with clients says so
HEARD_SECONDS = 5.0  # that it is believed
MOST_KEPT = 50_000  # readings; of what is no longer here, the database is asked


class Written:
    """Batches by their marks. Those that were undone are never announced, and make way for others."""

    def __init__(self) -> None:
        self.pressure = Pressure()
        self.process = secrets.token_hex(6)
        self.numbers = count(1)
        self.batches: dict[str, Sequence[Row]] = {}
        self.kept = 0
        self.is_wanted = False
        self.others_until = math.inf

    @property
    def others_listen(self) -> bool:
        """Whether clients may listen to another process."""
        return time.monotonic() < self.others_until

    def hear(self, process: str) -> None:
        """Hear that clients listen to a process."""
        if process != self.process:
            self.others_until = time.monotonic() + HEARD_SECONDS

    def begin(self) -> None:
        """Hear from now on who listens; who did before is not known."""
        self.others_until = time.monotonic() + HEARD_SECONDS

    def interrupt(self) -> None:
        """Hear nothing any more."""
        self.others_until = math.inf

    def mark(self, rows: Sequence[Row]) -> str:
        """Return the mark that the announcement of new readings is to carry."""
        mark = f"{self.process}-{next(self.numbers)}"
        if not self.is_wanted:
            return mark
        self.batches[mark] = rows
        self.kept += len(rows)
        while self.kept > MOST_KEPT:
            self.take(next(iter(self.batches)))
        return mark

    def take(self, mark: str) -> Sequence[Row] | None:
        """Return the readings of a mark, once."""
        rows = self.batches.pop(mark, None)
        self.kept -= len(rows or ())
        return rows

    def want(self, wanted: bool) -> None:
        """Keep batches from now on, or no longer."""
        self.is_wanted = wanted
        if not wanted:
            self.batches.clear()
            self.kept = 0
