"""What clients are told, in rounds: what was announced since the last one becomes one message for each user.

The database is asked at most once in a round for the news, about those whose latest values the process does not know
from what it wrote itself.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain, islice
from typing import Any

from service.database.pool import Pool, fetch_all
from service.errors import Overloaded
from service.event_loop import TimeSlice
from service.ingest.observer import MatchedRows
from service.ingest.write_load import WriteLoad
from service.live.client import Client, ClientState
from service.live.coalescing import PendingReadings, coalesce
from service.live.delivery import Delivery
from service.live.latest_cache import LatestValueCache
from service.live.notifications import Change, unpack_changes
from service.live.presence import Presence
from service.live.snapshots import NamedSnapshots, for_one_query, snapshot_of_everyone
from service.live.subscriptions import Subscriptions
from service.live.updates import Update
from service.model.latest import NOTHING, Latest, latest_by_user
from service.model.reading import DEFAULT_TENANT, Row

MOST_IN_ROUND = 1_000  # users
MOST_NAMED = 10_000  # users
SHORTEST_PAUSE = 0.05  # seconds between two rounds
LONGEST_PAUSE = 0.15  # seconds: with what a round takes, still under a quarter of a second
SHARE_OF_TELLING = 1 / 10  # of a core; the rest is for those who write
PRESSED = 1.0  # writes under way, on average: from there on, what is told is taken from them
PRESSED_PAUSE = 2.0  # seconds; the longest under pressure
PRESSED_SHARE = 1 / 80
LONGEST_WITHOUT_STATE = 5.0  # seconds, under pressure, of those who listen to everyone
CALM_SECONDS = 5.0  # without pressure, after which each of their users is asked for once, which may take long
RETRY_PAUSE = 1.0  # seconds after a round that failed

log = logging.getLogger("hyperpulse")


class Rounds:
    """Collects what changed, and tells of it. Counted since the start: rounds, and users asked for to tell news."""

    def __init__(
        self,
        pool: Pool,
        presence: Presence,
        write_load: WriteLoad,
        latest_cache: LatestValueCache,
        subscriptions: Subscriptions,
        delivery: Delivery,
        wake: asyncio.Event,
    ) -> None:
        self.pool = pool
        self.write_load = write_load
        self.presence = presence
        self.latest_cache = latest_cache
        self.subscriptions = subscriptions
        self.delivery = delivery
        self.wake = wake
        self.touched: dict[int, Change] = {}
        self.changed: dict[str, Change] = {}
        self.pending: dict[str, PendingReadings] = {}
        self.is_skipping = False
        self.skipped = 0
        self.state_due = 0.0
        self.calm_at = 0.0
        self.done = 0
        self.asked = 0
        self.telling_seconds = 0.0

    def take_announcement(self, packed: str) -> None:
        """Take in what somebody else changed, or what cannot be told from a batch alone; it may be Unreadable."""
        unpack_changes(packed, self.touched)
        self.wake.set()

    def take_batch(self, batch: Iterable[MatchedRows]) -> None:
        """Take in new readings of this process."""
        self.decide()
        for matched in batch:
            self.take_rows(matched)

    def take_rows(self, matched: MatchedRows) -> None:
        """Take in readings of one request."""
        rows: Sequence[Row]
        if self.subscriptions.to_everyone and not self.is_skipping:
            rows = matched.rows
        else:
            rows = self.subscriptions.matched_now(matched)
            if self.is_skipping:
                self.skip(len(matched.rows) - len(rows))
        for user_id in coalesce(self.pending, rows):
            if user_id in self.pending:
                self.look_through(user_id)
        if rows:
            self.wake.set()

    def look_through(self, user_id: str) -> None:
        """Take the new readings of a user for what they are: a change, and what is known now."""
        pending = self.pending.pop(user_id)
        self.put_back(user_id, pending.change)
        self.latest_cache.apply(user_id, pending.candidates)

    def skip(self, count: int) -> None:
        """Do not look at so many readings of users whom nobody names: a state stands for them instead."""
        self.skipped += count
        if count:
            self.wake.set()

    def decide(self) -> None:
        """Decide whether readings are skipped: while somebody listens to everyone, and writes press, or did until now.

        So these cost those who write nothing. While they are skipped, nothing is known of users whom nobody names.
        """
        now = time.monotonic()
        if self.write_load.is_high():
            self.calm_at = now + CALM_SECONDS
        skips = bool(self.subscriptions.to_everyone) and now < self.calm_at
        if not self.subscriptions.to_everyone:
            self.skipped = 0
        if skips and not self.is_skipping:
            named = self.subscriptions.to_user
            self.latest_cache.retain(named)
            self.skip(sum(each.count for user_id, each in self.pending.items() if user_id not in named))
            self.pending = {user_id: each for user_id, each in self.pending.items() if user_id in named}
        self.is_skipping = skips

    def refresh(self) -> None:
        """Have the state sent to everybody."""
        self.presence.is_due = True
        self.skipped, self.state_due = 0, 0.0
        self.touched.clear()
        self.changed.clear()
        self.pending.clear()
        self.latest_cache.clear()
        for client in self.subscriptions.clients:
            client.miss_updates()
        self.wake.set()

    async def run(self, listening: asyncio.Event) -> None:
        """Tell clients what was collected, round after round, while the database is listened to."""
        while True:
            await self.wake.wait()
            await listening.wait()
            self.wake.clear()
            began, self.telling_seconds = time.monotonic(), 0.0
            writing = self.write_load.write_seconds()
            try:
                await self.round()
            except Exception as error:
                log.warning("a round of live updates failed: %s", error, exc_info=not isinstance(error, Overloaded))
                self.refresh()
                await asyncio.sleep(RETRY_PAUSE)
            await self.rest(began, writing)

    async def rest(self, began: float, writing: float) -> None:
        """Wait until it is time for the next round; `writing` are the seconds of writes until this one began."""
        ended = time.monotonic()
        while True:
            await asyncio.sleep(SHORTEST_PAUSE)
            now = time.monotonic()
            writes = (self.write_load.write_seconds() - writing) / (now - began)
            if now - ended >= pause(ended - began, self.telling_seconds, writes):
                return

    async def round(self) -> None:
        """Send states to those who need them, and news of the users that changed."""
        if not self.subscriptions.clients:
            self.touched.clear()
            self.changed.clear()
            self.pending.clear()
            self.skipped = 0
            return
        self.done += 1
        # Before any state is asked for: what others announce after it is readable, or noticed.
        await self.presence.announce_if_due(self.pool)
        self.decide()
        await self.tell_of_skipped()
        stale = [
            client
            for client in self.subscriptions.clients
            if client.needs_snapshot and client not in self.delivery.slow
        ]
        # Who was told of everyone before waits for the state that stands for what is skipped.
        stale = [client for client in stale if client.user_ids is not None or client.state is ClientState.NEW]
        if stale:
            await self.send_states(stale)
        if self.touched:
            await self.name_touched()
        if self.changed or self.pending:
            time_slice = TimeSlice()
            known = self.take_changes()
            # Of the processor, since time passes for other reasons too.
            self.telling_seconds = time_slice.cpu_seconds
            news = await self.news(known)
            time_slice = TimeSlice()
            await self.delivery.deliver(news, time_slice)
            self.telling_seconds += time_slice.cpu_seconds
        if self.touched or self.changed or self.pending or self.skipped or self.waiting_for_state():
            self.wake.set()

    def waiting_for_state(self) -> list[Client]:
        """Return those who were told of everyone before, and need the state, and can take it."""
        return [
            client
            for client in self.subscriptions.to_everyone
            if not client.state is ClientState.NEW
            and client not in self.delivery.slow
            and (client.needs_snapshot or self.skipped)
        ]

    async def tell_of_skipped(self) -> None:
        """Send the state to those who wait for it; seldom while readings are skipped, for it takes long."""
        began = time.monotonic()
        if began < self.state_due:
            return
        clients = self.waiting_for_state()
        skipped, self.skipped = self.skipped, 0
        if skipped:
            for client in self.subscriptions.to_everyone:
                client.miss_updates()
        if clients:
            await self.send_state_of_everyone(clients, skipped or None)
        # Whoever became stale meanwhile missed something else, and does not wait.
        if clients and self.is_skipping and not any(client.needs_snapshot for client in clients):
            ended = time.monotonic()
            self.state_due = ended + min(LONGEST_WITHOUT_STATE, max(PRESSED_PAUSE, (ended - began) / PRESSED_SHARE))

    async def send_state_of_everyone(self, clients: Sequence[Client], skipped: int | None = None) -> None:
        """Send the state to clients that listen to everyone."""
        for client in clients:
            client.begin_snapshot()
        state = await snapshot_of_everyone(self.pool, skipped)
        await self.delivery.send_all((client, state) for client in clients)

    async def send_states(self, stale: list[Client]) -> None:
        """Send states: one question for those who listen to everyone, another for all the others."""
        everyone = [client for client in stale if client.user_ids is None]
        named = for_one_query([client for client in stale if client.user_ids is not None])
        for client in named:
            client.begin_snapshot()
        if len(everyone) + len(named) < len(stale):
            self.wake.set()
        if everyone:
            await self.send_state_of_everyone(everyone)
        if named:
            wanted = {user_id for client in named for user_id in client.user_ids or ()}
            states = NamedSnapshots(wanted, await self.ask(wanted))
            await self.delivery.send_all((client, states.message_for(client)) for client in named)

    async def name_touched(self) -> None:
        """Look up who was touched; of those to whom somebody listens, nothing is known any longer."""
        touched, self.touched = self.touched, {}
        named = self.subscriptions.to_user
        needs_all = bool(self.subscriptions.to_everyone) and not self.is_skipping
        # So many that to name them would take longer than to look at who was touched.
        wanted = None if needs_all or len(named) > MOST_NAMED else list(named)
        rows: list[dict[str, Any]] = []
        if wanted != []:
            rows = await fetch_all(
                self.pool, "names_of_touched", tenant_id=DEFAULT_TENANT, user_keys=list(touched), user_ids=wanted
            )
        for row in rows:
            user_id = row["user_id"]
            if user_id in named or (needs_all and self.subscriptions.to_everyone):
                if user_id in self.pending:
                    self.look_through(user_id)
                self.latest_cache.invalidate(user_id)
                self.put_back(user_id, touched.pop(row["user_key"]))
        if self.subscriptions.to_everyone and not needs_all:
            self.skip(sum(change.count for change in touched.values()))

    def put_back(self, user_id: str, change: Change) -> None:
        """Add to the changes of a user."""
        if user_id in self.changed:
            self.changed[user_id].merge(change)
        else:
            self.changed[user_id] = change

    def take_changes(self) -> dict[str, tuple[Change, Latest | None]]:
        """Take the changes of as many users as fit in a round, with what is known of them; the others wait."""
        users = dict.fromkeys(islice(chain(self.changed, self.pending), MOST_IN_ROUND))
        for user_id in users:
            if user_id in self.pending:
                self.look_through(user_id)
        now = asyncio.get_running_loop().time()
        return {user_id: (self.changed.pop(user_id), self.latest_cache.get(user_id, now)) for user_id in users}

    async def news(self, taken: Mapping[str, tuple[Change, Latest | None]]) -> list[Update]:
        """Return the news of users that changed; ask for what is not known of them."""
        unknown = [user_id for user_id, (_, latest) in taken.items() if latest is None]
        found: dict[str, Latest] = {}
        if unknown:
            self.asked += len(unknown)
            found = await self.ask(unknown)
        return [
            Update(user_id, change, found.get(user_id, NOTHING) if latest is None else latest)
            for user_id, (change, latest) in taken.items()
        ]

    async def ask(self, user_ids: Collection[str]) -> dict[str, Latest]:
        """Ask the database for the latest values of users; the answer holds what they are known to have written."""
        for user_id in user_ids:
            if user_id in self.pending:
                self.look_through(user_id)
        # Whoever nobody listens to any longer is told of once more, and not kept: nobody would keep it true.
        keeps_all = bool(self.subscriptions.to_everyone) and not self.is_skipping
        self.latest_cache.begin_load(
            [user_id for user_id in user_ids if keeps_all or user_id in self.subscriptions.to_user]
        )
        rows = await fetch_all(self.pool, "latest_of_named", tenant_id=DEFAULT_TENANT, user_ids=list(user_ids))
        return self.latest_cache.finish_load(latest_by_user(rows), asyncio.get_running_loop().time())


def pause(took: float, telling: float, writes: float) -> float:
    """Return how long to wait after a round that took so long, and of the processor so much to tell; all in seconds.

    The longer a round takes, the more the next one is worth: what changes meanwhile is told of together. `writes` is
    how many were under way on average; where they press, telling takes a smaller share.
    """
    share, longest = (PRESSED_SHARE, PRESSED_PAUSE) if writes >= PRESSED else (SHARE_OF_TELLING, LONGEST_PAUSE)
    return max(SHORTEST_PAUSE, min(longest, max(took / 2, telling / share)))
