"""Broadcasts: at intervals, clients get snapshots and updates of what was announced since the last one.

A broadcast has one update for each user, and queries the database at most once for updates: for users of any tenant
whose latest values are not known from what this process wrote itself.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from operator import itemgetter
from typing import Any

from service.answers.latest_values import Measurements
from service.answers.metrics_asked import MetricsAsked
from service.database.pool import Pool, fetch_all
from service.errors import Overloaded
from service.event_loop import TimeSlice
from service.fair_share import fair_share
from service.live.client import Client, ClientState
from service.live.delivery import Delivery
from service.live.feeds import Feed, Feeds
from service.live.measurements import User, all_asked, measurements_of
from service.live.messages import Message
from service.live.notifications import Change
from service.live.pacing import Pacer, pause_of_queries
from service.live.presence import Presence
from service.live.snapshots import NamedSnapshots, for_one_query, snapshot_of_everyone, snapshots_with_metrics
from service.live.unnamed_changes import UnnamedChanges
from service.live.updates import Update
from service.log_format import described
from service.model.latest import NOTHING, Latest, latest_by_user

MAX_USERS = 1_000  # in one broadcast, in fair shares of the tenants; the others wait for the next
RETRY_PAUSE = 1.0  # seconds after a broadcast that failed

log = logging.getLogger("hyperpulse")


class Broadcaster:
    """Sends snapshots and updates. Counted since the start: broadcasts, and users loaded for updates."""

    def __init__(self, pool: Pool, presence: Presence, feeds: Feeds, delivery: Delivery, wake: asyncio.Event) -> None:
        """`wake` is set when there is something to broadcast."""
        self.pool = pool
        self.presence = presence
        self.feeds = feeds
        self.delivery = delivery
        self.wake = wake
        self.unnamed = UnnamedChanges()
        self.pacer = Pacer(feeds.write_load)
        self.asked_at = 0.0  # when changes may be sent again to clients that ask for metrics
        self.broadcasts = 0
        self.loaded_users = 0

    def resynchronize_tenant(self, digest: str) -> None:
        """Replace what the clients of a tenant know by snapshots: some of its users changed."""
        for feed in self.feeds.by_tenant.values():
            if feed.digest == digest:
                feed.resynchronize()
                self.wake.set()

    def resynchronize(self) -> None:
        """Replace what clients and this process know by snapshots: changes were missed."""
        self.presence.is_due = True
        self.unnamed.clear()
        for feed in self.feeds.by_tenant.values():
            feed.resynchronize()
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
                surprise = not isinstance(error, Overloaded)
                log.warning("a broadcast of live updates failed: %s", described(error), exc_info=surprise)
                self.resynchronize()
                await asyncio.sleep(RETRY_PAUSE)
            await self.pacer.wait()

    async def broadcast(self) -> None:
        """Send snapshots to the clients that need one, and updates of the users that changed."""
        if not self.feeds.clients:
            self.unnamed.clear()
            return
        self.broadcasts += 1
        # Before the query of any snapshot: what other processes announce after it is readable, or noticed.
        await self.presence.announce_if_due(self.pool)
        feeds = self.feeds.in_turn()
        for feed in feeds:
            feed.changes.update_mode()
        for feed in feeds:
            await self.replace_skipped(feed)
        await self.send_snapshots(feeds)
        await self.unnamed.name_users(self.pool, self.feeds)
        await self.send_updates()
        await self.send_updates_with_metrics()
        if self.unnamed.by_key or any(map(self.has_more, self.feeds.by_tenant.values())):
            self.wake.set()

    def has_more(self, feed: Feed) -> bool:
        """Return whether a feed has something for another broadcast."""
        waits = feed.changes.has_named or feed.asked_changes or feed.shedding.skipped
        return bool(waits or self.awaiting_replacement(feed))

    # Snapshots ----------------------------------------------------------------------------------------------

    def without_snapshot(self, feed: Feed) -> list[Client]:
        """Return the clients that need a snapshot and can take it, except those of awaiting_replacement."""
        return [
            client
            for client in feed.subscriptions.clients
            if client.needs_snapshot
            and client not in self.delivery.slow
            and (client.user_ids is not None or client.state is ClientState.NEW)
        ]

    def awaiting_replacement(self, feed: Feed) -> list[Client]:
        """Return the clients that had a snapshot of everyone, need another, and can take it."""
        return [
            client
            for client in feed.subscriptions.to_everyone
            if client.state is not ClientState.NEW
            and client not in self.delivery.slow
            and (client.needs_snapshot or feed.shedding.skipped)
        ]

    async def replace_skipped(self, feed: Feed) -> None:
        """Send a snapshot in place of updates that were skipped or missed, unless the last one was just sent."""
        began = time.monotonic()
        if began < feed.shedding.snapshot_at:
            return
        clients = self.awaiting_replacement(feed)
        skipped = feed.shedding.take_skipped()
        if skipped:
            for client in feed.subscriptions.to_everyone:
                client.miss_updates()
        if clients:
            await self.send_snapshot_of_everyone(feed, clients, skipped or None)
            # A client that became stale meanwhile missed something else, and does not wait.
            if feed.shedding.is_skipping and not any(client.needs_snapshot for client in clients):
                feed.shedding.schedule_snapshot(time.monotonic() - began)

    async def send_snapshots(self, feeds: Iterable[Feed]) -> None:
        """Send snapshots by one query for each tenant's clients of everyone, and another for all that name users.

        There is one more of each kind for clients that ask for metrics.
        """
        waiting: list[Client] = []
        for feed in feeds:
            clients = self.without_snapshot(feed)
            to_everyone = [client for client in clients if client.user_ids is None]
            if to_everyone:
                await self.send_snapshot_of_everyone(feed, to_everyone)
            waiting += [client for client in clients if client.user_ids is not None]
        for asking, send in ((False, self.send_named_snapshots), (True, self.send_named_snapshots_with_metrics)):
            of_kind = [client for client in waiting if (client.metrics is not None) is asking]
            named = for_one_query(of_kind)
            begin_snapshots(named)
            if len(named) < len(of_kind):
                self.wake.set()
            if named:
                await send(named)

    async def send_snapshot_of_everyone(
        self, feed: Feed, clients: Sequence[Client], skipped: int | None = None
    ) -> None:
        """Send a snapshot to clients that subscribe to everyone."""
        begin_snapshots(clients)
        snapshots: dict[MetricsAsked | None, Message] = {}
        if any(client.metrics is None for client in clients):
            snapshots[None] = await snapshot_of_everyone(self.pool, feed.tenant_id, skipped)
        if any(client.metrics is not None for client in clients):
            snapshots |= await snapshots_with_metrics(self.pool, feed.tenant_id, clients, skipped)
        await self.delivery.send_all((client, snapshots[client.metrics]) for client in clients)

    async def send_named_snapshots(self, clients: Sequence[Client]) -> None:
        """Send snapshots, which have begun, to clients that name users."""
        user_ids: dict[str, set[str]] = defaultdict(set)
        for client in clients:
            user_ids[client.tenant_id].update(client.user_ids or ())
        loaded = await self.load(user_ids)
        snapshots = {
            tenant_id: NamedSnapshots(
                {user_id: Measurements(loaded[tenant_id].get(user_id, NOTHING)) for user_id in named}
            )
            for tenant_id, named in user_ids.items()
        }
        await self.delivery.send_all((client, snapshots[client.tenant_id].message_for(client)) for client in clients)

    async def send_named_snapshots_with_metrics(self, clients: Sequence[Client]) -> None:
        """Send snapshots, which have begun, to clients that name users and metrics, as far as one query may read.

        The others wait for the next one. The first client does not, since all of its users may be too much for any.
        """
        asked: dict[User, MetricsAsked] = {}
        for client in clients:
            if client.metrics is not None:
                for user in ((client.tenant_id, user_id) for user_id in client.user_ids or ()):
                    asked[user] = all_asked((asked[user], client.metrics)) if user in asked else client.metrics
        measured: dict[str, dict[str, Measurements]] = {client.tenant_id: {} for client in clients}
        for (tenant_id, user_id), of_user in (await measurements_of(self.pool, asked)).items():
            measured[tenant_id][user_id] = of_user
        snapshots = {tenant_id: NamedSnapshots(of_tenant) for tenant_id, of_tenant in measured.items()}
        served = [client for client in clients if client is clients[0] or snapshots[client.tenant_id].has_all(client)]
        for client in set(clients).difference(served):
            client.miss_updates()
            self.wake.set()
        await self.delivery.send_all((client, snapshots[client.tenant_id].message_for(client)) for client in served)

    # Updates ------------------------------------------------------------------------------------------------

    async def send_updates(self) -> None:
        """Send updates of the users that changed, and measure the processor's time that they take."""
        changed = [feed for feed in self.feeds.by_tenant.values() if feed.changes.has_named]
        if changed:
            time_slice = TimeSlice()
            share = fair_share([feed.changes.most for feed in changed], MAX_USERS)
            taken = {feed.tenant_id: feed.take_changes(share) for feed in changed}
            self.pacer.cpu_seconds += time_slice.cpu_seconds
            updates = await self.complete(taken)
            time_slice = TimeSlice()
            for feed in changed:
                await self.delivery.deliver(feed.subscriptions, updates[feed.tenant_id], time_slice)
            self.pacer.cpu_seconds += time_slice.cpu_seconds

    async def send_updates_with_metrics(self) -> None:
        """Send clients that ask for metrics the updates of users that changed, of as many as one query may read.

        A pause at least as long as the query follows, in which further changes are added to those that wait.
        """
        began = time.monotonic()
        if began < self.asked_at:
            return
        feeds = [feed for feed in self.feeds.in_turn() if feed.asked_changes]
        share = fair_share([len(feed.asked_changes) for feed in feeds], MAX_USERS)
        waiting = [
            (place, feed, user_id) for feed in feeds for place, user_id in enumerate(islice(feed.asked_changes, share))
        ]
        asked: dict[User, MetricsAsked] = {}
        # Of each feed in turn, since not all may be read.
        for _, feed, user_id in sorted(waiting, key=itemgetter(0)):
            if metrics := feed.asked_of(user_id):
                asked[feed.tenant_id, user_id] = metrics
            else:  # the clients that asked are gone
                del feed.asked_changes[user_id]
        if not asked:
            return
        measured = await measurements_of(self.pool, asked)
        time_slice = TimeSlice()
        for feed in feeds:
            updates = [
                Update(user_id, change, of_user)
                for (tenant_id, user_id), of_user in measured.items()
                if tenant_id == feed.tenant_id and (change := feed.asked_changes.pop(user_id, None))
            ]
            await self.delivery.deliver(feed.subscriptions, updates, time_slice, asking=True)
        self.pacer.cpu_seconds += time_slice.cpu_seconds
        ended = time.monotonic()
        self.asked_at = ended + pause_of_queries(ended - began, time_slice.cpu_seconds)

    async def complete(
        self, changes: Mapping[str, Mapping[str, tuple[Change, Latest | None]]]
    ) -> dict[str, list[Update]]:
        """Return the updates for changes by tenant; latest values that are not known are loaded."""
        unknown = {
            tenant_id: [user_id for user_id, (_, latest) in of_tenant.items() if latest is None]
            for tenant_id, of_tenant in changes.items()
        }
        self.loaded_users += sum(map(len, unknown.values()))
        loaded = await self.load({tenant_id: user_ids for tenant_id, user_ids in unknown.items() if user_ids})
        return {
            tenant_id: [
                Update(user_id, change, Measurements(latest or loaded[tenant_id].get(user_id, NOTHING)))
                for user_id, (change, latest) in of_tenant.items()
            ]
            for tenant_id, of_tenant in changes.items()
        }

    async def load(self, user_ids: Mapping[str, Collection[str]]) -> dict[str, dict[str, Latest]]:
        """Query the latest values of users, given and returned by tenant, whose feeds keep some of them."""
        if not user_ids:
            return {}
        feeds = [feed for tenant_id in user_ids if (feed := self.feeds.by_tenant.get(tenant_id))]
        for feed in feeds:
            feed.begin_load(user_ids[feed.tenant_id])
        rows = await fetch_all(
            self.pool,
            "latest_of_named",
            tenant_ids=[tenant_id for tenant_id, named in user_ids.items() for _ in named],
            user_ids=[user_id for named in user_ids.values() for user_id in named],
        )
        found: dict[str, list[dict[str, Any]]] = {tenant_id: [] for tenant_id in user_ids}
        for row in rows:
            found[row["tenant_id"]].append(row)
        loaded = {tenant_id: latest_by_user(of_tenant) for tenant_id, of_tenant in found.items()}
        for feed in feeds:
            of_feed = loaded[feed.tenant_id]
            loaded[feed.tenant_id] = feed.latest_cache.finish_load(of_feed, asyncio.get_running_loop().time())
        self.feeds.evict_latest()
        return loaded


def begin_snapshots(clients: Iterable[Client]) -> None:
    """Begin snapshots for clients."""
    for client in clients:
        client.begin_snapshot()
