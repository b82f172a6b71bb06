"""The live hub: tells clients, after each commit, whose readings changed.

One loop does it in rounds: what was announced since the last one becomes one question to the database about those whom
somebody listens to, and one message for each user, encoded once. Everything is bounded: what waits for a client is one
message for each user; where too many wait, and after the connection was away, the state is sent instead; and who
takes nothing for too long is told and dropped.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

from service import messages
from service.changes import Change, Unreadable, add_announcement
from service.database import Pool, fetch_all
from service.latest import by_user
from service.lines import Line
from service.listener import listen
from service.messages import Message
from service.problems import Overloaded
from service.readings import DEFAULT_TENANT
from service.settings import Settings

MOST_WAITING = 1_000  # users of whom messages wait for one client
MOST_IN_STATE = 1_000  # users
MOST_IN_ROUND = 1_000  # users
MOST_NAMED = 10_000  # users
SHORTEST_PAUSE = 0.05  # seconds between two rounds
RETRY_PAUSE = 1.0  # seconds after a round that failed
LARGEST_BACKLOG = 64 * 1024  # bytes; with more unsent, messages wait …
SMALLEST_BACKLOG = 16 * 1024  # bytes; … until there is less
WATCH_SECONDS = 0.1
SLOWEST = 6  # times live_slow_seconds: longer, and one who takes a little now and then is too slow as well
AT_A_TIME = 50  # clients that are written to before anybody else gets a turn
LISTEN_SECONDS = 1.0  # that a new client waits for the database
TOO_SLOW = 1013

log = logging.getLogger("hyperpulse")


class News(NamedTuple):
    """A change of a user's readings, their latest values, and the message that says so."""

    user_id: str
    change: Change
    latest: dict[str, Any] | None
    message: Message


@dataclass(slots=True, eq=False)
class Client:
    """Someone who listens: to users, or to everyone where user_ids is None."""

    line: Line
    user_ids: tuple[str, ...] | None
    waiting: dict[str, tuple[Change, dict[str, Any] | None]] = field(default_factory=dict)
    is_stale: bool = True
    backlog: int = 0
    slow_since: float = 0.0
    stuck_since: float = 0.0

    def wait(self, news: Iterable[News]) -> None:
        """Let news wait until they can be sent; where too much waits, the whole state does instead."""
        for user_id, change, latest, _ in news:
            waits = self.waiting.get(user_id)
            if waits is None:
                # A copy: what several clients wait for is added to for each alone.
                self.waiting[user_id] = (Change(change.count, change.first, change.last), latest)
            else:
                waits[0].add(change)
                self.waiting[user_id] = (waits[0], latest)
        if len(self.waiting) > MOST_WAITING:
            self.forget()

    def forget(self) -> None:
        """Wait for the state."""
        self.is_stale = True
        self.waiting.clear()


class Hub:
    """Knows the clients, and hands them what the database announces.

    Counted since the start: messages sent, clients dropped for being slow, clients refused, announcements
    heard, rounds, connections to the database lost.
    """

    def __init__(self, settings: Settings, pool: Pool) -> None:
        self.settings = settings
        self.pool = pool
        self.all: set[Client] = set()
        self.of_everyone: set[Client] = set()
        self.of_user: dict[str, set[Client]] = defaultdict(set)
        self.slow: set[Client] = set()
        self.touched: dict[int, Change] = {}
        self.wake = asyncio.Event()
        self.listening = asyncio.Event()
        self.messages = 0
        self.drops = 0
        self.refusals = 0
        self.heard = 0
        self.rounds = 0
        self.interruptions = 0

    # Clients ------------------------------------------------------------------------------------------------

    @property
    def clients(self) -> int:
        """How many clients there are."""
        return len(self.all)

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
    def telling(self, line: Line, user_ids: Sequence[str] | None) -> Iterator[None]:
        """Tell a client of users, each named once, or of everyone, for as long as the block lasts."""
        client = Client(line, None if user_ids is None else tuple(user_ids))
        self.all.add(client)
        if client.user_ids is None:
            self.of_everyone.add(client)
        for user_id in client.user_ids or ():
            self.of_user[user_id].add(client)
        self.wake.set()
        try:
            yield
        finally:
            self.leave(client)
            line.release()

    def leave(self, client: Client) -> None:
        """Forget a client."""
        self.all.discard(client)
        self.of_everyone.discard(client)
        self.slow.discard(client)
        for user_id in client.user_ids or ():
            if user_id in self.of_user:
                self.of_user[user_id].discard(client)
                if not self.of_user[user_id]:
                    del self.of_user[user_id]

    # Listener -----------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Send everybody the state: what was announced before is not known."""
        self.listening.set()
        self.refresh()

    def collect(self, payload: str) -> None:
        """Take a notification in."""
        self.heard += 1
        if not self.all:
            return
        try:
            add_announcement(payload, self.touched)
        except Unreadable as unreadable:
            log.info("live clients get the state: %s", unreadable)
            self.refresh()
        self.wake.set()

    def interrupt(self) -> None:
        """Say that nothing is heard any more."""
        if self.listening.is_set():
            self.listening.clear()
            self.interruptions += 1
            message = messages.encode(type="interrupted", reason="The database cannot be reached at the moment.")
            for client in self.all:
                if not (client.line.is_plain or client.is_stale or client in self.slow):
                    self.write(client, message, 1)

    def refresh(self) -> None:
        """Have the state sent to everybody."""
        self.touched.clear()
        for client in self.all:
            client.forget()
        self.wake.set()

    # Rounds -------------------------------------------------------------------------------------------------

    async def deliver(self) -> None:
        """Tell clients what was collected, round after round."""
        loop = asyncio.get_running_loop()
        while True:
            await self.wake.wait()
            await self.listening.wait()
            self.wake.clear()
            began = loop.time()
            try:
                await self.round()
            except Exception as error:
                log.warning("a round of live updates failed: %s", error, exc_info=not isinstance(error, Overloaded))
                self.refresh()
                await asyncio.sleep(RETRY_PAUSE)
            # Some of the time is for those who write; and the longer a round takes, the more the next one is worth.
            await asyncio.sleep(max(SHORTEST_PAUSE, (loop.time() - began) / 2))

    async def round(self) -> None:
        """Send states to those who need them, and news of the users touched."""
        if not self.all:
            self.touched.clear()
            return
        self.rounds += 1
        stale = [client for client in self.all if client.is_stale and client not in self.slow]
        if stale:
            await self.send_states(stale)
        if self.touched:
            await self.send_news(await self.news())
        if self.touched:
            self.wake.set()

    async def send_states(self, stale: list[Client]) -> None:
        """Send states: one question for those who listen to everyone, another for all the others."""
        everyone = [client for client in stale if client.user_ids is None]
        named = self.some_of([client for client in stale if client.user_ids is not None])
        for client in (*everyone, *named):
            client.is_stale = False
        if len(everyone) + len(named) < len(stale):
            self.wake.set()
        if everyone:
            await self.write_all((client, state) for state in [await self.state_of_everyone()] for client in everyone)
        if named:
            wanted = {user_id for client in named for user_id in client.user_ids or ()}
            rows = await self.ask("latest_of_named", user_ids=list(wanted))
            latest = by_user(rows)
            users = {user_id: messages.user_state(user_id, latest.get(user_id)) for user_id in wanted}
            made: dict[tuple[tuple[str, ...], bool], Message] = {}
            await self.write_all((client, state_of(client, users, made)) for client in named)

    def some_of(self, named: list[Client]) -> list[Client]:
        """Return as many clients as one question may be for."""
        users = 0
        for taken, client in enumerate(named):
            users += len(client.user_ids or ())
            if users > MOST_IN_STATE and taken:
                return named[:taken]
        return named

    async def state_of_everyone(self) -> Message:
        """Return the state of everyone, or of some where they are too many."""
        latest = by_user(await self.ask("latest_of_everyone", limit=MOST_IN_STATE + 1))
        users = (messages.user_state(*user) for user in islice(latest.items(), MOST_IN_STATE))
        return messages.state(users, complete=len(latest) <= MOST_IN_STATE)

    async def news(self) -> list[News]:
        """Return the news of users touched whom somebody listens to; more than fit in a round wait for the next."""
        touched, self.touched = self.touched, {}
        # So many that to name them would take longer than to look at who was touched.
        wanted = None if self.of_everyone or len(self.of_user) > MOST_NAMED else list(self.of_user)
        rows = await self.ask("names_of_touched", user_keys=list(touched), user_ids=wanted)
        names = {row["user_key"]: row["user_id"] for row in rows if self.of_everyone or row["user_id"] in self.of_user}
        for user_key in list(names)[MOST_IN_ROUND:]:
            del names[user_key]
            self.put_back(user_key, touched[user_key])
        if not names:
            return []
        rows = await fetch_all(self.pool, "latest_of_touched", user_keys=list(names))
        latest = by_user({**row, "user_id": names[row["user_key"]]} for row in rows)
        return [
            News(name, touched[key], latest.get(name), messages.readings(name, touched[key], latest.get(name)))
            for key, name in names.items()
        ]

    def put_back(self, user_key: int, change: Change) -> None:
        """Leave a change to the next round."""
        if user_key in self.touched:
            change.add(self.touched[user_key])
        self.touched[user_key] = change

    async def send_news(self, news: list[News]) -> None:
        """Hand news to those who listen."""
        if not news:
            return
        if self.of_everyone:
            await self.tell(list(self.of_everyone), news)
        of_client: dict[Client, list[News]] = defaultdict(list)
        for item in news:
            for client in self.of_user.get(item.user_id, ()):
                of_client[client].append(item)
        for number, (client, of_it) in enumerate(of_client.items()):
            await give_way(number)
            self.tell_one(client, of_it, messages.together([item.message for item in of_it]))

    async def tell(self, clients: Sequence[Client], news: list[News]) -> None:
        """Hand the same news to clients."""
        message = messages.together([item.message for item in news])
        for number, client in enumerate(clients):
            await give_way(number)
            self.tell_one(client, news, message)

    def tell_one(self, client: Client, news: list[News], message: Message) -> None:
        """Hand news to a client: now, or when it has taken what it was sent before."""
        if client.is_stale or client not in self.all:
            return
        if client in self.slow:
            client.wait(news)
        else:
            self.write(client, message, len(news))

    async def write_all(self, written: Iterable[tuple[Client, Message]]) -> None:
        """Write a message to each client."""
        for number, (client, message) in enumerate(written):
            await give_way(number)
            if client in self.all:
                self.write(client, message, 1)

    def write(self, client: Client, message: Message, count: int) -> None:
        """Write so many messages to a client."""
        client.line.write(message)
        self.messages += count
        if client.line.backlog() > LARGEST_BACKLOG:
            self.watch(client)

    async def ask(self, query: str, **parameters: Any) -> list[dict[str, Any]]:
        """Ask the database about the tenant."""
        return await fetch_all(self.pool, query, tenant_id=DEFAULT_TENANT, **parameters)

    # Slow clients -------------------------------------------------------------------------------------------

    def watch(self, client: Client) -> None:
        """Let messages for a client wait until it has taken what was sent."""
        self.slow.add(client)
        client.slow_since = client.stuck_since = asyncio.get_running_loop().time()
        client.backlog = client.line.backlog()

    async def look_after(self) -> None:
        """Send slow clients what waits for them, or drop them; show the others a sign of life."""
        loop = asyncio.get_running_loop()
        beat_at = loop.time() + self.settings.live_heartbeat_seconds
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            for client in list(self.slow):
                self.look_at(client, loop.time())
            if loop.time() >= beat_at:
                beat_at = loop.time() + self.settings.live_heartbeat_seconds
                for number, client in enumerate(self.all - self.slow):
                    await give_way(number)
                    client.line.beat()

    def look_at(self, client: Client, now: float) -> None:
        """Judge a slow client."""
        backlog = client.line.backlog()
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
            client.line.close(TOO_SLOW, f"Too slow: {backlog} bytes were not taken within {patience} seconds.")

    def catch_up(self, client: Client) -> None:
        """Send what waited for a client that has taken what was sent."""
        self.slow.discard(client)
        if client.is_stale:
            self.wake.set()
        elif client.waiting:
            waiting, client.waiting = client.waiting, {}
            made = [messages.readings(user_id, *of_user) for user_id, of_user in waiting.items()]
            self.write(client, messages.together(made), len(made))


def state_of(client: Client, users: dict[str, bytes], made: dict[tuple[tuple[str, ...], bool], Message]) -> Message:
    """Return the state of the users that a client listens to, the same for all who listen to the same."""
    asked = (client.user_ids or (), client.line.is_plain)
    if asked not in made:
        of_it = [users[user_id] for user_id in asked[0]]
        made[asked] = messages.state_of_one(of_it[0]) if client.line.is_plain else messages.state(of_it, True)
    return made[asked]


async def give_way(number: int) -> None:
    """Let others have a turn after every few clients."""
    if number % AT_A_TIME == AT_A_TIME - 1:
        await asyncio.sleep(0)


@asynccontextmanager
async def running_hub(settings: Settings, pool: Pool) -> AsyncIterator[Hub]:
    """Run a hub until the block ends."""
    hub = Hub(settings, pool)
    work = (listen(settings.database_url, hub), hub.deliver(), hub.look_after())
    tasks = [asyncio.create_task(task) for task in work]
    try:
        yield hub
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
