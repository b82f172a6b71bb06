"""The latest values of users, kept so that a change that this process wrote itself need not be asked for.

A new reading changes the latest value of a metric only where it is later than it, so what is known before a reading is
known after it. Whatever else may have happened to a user's readings, the user is forgotten and asked for again: which
of two devices counts at the same moment is the database's to say, and when the time of a reading ahead of now has come.
"""

from __future__ import annotations

import random
import time
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from service.model.latest import NOTHING, Latest, Value
from service.model.pg_time import UNIX_EPOCH
from service.model.reading import Row, moment_of

MOST_KNOWN = 50_000  # users: some 30 MB
LONGEST_KNOWN = 600.0  # seconds, after which it shows what retention has dropped meanwhile


class Undecided(Exception):
    """Two devices measured at the same moment, or a reading lies ahead of now."""


def later(known: Value | None, value: float | None, row: Row) -> Value | None:
    """Return the later one of a known value and a new one; Undecided where they are of one moment."""
    if value is None or (known is not None and row.timestamp < known.at):
        return known
    if known is not None and row.timestamp == known.at:
        if (known.value, known.device_id) == (value, row.device_id):
            return known
        raise Undecided
    return Value(value, row.timestamp, row.device_id)


def after(known: Latest, row: Row) -> Latest:
    """Return what is latest after a reading that is new, or already in what is known; Undecided where it is not."""
    return Latest(
        later(known.heart_rate, row.heart_rate, row),
        later(known.steps, row.steps, row),
        later(known.calories, row.calories, row),
    )


def after_all(known: Latest, rows: Sequence[Row]) -> Latest:
    """Return what is latest after new readings; Undecided as above, and where one of them is not to be seen yet."""
    if rows and max(map(moment_of, rows)) > time.time_ns() // 1000 - UNIX_EPOCH:
        raise Undecided
    if len(rows) > 1 and all(None not in (row.heart_rate, row.steps, row.calories) for row in rows):
        # Only the last ones can count.
        last = max(map(moment_of, rows))
        rows = [row for row in rows if row.timestamp == last]
    for row in rows:
        known = after(known, row)
    return known


@dataclass(slots=True)
class Known:
    """What is known of a user, and until when, in seconds of the loop's clock."""

    latest: Latest
    until: float


class Book:
    """What is known, as of the last announcement that was taken in; and which users are being asked for."""

    def __init__(self) -> None:
        self.known: dict[str, Known] = {}
        self.asked: dict[str, list[Row]] = {}

    def look_up(self, user_id: str, now: float) -> Latest | None:
        """Return what is known of a user; None where it must be asked for."""
        found = self.known.get(user_id)
        if found is None:
            return None
        if found.until < now:
            del self.known[user_id]
            return None
        return found.latest

    def take(self, user_id: str, rows: Sequence[Row]) -> None:
        """Take in new readings of a user."""
        if user_id in self.asked:
            # The answer may be of before them.
            self.asked[user_id].extend(rows)
        found = self.known.get(user_id)
        if found is not None:
            try:
                found.latest = after_all(found.latest, rows)
            except Undecided:
                del self.known[user_id]

    def ask(self, user_ids: Iterable[str]) -> None:
        """Hear that users are being asked for."""
        self.asked = {user_id: [] for user_id in user_ids}

    def answer(self, found: Mapping[str, Latest], now: float) -> dict[str, Latest]:
        """Hear the answer, and return it with what was taken in meanwhile; keep what is certain."""
        answered = dict(found)
        for user_id, rows in self.asked.items():
            self.known.pop(user_id, None)
            latest = found.get(user_id, NOTHING)
            try:
                latest = after_all(latest, rows)
            except Undecided:
                continue
            answered[user_id] = latest
            if latest.ahead is not None:
                continue  # it will be the latest once its time has come
            self.known[user_id] = Known(latest, now + LONGEST_KNOWN * random.uniform(0.5, 1))  # noqa: S311
        self.asked = {}
        while len(self.known) > MOST_KNOWN:
            del self.known[next(iter(self.known))]
        return answered

    def forget(self, user_id: str) -> None:
        """Forget a user, and do not keep what is being asked."""
        self.known.pop(user_id, None)
        self.asked.pop(user_id, None)

    def keep_only(self, user_ids: Container[str]) -> None:
        """Forget all others."""
        self.known = {user_id: known for user_id, known in self.known.items() if user_id in user_ids}
        self.asked = {user_id: rows for user_id, rows in self.asked.items() if user_id in user_ids}

    def forget_all(self) -> None:
        """Forget everyone."""
        self.known.clear()
        self.asked.clear()
