"""How what is told reaches clients: at once, or when they have taken what they were sent before, or never."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence

from service.event_loop import TimeSlice
from service.live import messages
from service.live.messages import Message
from service.live.subscriptions import Audience, Client, News
from service.settings import Settings

LARGEST_BACKLOG = 64 * 1024  # bytes; with more unsent, messages wait …
SMALLEST_BACKLOG = 16 * 1024  # bytes; … until there is less
WATCH_SECONDS = 0.1
SLOWEST = 6  # times live_slow_seconds: longer, and one who takes a little now and then is too slow as well
TOO_SLOW = 1013


class Delivery:
    """Writes to clients, and looks after those who are slow.

    Counted since the start: messages sent, and clients dropped for being slow.
    """

    def __init__(self, settings: Settings, audience: Audience, wake: asyncio.Event) -> None:
        """`wake` is set when a client that needs the state can take it."""
        self.settings = settings
        self.audience = audience
        self.wake = wake
        self.slow: set[Client] = set()
        self.messages = 0
        self.drops = 0

    async def tell(self, news: Sequence[News], time_slice: TimeSlice) -> None:
        """Hand news to those who listen, to those who named users first: they have the least to take."""
        for item in news:
            item.make()
            await time_slice.checkpoint()
        of_client: dict[Client, list[News]] = defaultdict(list)
        for item in news:
            for client in self.audience.of_user.get(item.user_id, ()):
                of_client[client].append(item)
        for client, of_it in of_client.items():
            self.tell_one(client, of_it, messages.combine([item.message for item in of_it]))
            await time_slice.checkpoint()
        if self.audience.of_everyone:
            message = messages.combine([item.message for item in news])
            for client in list(self.audience.of_everyone):
                self.tell_one(client, news, message)
                await time_slice.checkpoint()

    def tell_one(self, client: Client, news: Sequence[News], message: Message) -> None:
        """Hand news to a client: now, or when it has taken what it was sent before."""
        if client in self.slow and client.connection.backlog() < SMALLEST_BACKLOG:
            self.catch_up(client)
        if client.is_stale or client not in self.audience.all:
            return
        if client not in self.slow:
            backlog = client.connection.backlog()
            if not backlog or backlog + len(client.connection.encode(message)) <= LARGEST_BACKLOG:
                self.write(client, message, len(news))
                return
            self.watch(client)
        client.wait(news)

    async def write_all(self, written: Iterable[tuple[Client, Message]]) -> None:
        """Write a message to each client."""
        time_slice = TimeSlice()
        for client, message in written:
            if client in self.audience.all:
                self.write(client, message, 1)
            await time_slice.checkpoint()

    def write(self, client: Client, message: Message, count: int) -> None:
        """Write so many messages to a client."""
        client.connection.send(message)
        self.messages += count
        if client.connection.backlog() > LARGEST_BACKLOG:
            self.watch(client)

    def interrupt(self) -> None:
        """Say that the database is away."""
        message = messages.encode(type="interrupted", reason="The database cannot be reached at the moment.")
        for client in self.audience.all:
            if not (client.connection.is_earlier or client.is_stale or client in self.slow):
                self.write(client, message, 1)

    def leave(self, client: Client) -> None:
        """Write nothing more to a client."""
        self.slow.discard(client)
        self.audience.leave(client)

    # Slow clients -------------------------------------------------------------------------------------------

    def watch(self, client: Client) -> None:
        """Let messages for a client wait until it has taken what was sent."""
        self.slow.add(client)
        client.slow_since = client.stuck_since = asyncio.get_running_loop().time()
        client.backlog = client.connection.backlog()

    async def look_after(self) -> None:
        """Send slow clients what waits for them, or drop them; show the others a sign of life."""
        loop = asyncio.get_running_loop()
        beat_at = loop.time() + self.settings.live_heartbeat_seconds
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            await self.look_at_all(list(self.slow))
            if loop.time() >= beat_at:
                beat_at = loop.time() + self.settings.live_heartbeat_seconds
                await self.beat(self.audience.all - self.slow)

    async def look_at_all(self, slow: Iterable[Client]) -> None:
        """Judge slow clients."""
        time_slice = TimeSlice()
        for client in slow:
            if client in self.slow:
                self.look_at(client, asyncio.get_running_loop().time())
            await time_slice.checkpoint()

    async def beat(self, clients: Iterable[Client]) -> None:
        """Show clients that their lines live."""
        time_slice = TimeSlice()
        for client in clients:
            client.connection.send_heartbeat()
            await time_slice.checkpoint()

    def look_at(self, client: Client, now: float) -> None:
        """Judge a slow client."""
        backlog = client.connection.backlog()
        if backlog < SMALLEST_BACKLOG:
            self.catch_up(client)
            return
        if backlog < client.backlog:
            client.stuck_since = now
        client.backlog = backlog
        patience = self.settings.live_slow_seconds
        if now - client.stuck_since > patience or now - client.slow_since > SLOWEST * patience:
            self.drops += 1
            self.leave(client)
            client.connection.close(TOO_SLOW, f"Too slow: {backlog} bytes were not taken within {patience} seconds.")

    def catch_up(self, client: Client) -> None:
        """Send what waited for a client that has taken what was sent."""
        self.slow.discard(client)
        if client.is_stale:
            self.wake.set()
        elif news := client.take_waiting():
            self.write(client, messages.combine([item.message for item in news]), len(news))
