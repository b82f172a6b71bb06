"""Pending changes: what was announced, until a broadcast delivers it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from typing import Any

from service.database.pool import Pool, fetch_all
from service.ingest.observer import MatchedRows
from service.live.coalescing import PendingReadings, coalesce
from service.live.latest_cache import LatestValueCache
from service.live.load_shedding import LoadShedding
from service.live.notifications import Change, unpack_changes
from service.live.subscriptions import Subscriptions
from service.model.latest import Latest
from service.model.reading import DEFAULT_TENANT, Row

MAX_NAMES = 10_000  # users; to pass more names to the query would take longer than to name all users that changed


class PendingChanges:
    """Changes by user: those of this process, whose readings are known, and those of others, known by key only."""

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
        self.by_key: dict[int, Change] = {}
        self.by_user: dict[str, Change] = {}
        self.readings: dict[str, PendingReadings] = {}

    @property
    def has_named(self) -> bool:
        """Whether there are changes of users whose names are known."""
        return bool(self.by_user or self.readings)

    @property
    def includes_everyone(self) -> bool:
        """Whether the changes of all users are delivered, rather than of those whom clients name."""
        return bool(self.subscriptions.to_everyone) and not self.shedding.is_skipping

    def clear(self) -> None:
        """Drop all changes."""
        self.by_key.clear()
        self.by_user.clear()
        self.readings.clear()

    # Announcements ------------------------------------------------------------------------------------------

    def add_packed(self, packed: str) -> None:
        """Add the changes of a notification, which may be Unreadable."""
        unpack_changes(packed, self.by_key)
        self.wake.set()

    def add_batch(self, batch: Iterable[MatchedRows]) -> None:
        """Add a batch that this process wrote."""
        self.update_mode()
        for matched in batch:
            self.add_rows(matched)

    def add_rows(self, matched: MatchedRows) -> None:
        """Add the rows of one request."""
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

    async def name_users(self, pool: Pool) -> None:
        """Name the users of changes by key, as far as they have subscribers; their latest values must be loaded."""
        by_key, self.by_key = self.by_key, {}
        named = self.subscriptions.to_user
        includes_everyone = self.includes_everyone
        for row in await self.query_names(pool, by_key) if by_key else ():
            user_id = row["user_id"]
            if user_id in named or (includes_everyone and self.subscriptions.to_everyone):
                self.apply(user_id)
                self.latest_cache.invalidate(user_id)
                self.merge(user_id, by_key.pop(row["user_key"]))
        if self.subscriptions.to_everyone and not includes_everyone:
            self.skip(sum(change.count for change in by_key.values()))

    async def query_names(self, pool: Pool, user_keys: Iterable[int]) -> list[dict[str, Any]]:
        """Query the names of the users with these keys that have subscribers, or of all."""
        named = self.subscriptions.to_user
        wanted = None if self.includes_everyone or len(named) > MAX_NAMES else list(named)
        if wanted == []:
            return []
        parameters = {"tenant_id": DEFAULT_TENANT, "user_keys": list(user_keys), "user_ids": wanted}
        return await fetch_all(pool, "names_of_touched", **parameters)

    def take(self, limit: int) -> dict[str, tuple[Change, Latest | None]]:
        """Take the changes of at most `limit` users, each with the latest values if they are known."""
        users = dict.fromkeys(islice(chain(self.by_user, self.readings), limit))
        for user_id in users:
            self.apply(user_id)
        now = asyncio.get_running_loop().time()
        return {user_id: (self.by_user.pop(user_id), self.latest_cache.get(user_id, now)) for user_id in users}
