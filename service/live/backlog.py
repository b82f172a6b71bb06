"""The backlog of a slow client: bytes that it has not taken."""

from __future__ import annotations

from dataclasses import dataclass

LONGEST = 6  # times the patience: longer, and a client that takes a little now and then is too slow as well


@dataclass(slots=True)
class Backlog:
    """Its size, since when there is one, and when it last became smaller."""

    size: int
    since: float
    progress_at: float

    def update(self, size: int, now: float) -> None:
        """Record the size it has now."""
        if size < self.size:
            self.progress_at = now
        self.size = size

    def is_overdue(self, now: float, patience: float) -> bool:
        """Return whether the client has taken nothing for too long, or too little."""
        return now - self.progress_at > patience or now - self.since > LONGEST * patience
