"""The live hub: tells clients, after each commit, whose readings changed.

Announcements of the database are collected (service/live/broadcaster.py), turned into one message for each user, and handed to
those who listen (service/live/subscriptions.py, service/live/delivery.py). Everything is bounded: what waits for a client is one
message for each user; where too many wait, and after the connection was away, the state is sent instead; and who
takes nothing for too long is told and dropped.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

from service.database.pool import Pool
from service.errors import Overloaded
from service.live.broadcaster import Rounds
from service.live.client import Client
from service.live.connections import Connection
from service.live.delivery import Delivery
from service.live.latest_cache import LatestValueCache
from service.live.listener import listen
from service.live.notifications import Unreadable, split_origin
from service.live.own_commits import OwnCommits
from service.live.presence import ANNOUNCE_SECONDS
from service.live.subscriptions import Subscriptions
from service.settings import Settings

LISTEN_SECONDS = 1.0  # that a new client waits for the database

log = logging.getLogger("hyperpulse")


class Hub:
    """Lets clients in, and hears what the database announces.

    Counted since the start: clients refused, announcements heard, connections to the database lost.
    """

    def __init__(self, settings: Settings, pool: Pool) -> None:
        self.settings = settings
        self.wake = asyncio.Event()
        self.listening = asyncio.Event()
        self.latest_cache = LatestValueCache()
        self.subscriptions = Subscriptions(self.latest_cache)
        self.own_commits = OwnCommits(self.subscriptions)
        self.delivery = Delivery(settings, self.subscriptions, self.wake)
        self.rounds = Rounds(
            pool,
            self.own_commits.presence,
            self.own_commits.write_load,
            self.latest_cache,
            self.subscriptions,
            self.delivery,
            self.wake,
        )
        self.taken = ""
        self.refusals = 0
        self.heard = 0
        self.interruptions = 0

    @property
    def clients(self) -> int:
        """How many clients there are."""
        return len(self.subscriptions.clients)

    async def admit(self) -> None:
        """Let a client in, or raise Overloaded: there are too many, or the database is away."""
        try:
            async with asyncio.timeout(LISTEN_SECONDS):
                await self.listening.wait()
        except TimeoutError:
            self.refusals += 1
            raise Overloaded("The database cannot be reached at the moment; try again.", 5) from None
        if self.clients >= self.settings.max_live_clients:
            self.refusals += 1
            raise Overloaded(f"{self.clients} clients are told already; try again.", 5)

    @contextmanager
    def telling(self, connection: Connection, user_ids: Sequence[str] | None) -> Iterator[None]:
        """Tell a client of users, each named once, or of everyone, for as long as the block lasts."""
        client = Client(connection, None if user_ids is None else tuple(user_ids))
        if not self.subscriptions.clients:
            self.own_commits.presence.is_due = True
        self.subscriptions.add(client)
        self.wake.set()
        try:
            yield
        finally:
            self.delivery.remove(client)
            connection.release()
            if not self.subscriptions.clients:
                self.own_commits.clear()

    def begin(self) -> None:
        """Send everybody the state: what was announced before is not known."""
        self.listening.set()
        self.own_commits.presence.connected()
        self.rounds.refresh()

    def greet(self, process: str) -> None:
        """Hear that clients listen to a process."""
        self.own_commits.presence.record(process)

    async def say_hello(self) -> None:
        """Say every other second that clients listen, while some do."""
        while True:
            await asyncio.sleep(ANNOUNCE_SECONDS)
            if self.subscriptions.clients:
                self.own_commits.presence.is_due = True
                self.wake.set()

    def collect(self, payload: str) -> None:
        """Take a notification in."""
        self.heard += 1
        if not self.subscriptions.clients:
            return
        mark, packed = split_origin(payload)
        if mark and self.is_own(mark):
            return
        try:
            self.rounds.take_announcement(packed)
        except Unreadable as unreadable:
            log.info("live clients get the state: %s", unreadable)
            self.rounds.refresh()

    def is_own(self, mark: str) -> bool:
        """Take in what this process wrote, once for all notifications of a commit, which follow each other."""
        if mark == self.taken:
            return True
        batch = self.own_commits.pop(mark)
        if batch is None:
            return False
        self.taken = mark
        self.rounds.take_batch(batch)
        return True

    def interrupt(self) -> None:
        """Say that nothing is heard any more."""
        self.own_commits.presence.disconnected()
        if self.listening.is_set():
            self.listening.clear()
            self.interruptions += 1
            self.delivery.send_interrupted()


@asynccontextmanager
async def running_hub(settings: Settings, pool: Pool) -> AsyncIterator[Hub]:
    """Run a hub until the block ends."""
    hub = Hub(settings, pool)
    work = (
        listen(settings.database_url, hub),
        hub.say_hello(),
        hub.rounds.run(hub.listening),
        hub.delivery.run(),
    )
    tasks = [asyncio.create_task(task) for task in work]
    try:
        yield hub
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
