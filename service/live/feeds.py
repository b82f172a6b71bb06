"""The feeds of a process: for each tenant that has clients, who they are, and what they are to be sent.

A tenant's changes and latest values are its feed's alone, so that no client hears of another tenant.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from service.answers.metrics_asked import MetricsAsked
from service.fair_share import fair_share
from service.ingest.observer import MatchedRows
from service.ingest.write_load import WriteLoad
from service.live.client import Client
from service.live.latest_cache import LatestValueCache
from service.live.load_shedding import LoadShedding
from service.live.measurements import all_asked
from service.live.notifications import Change, tenant_digest
from service.live.pending_changes import PendingChanges
from service.live.subscriptions import Subscriptions
from service.model.latest import Latest
from service.model.reading import Row

MAX_LATEST = 50_000  # users whose latest values are kept, of all tenants: some 30 MB


class Feed:
    """A tenant's clients, the latest values of the users that they subscribe to, and the changes that wait.

    Changes wait apart for clients that ask for metrics: their latest values are always read from the database.
    """

    def __init__(self, tenant_id: str, write_load: WriteLoad, wake: asyncio.Event) -> None:
        """`wake` is set when there is something to broadcast."""
        self.tenant_id = tenant_id
        self.digest = tenant_digest(tenant_id)
        self.latest_cache = LatestValueCache()
        self.subscriptions = Subscriptions(tenant_id, self.latest_cache)
        self.shedding = LoadShedding(write_load)
        self.changes = PendingChanges(self.subscriptions, self.latest_cache, self.shedding, wake)
        self.asked_changes: dict[str, Change] = {}

    def resynchronize(self) -> None:
        """Replace what clients and this process know by snapshots: changes were missed."""
        self.shedding.reset()
        self.changes.clear()
        self.asked_changes.clear()
        self.latest_cache.clear()
        for client in self.subscriptions.clients:
            client.miss_updates()

    def take_changes(self, limit: int) -> dict[str, tuple[Change, Latest | None]]:
        """Take the changes of at most `limit` users; let those for clients that ask for metrics wait apart."""
        taken = self.changes.take(limit)
        if not self.subscriptions.asking:
            return taken
        for user_id, (change, _) in list(taken.items()):
            kinds = {client.metrics is not None for client in self.subscriptions.of_user(user_id)}
            if True in kinds:
                self.asked_changes.setdefault(user_id, Change(0, change.first, change.last)).merge(change)
            if False not in kinds:
                del taken[user_id]
        return taken

    def asked_of(self, user_id: str) -> MetricsAsked | None:
        """Return the metrics of a user that clients ask for; None where none does."""
        asked = {client.metrics for client in self.subscriptions.of_user(user_id)} - {None}
        return all_asked(each for each in asked if each is not None) if asked else None

    def begin_load(self, user_ids: Iterable[str]) -> None:
        """Begin to load users, and keep those with subscribers: others would not stay true."""
        for user_id in user_ids:
            self.changes.apply(user_id)
        keeps_all, named = self.changes.includes_everyone, self.subscriptions.to_user
        self.latest_cache.begin_load([user_id for user_id in user_ids if keeps_all or user_id in named])


class Feeds:
    """The feeds by tenant, and the clients of all."""

    def __init__(self, wake: asyncio.Event) -> None:
        """`wake` is set when there is something to broadcast."""
        self.wake = wake
        self.write_load = WriteLoad()
        self.by_tenant: dict[str, Feed] = {}
        self.clients: set[Client] = set()
        self.turn = 0

    def add(self, client: Client) -> None:
        """Add a client."""
        feed = self.by_tenant.get(client.tenant_id)
        if feed is None:
            feed = self.by_tenant[client.tenant_id] = Feed(client.tenant_id, self.write_load, self.wake)
        feed.subscriptions.add(client)
        self.clients.add(client)

    def remove(self, client: Client) -> None:
        """Remove a client, if it is there; with the last one of a tenant ends its feed."""
        if client in self.clients:
            self.clients.discard(client)
            feed = self.by_tenant[client.tenant_id]
            feed.subscriptions.remove(client)
            if not feed.subscriptions.clients:
                del self.by_tenant[client.tenant_id]

    def in_turn(self) -> list[Feed]:
        """List the feeds, each time from another one on, so that none always waits for the others."""
        feeds = list(self.by_tenant.values())
        self.turn += 1
        first = self.turn % len(feeds) if feeds else 0
        return feeds[first:] + feeds[:first]

    def match(self, tenant_id: str, rows: Sequence[Row]) -> MatchedRows:
        """Find the rows of users whom clients of the tenant name."""
        feed = self.by_tenant.get(tenant_id)
        return MatchedRows(tenant_id, rows, (), -1) if feed is None else feed.subscriptions.match(rows)

    def add_batch(self, batch: Sequence[MatchedRows]) -> None:
        """Add a batch that this process wrote to the changes of its tenants."""
        tenants = {matched.tenant_id for matched in batch}
        feeds = {tenant_id: feed for tenant_id in tenants if (feed := self.by_tenant.get(tenant_id))}
        for feed in feeds.values():
            feed.changes.update_mode()
        for matched in batch:
            if matched.tenant_id in feeds:
                feeds[matched.tenant_id].changes.add_rows(matched)

    def evict_latest(self) -> None:
        """Evict latest values where there are too many, of the tenants that have more than their fair share."""
        sizes = [len(feed.latest_cache.entries) for feed in self.by_tenant.values()]
        if sum(sizes) > MAX_LATEST:
            share = fair_share(sizes, MAX_LATEST)
            for feed in self.by_tenant.values():
                feed.latest_cache.evict(share)
