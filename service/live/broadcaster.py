"""Broadcasts: at intervals, clients get snapshots and updates of what was announced since the last one.

A broadcast has one update for each user, and queries the database at most once for updates: for users whose latest
values are not known from what this process wrote itself.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Iterable, Mapping, Sequence

from service.database.pool import Pool, fetch_all
from service.errors import Overloaded
from service.event_loop import TimeSlice
from service.live.client import Client, ClientState
from service.live.delivery import Delivery
from service.live.latest_cache import LatestValueCache
from service.live.load_shedding import LoadShedding
from service.live.notifications import Change
from service.live.own_commits import OwnCommits
from service.live.pacing import Pacer
from service.live.pending_changes import PendingChanges
from service.live.snapshots import NamedSnapshots, for_one_query, snapshot_of_everyone
from service.live.subscriptions import Subscriptions
from service.live.updates import Update
from service.model.latest import NOTHING, Latest, latest_by_user
from service.model.reading import DEFAULT_TENANT

MAX_USERS = 1_000  # in one broadcast; the others wait for the next
RETRY_PAUSE = 1.0  # seconds after a broadcast that failed

log = logging.getLogger("hyperpulse")


class Broadcaster:
    """Sends snapshots and updates. Counted since the start: broadcasts, and users loaded for updates."""

    def __init__(
        self,
        pool: Pool,
        own_commits: OwnCommits,
        latest_cache: LatestValueCache,
        subscriptions: Subscriptions,
        delivery: Delivery,
        wake: asyncio.Event,
    ) -> None:
        """`wake` is set when there is something to broadcast."""
        self.pool = pool
        self.presence = own_commits.presence
        self.latest_cache = latest_cache
        self.subscriptions = subscriptions
        self.delivery = delivery
        self.wake = wake
        self.shedding = LoadShedding(own_commits.write_load)
        self.changes = PendingChanges(subscriptions, latest_cache, self.shedding, wake)
        self.pacer = Pacer(own_commits.write_load)
        self.broadcasts = 0
        self.loaded_users = 0

    def resynchronize(self) -> None:
        """Replace what clients and this process know by snapshots: changes were missed."""
        self.presence.is_due = True
        self.shedding.reset()
        self.changes.clear()
        self.latest_cache.clear()
        for client in self.subscriptions.clients:
            client.miss_updates()
        self.wake.set()

    async def run(self, listening: asyncio.Event) -> None:
        """Broadcast again and again, while notifications of the database arrive."""
        while True:
            await self.wake.wait()
            await listening.wait()
            self.wake.clear()
            self.pacer.begin()
            try:
                await self.broadcast()
            except Exception as error:
                log.warning("a broadcast of live updates failed: %s", error, exc_info=not isinstance(error, Overloaded))
                self.resynchronize()
                await asyncio.sleep(RETRY_PAUSE)
            await self.pacer.wait()

    async def broadcast(self) -> None:
        """Send snapshots to the clients that need one, and updates of the users that changed."""
        if not self.subscriptions.clients:
            self.changes.clear()
            self.shedding.skipped = 0
            return
        self.broadcasts += 1
        # Before the query of any snapshot: what other processes announce after it is readable, or noticed.
        await self.presence.announce_if_due(self.pool)
        self.changes.update_mode()
        await self.replace_skipped()
        await self.send_snapshots(self.without_snapshot())
        await self.changes.name_users(self.pool)
        await self.send_updates()
        if self.changes.by_key or self.changes.has_named or self.shedding.skipped or self.awaiting_replacement():
            self.wake.set()

    # Snapshots ----------------------------------------------------------------------------------------------

    def without_snapshot(self) -> list[Client]:
        """Return the clients that need a snapshot and can take it, except those of awaiting_replacement."""
        return [
            client
            for client in self.subscriptions.clients
            if client.needs_snapshot
            and client not in self.delivery.slow
            and (client.user_ids is not None or client.state is ClientState.NEW)
        ]

    def awaiting_replacement(self) -> list[Client]:
        """Return the clients that had a snapshot of everyone, need another, and can take it."""
        return [
            client
            for client in self.subscriptions.to_everyone
            if client.state is not ClientState.NEW
            and client not in self.delivery.slow
            and (client.needs_snapshot or self.shedding.skipped)
        ]

    async def replace_skipped(self) -> None:
        """Send a snapshot in place of updates that were skipped or missed, unless the last one was just sent."""
        began = time.monotonic()
        if began < self.shedding.snapshot_at:
            return
        clients = self.awaiting_replacement()
        skipped = self.shedding.take_skipped()
        if skipped:
            for client in self.subscriptions.to_everyone:
                client.miss_updates()
        if clients:
            await self.send_snapshot_of_everyone(clients, skipped or None)
            # A client that became stale meanwhile missed something else, and does not wait.
            if self.shedding.is_skipping and not any(client.needs_snapshot for client in clients):
                self.shedding.schedule_snapshot(time.monotonic() - began)

    async def send_snapshots(self, clients: Sequence[Client]) -> None:
        """Send snapshots by one query for clients that subscribe to everyone, and another for those that name users."""
        to_everyone = [client for client in clients if client.user_ids is None]
        named = for_one_query([client for client in clients if client.user_ids is not None])
        begin_snapshots(named)
        if len(to_everyone) + len(named) < len(clients):
            self.wake.set()
        if to_everyone:
            await self.send_snapshot_of_everyone(to_everyone)
        if named:
            await self.send_named_snapshots(named)

    async def send_snapshot_of_everyone(self, clients: Sequence[Client], skipped: int | None = None) -> None:
        """Send a snapshot to clients that subscribe to everyone."""
        begin_snapshots(clients)
        snapshot = await snapshot_of_everyone(self.pool, skipped)
        await self.delivery.send_all((client, snapshot) for client in clients)

    async def send_named_snapshots(self, clients: Sequence[Client]) -> None:
        """Send snapshots, which have begun, to clients that name users."""
        user_ids = {user_id for client in clients for user_id in client.user_ids or ()}
        snapshots = NamedSnapshots(user_ids, await self.load(user_ids))
        await self.delivery.send_all((client, snapshots.message_for(client)) for client in clients)

    # Updates ------------------------------------------------------------------------------------------------

    async def send_updates(self) -> None:
        """Send updates of the users that changed, and measure the processor's time that they take."""
        if self.changes.has_named:
            time_slice = TimeSlice()
            taken = self.changes.take(MAX_USERS)
            self.pacer.cpu_seconds += time_slice.cpu_seconds
            updates = await self.complete(taken)
            time_slice = TimeSlice()
            await self.delivery.deliver(updates, time_slice)
            self.pacer.cpu_seconds += time_slice.cpu_seconds

    async def complete(self, changes: Mapping[str, tuple[Change, Latest | None]]) -> list[Update]:
        """Return the updates for changes; latest values that are not known are loaded."""
        unknown = [user_id for user_id, (_, latest) in changes.items() if latest is None]
        loaded: dict[str, Latest] = {}
        if unknown:
            self.loaded_users += len(unknown)
            loaded = await self.load(unknown)
        return [
            Update(user_id, change, loaded.get(user_id, NOTHING) if latest is None else latest)
            for user_id, (change, latest) in changes.items()
        ]

    async def load(self, user_ids: Collection[str]) -> dict[str, Latest]:
        """Query the latest values of users, and keep those of users with subscribers: others would not stay true."""
        for user_id in user_ids:
            self.changes.apply(user_id)
        keeps_all = self.changes.includes_everyone
        to_user = self.subscriptions.to_user
        self.latest_cache.begin_load([user_id for user_id in user_ids if keeps_all or user_id in to_user])
        rows = await fetch_all(self.pool, "latest_of_named", tenant_id=DEFAULT_TENANT, user_ids=list(user_ids))
        return self.latest_cache.finish_load(latest_by_user(rows), asyncio.get_running_loop().time())


def begin_snapshots(clients: Iterable[Client]) -> None:
    """Begin snapshots for clients."""
    for client in clients:
        client.begin_snapshot()
