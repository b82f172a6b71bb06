"""Coalescing: new readings that wait to be applied, as one value for each user.

This runs for every reading of a subscribed user, so it is fast where readings come in order, and keeps only readings
that may be the latest.
"""

from __future__ import annotations

from collections.abc import Iterable

from service.live.notifications import Change
from service.model.reading import Row

MAX_OUT_OF_ORDER = 8  # readings of a user


class PendingReadings:
    """New readings of a user: how many, their first and last moment, and those that may be the latest of a metric."""

    __slots__ = ("calories", "count", "first", "heart_rate", "last", "out_of_order", "steps")

    def __init__(self, row: Row) -> None:
        self.count = 1
        self.first = self.last = row.timestamp
        self.heart_rate = self.steps = self.calories = row
        self.out_of_order: list[Row] = []

    @property
    def change(self) -> Change:
        """The change that the readings make."""
        return Change(self.count, self.first, self.last)

    @property
    def candidates(self) -> list[Row]:
        """The readings that may be the latest."""
        rows = [self.heart_rate]
        if self.steps is not self.heart_rate:
            rows.append(self.steps)
        if self.calories is not self.heart_rate and self.calories is not self.steps:
            rows.append(self.calories)
        return rows + self.out_of_order

    def add_out_of_order(self, row: Row) -> bool:
        """Add a reading that is not later than all before it; return whether there is room for another."""
        self.first = min(self.first, row.timestamp)
        self.out_of_order.append(row)
        return len(self.out_of_order) < MAX_OUT_OF_ORDER


def coalesce(pending: dict[str, PendingReadings], rows: Iterable[Row]) -> list[str]:
    """Add new readings to those of their users; return the users whose readings are to be applied before any others."""
    full = []
    for row in rows:
        of_user = pending.get(row.user_id)
        if of_user is None:
            pending[row.user_id] = PendingReadings(row)
            continue
        of_user.count += 1
        at = row.timestamp
        if at > of_user.last:
            of_user.last = at
            if row.heart_rate is not None:
                of_user.heart_rate = row
            if row.steps is not None:
                of_user.steps = row
            if row.calories is not None:
                of_user.calories = row
        elif not of_user.add_out_of_order(row):
            full.append(row.user_id)
    return full
