"""A cache of the latest values of a tenant's users, so that a change by this process needs no query.

A new reading changes the latest value of a metric only where it is later, so the values before a reading give those
after it. After any other change a user's entry is invalidated, and loaded again: the database decides which of two
devices counts at the same moment, and when the time of a reading ahead of now has come.
"""

from __future__ import annotations

import random
import time
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from service.model.latest import NOTHING, Latest, Value
from service.model.pg_time import UNIX_EPOCH
from service.model.reading import Row, moment_of

MAX_AGE = 600.0  # seconds, after which an entry shows what retention has dropped meanwhile


class Undecided(Exception):
    """Two devices measured at the same moment, or a reading lies ahead of now: the database decides."""


def later_value(known: Value | None, value: float | None, row: Row) -> Value | None:
    """Return the later one of a known value and a row's; Undecided where they are of the same moment."""
    if value is None or (known is not None and row.timestamp < known.at):
        return known
    if known is not None and row.timestamp == known.at:
        if (known.value, known.device_id) == (value, row.device_id):
            return known
        raise Undecided
    return Value(value, row.timestamp, row.device_id)


def after_row(known: Latest, row: Row) -> Latest:
    """Return the latest values after a row, which may be in the known ones already; Undecided as above."""
    return Latest(
        later_value(known.heart_rate, row.heart_rate, row),
        later_value(known.steps, row.steps, row),
        later_value(known.calories, row.calories, row),
    )


def after_rows(known: Latest, rows: Sequence[Row]) -> Latest:
    """Return the latest values after new rows; Undecided as above, and where a row lies ahead of now."""
    if rows and max(map(moment_of, rows)) > time.time_ns() // 1000 - UNIX_EPOCH:
        raise Undecided
    if len(rows) > 1 and all(None not in (row.heart_rate, row.steps, row.calories) for row in rows):
        # Only the last ones can count.
        last = max(map(moment_of, rows))
        rows = [row for row in rows if row.timestamp == last]
    for row in rows:
        known = after_row(known, row)
    return known


@dataclass(slots=True)
class Entry:
    """The latest values of a user, and when they expire, in seconds of the loop's clock."""

    latest: Latest
    expires_at: float


class LatestValueCache:
    """Latest values as of the last announcement that was applied, and the rows applied during a load, by user."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.loading: dict[str, list[Row]] = {}

    def get(self, user_id: str, now: float) -> Latest | None:
        """Return the latest values of a user; None where they must be loaded."""
        entry = self.entries.get(user_id)
        if entry is None:
            return None
        if entry.expires_at < now:
            del self.entries[user_id]
            return None
        return entry.latest

    def apply(self, user_id: str, rows: Sequence[Row]) -> None:
        """Apply new rows of a user."""
        if user_id in self.loading:
            # The database may answer with values from before these rows.
            self.loading[user_id].extend(rows)
        entry = self.entries.get(user_id)
        if entry is not None:
            try:
                entry.latest = after_rows(entry.latest, rows)
            except Undecided:
                del self.entries[user_id]

    def begin_load(self, user_ids: Iterable[str]) -> None:
        """Begin to load users, which are to be kept."""
        self.loading = {user_id: [] for user_id in user_ids}

    def finish_load(self, found: Mapping[str, Latest], now: float) -> dict[str, Latest]:
        """Return what was found, with the rows applied meanwhile, and keep what is certain."""
        loaded = dict(found)
        for user_id, rows in self.loading.items():
            self.entries.pop(user_id, None)
            try:
                latest = after_rows(found.get(user_id, NOTHING), rows)
            except Undecided:
                continue
            loaded[user_id] = latest
            if latest.ahead is None:  # otherwise it becomes the latest once its time has come
                expires_at = now + MAX_AGE * random.uniform(0.5, 1)  # noqa: S311
                self.entries[user_id] = Entry(latest, expires_at)
        self.loading = {}
        return loaded

    def evict(self, most: int) -> None:
        """Keep so many users, those loaded last."""
        for user_id in list(islice(self.entries, max(0, len(self.entries) - most))):
            del self.entries[user_id]

    def invalidate(self, user_id: str) -> None:
        """Drop the entry of a user, and do not keep the one that is being loaded."""
        self.entries.pop(user_id, None)
        self.loading.pop(user_id, None)

    def retain(self, user_ids: Container[str]) -> None:
        """Invalidate all users but these."""
        self.entries = {user_id: entry for user_id, entry in self.entries.items() if user_id in user_ids}
        self.loading = {user_id: rows for user_id, rows in self.loading.items() if user_id in user_ids}

    def clear(self) -> None:
        """Invalidate all users."""
        self.entries.clear()
        self.loading.clear()
