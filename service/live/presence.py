"""Presence: processes with subscribers announce themselves every other second, so that writers name users for them.

Without any, a commit announces its origin alone, which costs the writer next to nothing. A process with subscribers
that receives the origin of another process alone announces itself at once, and sends its clients a snapshot.
"""

from __future__ import annotations

import math
import time

from service.database.pool import Pool, fetch_all

ANNOUNCE_SECONDS = 2.0  # between two announcements
EXPIRY_SECONDS = 5.0  # after an announcement


class Presence:
    """Whether other processes have subscribers, and whether this one is to announce its own."""

    def __init__(self, process: str) -> None:
        self.process = process
        self.is_due = False
        self.others_until = math.inf

    @property
    def of_others(self) -> bool:
        """Whether other processes may have subscribers."""
        return time.monotonic() < self.others_until

    def connected(self) -> None:
        """Assume that others have subscribers until their announcements would have arrived."""
        self.others_until = time.monotonic() + EXPIRY_SECONDS

    def disconnected(self) -> None:
        """Assume that others have subscribers for as long as announcements do not arrive."""
        self.others_until = math.inf

    def record(self, process: str) -> None:
        """Take note that a process has subscribers."""
        if process != self.process:
            self.others_until = time.monotonic() + EXPIRY_SECONDS

    async def announce_if_due(self, pool: Pool) -> None:
        """Announce that this process has subscribers, if that is due."""
        if self.is_due:
            self.is_due = False
            await fetch_all(pool, "say_hello", process=self.process)
