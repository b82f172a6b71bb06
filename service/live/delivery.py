"""Delivery of messages: at once, or when a client has taken what it was sent before, or never."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from service.answers.metrics_asked import MetricsAsked
from service.event_loop import TimeSlice
from service.live import messages
from service.live.backlog import Backlog
from service.live.client import Client
from service.live.feeds import Feeds
from service.live.messages import Message
from service.live.subscriptions import Subscriptions
from service.live.updates import Update, combine_updates
from service.settings import Settings

MAX_BACKLOG = 64 * 1024  # bytes; with more unsent, updates wait …
MIN_BACKLOG = 16 * 1024  # bytes; … until there is less
CHECK_SECONDS = 0.1  # between two looks at slow clients
TOO_SLOW = 1013


class Delivery:
    """Sends messages to clients, and lets updates wait for slow ones.

    Counted since the start: messages sent, and clients dropped for being slow.
    """

    def __init__(self, settings: Settings, feeds: Feeds, wake: asyncio.Event) -> None:
        """`wake` is set when a client that needs a snapshot can take it."""
        self.settings = settings
        self.feeds = feeds
        self.wake = wake
        self.slow: dict[Client, Backlog] = {}
        self.messages = 0
        self.drops = 0

    async def deliver(
        self, subscriptions: Subscriptions, updates: Sequence[Update], time_slice: TimeSlice, asking: bool = False
    ) -> None:
        """Deliver a tenant's updates to subscribers, first to those who name users: they have the least to take.

        They are those who ask for metrics, or the others.
        """
        for client, of_client in by_client(subscriptions, updates, asking).items():
            for update in of_client:
                update.encode(client.metrics)
                await time_slice.checkpoint()
            self.deliver_to(client, of_client, combine_updates(of_client, client.metrics))
            await time_slice.checkpoint()
        to_everyone: dict[MetricsAsked | None, list[Client]] = defaultdict(list)
        for client in subscriptions.to_everyone:
            if (client.metrics is not None) is asking:
                to_everyone[client.metrics].append(client)
        for asked, clients in to_everyone.items():
            for update in updates:
                update.encode(asked)
                await time_slice.checkpoint()
            message = combine_updates(updates, asked)
            for client in clients:
                self.deliver_to(client, updates, message)
                await time_slice.checkpoint()

    def deliver_to(self, client: Client, updates: Sequence[Update], message: Message) -> None:
        """Send a client its updates, as one message, or let them wait."""
        if client in self.slow and client.connection.backlog() < MIN_BACKLOG:
            self.catch_up(client)
        if client.needs_snapshot or client not in self.feeds.clients:
            return
        if client not in self.slow:
            backlog = client.connection.backlog()
            if not backlog or backlog + len(client.connection.encode(message)) <= MAX_BACKLOG:
                self.send(client, message, len(updates))
                return
            self.mark_slow(client)
        client.queue(updates)

    async def send_all(self, addressed: Iterable[tuple[Client, Message]]) -> None:
        """Send each client its message."""
        time_slice = TimeSlice()
        for client, message in addressed:
            if client in self.feeds.clients:
                self.send(client, message, 1)
            await time_slice.checkpoint()

    def send(self, client: Client, message: Message, count: int) -> None:
        """Send a client `count` messages as one."""
        client.connection.send(message)
        self.messages += count
        if client.connection.backlog() > MAX_BACKLOG:
            self.mark_slow(client)

    def send_interrupted(self) -> None:
        """Send clients that the database is away."""
        message = messages.encode(type="interrupted", reason="The database cannot be reached at the moment.")
        for client in self.feeds.clients:
            if not (client.connection.is_earlier or client.needs_snapshot or client in self.slow):
                self.send(client, message, 1)

    def remove(self, client: Client) -> None:
        """Send nothing more to a client."""
        self.slow.pop(client, None)
        self.feeds.remove(client)

    # Slow clients -------------------------------------------------------------------------------------------

    def mark_slow(self, client: Client) -> None:
        """Let updates wait until a client has taken what it was sent."""
        now = asyncio.get_running_loop().time()
        self.slow[client] = Backlog(client.connection.backlog(), since=now, progress_at=now)

    async def run(self) -> None:
        """Check slow clients, again and again, and send heartbeats to the others."""
        loop = asyncio.get_running_loop()
        heartbeat_at = loop.time() + self.settings.live_heartbeat_seconds
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            await self.check_all(list(self.slow))
            if loop.time() >= heartbeat_at:
                heartbeat_at = loop.time() + self.settings.live_heartbeat_seconds
                await self.send_heartbeats(self.feeds.clients - self.slow.keys())

    async def check_all(self, slow: Iterable[Client]) -> None:
        """Check slow clients."""
        time_slice = TimeSlice()
        for client in slow:
            if client in self.slow:
                self.check(client, asyncio.get_running_loop().time())
            await time_slice.checkpoint()

    async def send_heartbeats(self, clients: Iterable[Client]) -> None:
        """Send clients a sign of life."""
        time_slice = TimeSlice()
        for client in clients:
            client.connection.send_heartbeat()
            await time_slice.checkpoint()

    def check(self, client: Client, now: float) -> None:
        """Send a slow client what waits for it if it has taken enough, or drop it if it is too slow."""
        size, backlog = client.connection.backlog(), self.slow[client]
        if size < MIN_BACKLOG:
            self.catch_up(client)
            return
        backlog.update(size, now)
        patience = self.settings.live_slow_seconds
        if backlog.is_overdue(now, patience):
            self.drops += 1
            self.remove(client)
            client.connection.close(TOO_SLOW, f"Too slow: {size} bytes were not taken within {patience} seconds.")

    def catch_up(self, client: Client) -> None:
        """Send what waits for a client that has taken enough."""
        del self.slow[client]
        if client.needs_snapshot:
            self.wake.set()
        elif updates := client.take_waiting():
            self.send(client, combine_updates(updates, client.metrics), len(updates))


def by_client(
    subscriptions: Subscriptions, updates: Iterable[Update], asking: bool
) -> Mapping[Client, Sequence[Update]]:
    """Group updates by the clients that name their users, and ask for metrics or do not."""
    of_client: dict[Client, list[Update]] = defaultdict(list)
    for update in updates:
        for client in subscriptions.to_user.get(update.user_id, ()):
            if (client.metrics is not None) is asking:
                of_client[client].append(update)
    return of_client
