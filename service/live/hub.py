"""The hub of live updates: after each commit, it sends clients the updates of the users that they subscribe to.

Notifications of the database become pending changes (pending_changes.py) of the feed of a tenant (feeds.py), which
broadcasts (broadcaster.py) turn into one update for each user, and deliver (delivery.py) to its subscribers
(subscriptions.py). Everything is bounded: what waits for a client is one update for each user; where too many wait, or
notifications were lost, a snapshot replaces them; a client that takes nothing for too long is dropped.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

from service.answers.metrics_asked import MetricsAsked
from service.database.pool import Pool
from service.errors import Overloaded
from service.live.broadcaster import Broadcaster
from service.live.client import Client
from service.live.connections import Connection
from service.live.delivery import Delivery
from service.live.feeds import Feeds
from service.live.listener import listen
from service.live.notifications import Unreadable, of_tenant, split_origin
from service.live.own_commits import OwnCommits
from service.live.presence import ANNOUNCE_SECONDS
from service.precedence import pause
from service.settings import Settings
from service.shares import PARTY, Shares

LISTEN_SECONDS = 1.0  # that a new client waits for the database

log = logging.getLogger("hyperpulse")


class Hub:
    """Admits clients, and receives the notifications of the database; it is the Listener.

    Counted since the start: clients refused, notifications received, connections to the database lost.
    """

    def __init__(self, settings: Settings, pool: Pool) -> None:
        self.shares = Shares(settings.max_live_clients)
        self.wake = asyncio.Event()
        self.listening = asyncio.Event()
        self.feeds = Feeds(self.wake)
        self.own_commits = OwnCommits(self.feeds)
        self.presence = self.own_commits.presence
        self.delivery = Delivery(settings, self.feeds, self.wake)
        self.broadcaster = Broadcaster(pool, self.own_commits.presence, self.feeds, self.delivery, self.wake)
        self.last_origin = ""
        self.refusals = 0
        self.notifications = 0
        self.interruptions = 0

    @property
    def clients(self) -> int:
        """How many clients there are."""
        return len(self.feeds.clients)

    # Clients ------------------------------------------------------------------------------------------------

    async def admit(self) -> None:
        """Admit a client, or raise Overloaded: there are too many, or the database is away."""
        try:
            async with asyncio.timeout(LISTEN_SECONDS):
                await self.listening.wait()
        except TimeoutError:
            self.refusals += 1
            raise Overloaded("The database cannot be reached at the moment; try again.", 5) from None
        if not self.shares.fits(PARTY.get()):
            self.refusals += 1
            raise Overloaded(f"{self.clients} clients are connected already; try again.", 5)

    @contextmanager
    def subscribed(
        self,
        connection: Connection,
        tenant_id: str,
        user_ids: Sequence[str] | None,
        metrics: MetricsAsked | None = None,
    ) -> Iterator[None]:
        """Subscribe a client to users of a tenant, each named once, or to all, for as long as the block lasts."""
        client = Client(connection, tenant_id, None if user_ids is None else tuple(user_ids), metrics=metrics)
        pause()
        party = PARTY.get()
        self.shares.take(party)
        if not self.feeds.clients:
            self.presence.is_due = True
        self.feeds.add(client)
        self.wake.set()
        try:
            yield
        finally:
            self.shares.give(party)
            self.delivery.remove(client)
            connection.release()
            if not self.feeds.clients:
                self.own_commits.clear()

    async def keep_present(self) -> None:
        """Let other processes know every other second that this one has clients, while it has."""
        while True:
            await asyncio.sleep(ANNOUNCE_SECONDS)
            if self.feeds.clients:
                self.presence.is_due = True
                self.wake.set()

    # Notifications ------------------------------------------------------------------------------------------

    def on_connected(self) -> None:
        """Send every client a snapshot: notifications before are lost."""
        self.listening.set()
        self.presence.connected()
        self.broadcaster.resynchronize()

    def on_presence(self, process: str) -> None:
        """Record that a process has clients."""
        self.presence.record(process)

    def on_readings(self, payload: str) -> None:
        """Add the changes of a commit to those pending."""
        self.notifications += 1
        if not self.feeds.clients:
            return
        if digest := of_tenant(payload):
            self.broadcaster.resynchronize_tenant(digest)
            return
        origin, packed = split_origin(payload)
        if origin and self.add_own(origin):
            return
        try:
            self.broadcaster.unnamed.add_packed(packed)
            self.wake.set()
        except Unreadable as unreadable:
            log.info("live clients get a snapshot: %s", unreadable)
            self.broadcaster.resynchronize()

    def add_own(self, origin: str) -> bool:
        """Add a commit of this process, once for all of its notifications; return whether it is one."""
        if origin == self.last_origin:  # its notifications follow each other
            return True
        batch = self.own_commits.pop(origin)
        if batch is None:
            return False
        self.last_origin = origin
        self.feeds.add_batch(batch)
        return True

    def on_disconnected(self) -> None:
        """Let clients know that updates may be missing."""
        self.presence.disconnected()
        if self.listening.is_set():
            self.listening.clear()
            self.interruptions += 1
            self.delivery.send_interrupted()


@asynccontextmanager
async def running_hub(settings: Settings, pool: Pool) -> AsyncIterator[Hub]:
    """Run a hub until the block ends."""
    hub = Hub(settings, pool)
    work = (
        listen(settings.session_url, hub),
        hub.keep_present(),
        hub.broadcaster.run(hub.listening),
        hub.delivery.run(),
    )
    tasks = [asyncio.create_task(task) for task in work]
    try:
        yield hub
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
