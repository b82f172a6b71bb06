"""New readings of users, put together as they come, until their users are looked at.

This is done for every reading that somebody listens to, so it is quick where readings come in order, and keeps no more
of them than may be the latest.
"""

from __future__ import annotations

from collections.abc import Iterable

from service.live.notifications import Change
from service.model.reading import Row

MOST_ASIDE = 8  # readings of a user


class Fresh:
    """New readings of a user: how many, their first and last moment, and those that may be the latest of a metric."""

    __slots__ = ("aside", "calories", "count", "first", "heart_rate", "last", "steps")

    def __init__(self, row: Row) -> None:
        self.count = 1
        self.first = self.last = row.timestamp
        self.heart_rate = self.steps = self.calories = row
        self.aside: list[Row] = []

    @property
    def change(self) -> Change:
        """What they change."""
        return Change(self.count, self.first, self.last)

    @property
    def rows(self) -> list[Row]:
        """Those that may be the latest."""
        rows = [self.heart_rate]
        if self.steps is not self.heart_rate:
            rows.append(self.steps)
        if self.calories is not self.heart_rate and self.calories is not self.steps:
            rows.append(self.calories)
        return rows + self.aside

    def set_aside(self, row: Row) -> bool:
        """Take a reading that is not later than all before it; return whether there is room for another."""
        self.first = min(self.first, row.timestamp)
        self.aside.append(row)
        return len(self.aside) < MOST_ASIDE


def collect(fresh: dict[str, Fresh], rows: Iterable[Row]) -> list[str]:
    """Add new readings to those of their users; return the users that are to be looked at before more are added."""
    full = []
    for row in rows:
        of_it = fresh.get(row.user_id)
        if of_it is None:
            fresh[row.user_id] = Fresh(row)
            continue
        of_it.count += 1
        at = row.timestamp
        if at > of_it.last:
            of_it.last = at
            if row.heart_rate is not None:
                of_it.heart_rate = row
            if row.steps is not None:
                of_it.steps = row
            if row.calories is not None:
                of_it.calories = row
        elif not of_it.set_aside(row):
            full.append(row.user_id)
    return full
