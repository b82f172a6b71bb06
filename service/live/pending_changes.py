"""Pending changes of a tenant: what was announced, until a broadcast delivers it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import chain, islice

from service.ingest.observer import MatchedRows
from service.live.coalescing import PendingReadings, coalesce
from service.live.latest_cache import LatestValueCache
from service.live.load_shedding import LoadShedding
from service.live.notifications import Change
from service.live.subscriptions import Subscriptions
from service.model.latest import Latest
from service.model.reading import Row


class PendingChanges:
    """Changes by user: of this process, whose readings are known, and of others, where latest values must be loaded."""

    def __init__(
        self,
        subscriptions: Subscriptions,
        latest_cache: LatestValueCache,
        shedding: LoadShedding,
        wake: asyncio.Event,
    ) -> None:
        """`wake` is set when there is something to broadcast."""
        self.subscriptions = subscriptions
        self.latest_cache = latest_cache
        self.shedding = shedding
        self.wake = wake
        self.by_user: dict[str, Change] = {}
        self.readings: dict[str, PendingReadings] = {}

    @property
    def has_named(self) -> bool:
        """Whether there are changes of users whose names are known."""
        return bool(self.by_user or self.readings)

    @property
    def most(self) -> int:
        """How many users have changes, at most."""
        return len(self.by_user) + len(self.readings)

    @property
    def includes_everyone(self) -> bool:
        """Whether the changes of all users are delivered, rather than of those whom clients name."""
        return bool(self.subscriptions.to_everyone) and not self.shedding.is_skipping

    def clear(self) -> None:
        """Drop all changes."""
        self.by_user.clear()
        self.readings.clear()

    # Announcements ------------------------------------------------------------------------------------------

    def add_rows(self, matched: MatchedRows) -> None:
        """Add the rows of one request, which this process wrote."""
        rows: Sequence[Row]
        if self.includes_everyone:
            rows = matched.rows
        else:
            rows = self.subscriptions.matched_now(matched)
            if self.shedding.is_skipping:
                self.skip(len(matched.rows) - len(rows))
        for user_id in coalesce(self.readings, rows):
            self.apply(user_id)
        if rows:
            self.wake.set()

    def add_unread(self, user_id: str, change: Change) -> None:
        """Add a change of a user of which the readings are not known; the latest values must be loaded."""
        self.apply(user_id)
        self.latest_cache.invalidate(user_id)
        self.merge(user_id, change)

    def apply(self, user_id: str) -> None:
        """Apply the pending readings of a user, if there are any: to its changes, and to the latest values known."""
        readings = self.readings.pop(user_id, None)
        if readings is not None:
            self.merge(user_id, readings.change)
            self.latest_cache.apply(user_id, readings.candidates)

    def merge(self, user_id: str, change: Change) -> None:
        """Add to the changes of a user."""
        if user_id in self.by_user:
            self.by_user[user_id].merge(change)
        else:
            self.by_user[user_id] = change

    # Load shedding ------------------------------------------------------------------------------------------

    def update_mode(self) -> None:
        """Begin or end to skip readings, as the write load demands."""
        if self.shedding.update(bool(self.subscriptions.to_everyone)):
            named = self.subscriptions.to_user
            self.latest_cache.retain(named)
            self.skip(sum(each.count for user_id, each in self.readings.items() if user_id not in named))
            self.readings = {user_id: each for user_id, each in self.readings.items() if user_id in named}

    def skip(self, count: int) -> None:
        """Count readings that a snapshot will replace."""
        self.shedding.skipped += count
        if count:
            self.wake.set()

    # Broadcasts ---------------------------------------------------------------------------------------------

    def take(self, limit: int) -> dict[str, tuple[Change, Latest | None]]:
        """Take the changes of at most `limit` users, each with the latest values if they are known."""
        users = dict.fromkeys(islice(chain(self.by_user, self.readings), limit))
        for user_id in users:
            self.apply(user_id)
        now = asyncio.get_running_loop().time()
        return {user_id: (self.by_user.pop(user_id), self.latest_cache.get(user_id, now)) for user_id in users}
