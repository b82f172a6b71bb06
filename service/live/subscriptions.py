"""Who listens to whom."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from service.ingest.observer import MatchedRows
from service.live import messages
from service.live.connections import Connection
from service.live.latest_cache import LatestValueCache
from service.live.messages import Message
from service.live.notifications import Change
from service.model.latest import Latest
from service.model.reading import Row

MOST_WAITING = 1_000  # changes that wait for one client


@dataclass(slots=True)
class News:
    """A change of a user's readings, the latest values after it, and, once somebody is told, the message about it."""

    user_id: str
    change: Change
    latest: Latest
    made: Message | None = None

    @property
    def message(self) -> Message:
        """The message that says so."""
        self.make()
        assert self.made is not None
        return self.made

    def make(self) -> None:
        """Write the message, unless it is written already."""
        if self.made is None:
            self.made = messages.update(self.user_id, self.change, self.latest.document())


def merged(news: Iterable[News]) -> list[News]:
    """Return one piece of news for each user; what several clients wait for is left as it is."""
    of_user: dict[str, News] = {}
    for item in news:
        change = Change(item.change.count, item.change.first, item.change.last)
        if earlier := of_user.get(item.user_id):
            change.merge(earlier.change)
        of_user[item.user_id] = News(item.user_id, change, item.latest)
    return list(of_user.values())


@dataclass(slots=True, eq=False)
class Client:
    """Someone who listens: to users, or to everyone where user_ids is None."""

    connection: Connection
    user_ids: tuple[str, ...] | None
    is_new: bool = True  # until the first state is sent
    is_stale: bool = True
    waiting: list[Sequence[News]] = field(default_factory=list)
    waits: int = 0
    backlog: int = 0
    slow_since: float = 0.0
    stuck_since: float = 0.0

    def wait(self, news: Sequence[News]) -> None:
        """Let news wait until they can be sent; where too much waits, the whole state does instead."""
        self.waiting.append(news)
        self.waits += len(news)
        if self.waits > MOST_WAITING:
            # Half of it, so that merging, which takes long, is not done again soon.
            if len({item.user_id for part in self.waiting for item in part}) > MOST_WAITING / 2:
                self.forget()
            else:
                merged_news = self.take_waiting()
                self.waiting, self.waits = [merged_news], len(merged_news)

    def take_waiting(self) -> list[News]:
        """Return what waits, and let nothing wait any longer."""
        news = merged(item for part in self.waiting for item in part)
        self.waiting, self.waits = [], 0
        return news

    def forget(self) -> None:
        """Wait for the state."""
        self.is_stale = True
        self.waiting, self.waits = [], 0


class Audience:
    """All clients, and by whom they listen to. Users to whom nobody listens any longer are forgotten."""

    def __init__(self, latest_cache: LatestValueCache) -> None:
        self.latest_cache = latest_cache
        self.all: set[Client] = set()
        self.of_everyone: set[Client] = set()
        self.of_user: dict[str, set[Client]] = defaultdict(set)
        self.version = 0  # of the users named

    def join(self, client: Client) -> None:
        """Take a client in."""
        self.version += 1
        self.all.add(client)
        if client.user_ids is None:
            self.of_everyone.add(client)
        for user_id in client.user_ids or ():
            self.of_user[user_id].add(client)

    def leave(self, client: Client) -> None:
        """Let a client go."""
        self.version += 1
        self.all.discard(client)
        self.of_everyone.discard(client)
        for user_id in client.user_ids or ():
            if user_id in self.of_user:
                self.of_user[user_id].discard(client)
                if not self.of_user[user_id]:
                    del self.of_user[user_id]
                    # Also where others listen to everyone: their readings may be skipped from now on.
                    self.latest_cache.invalidate(user_id)
        if client.user_ids is None and not self.of_everyone:
            self.latest_cache.retain(self.of_user)

    def match(self, rows: Sequence[Row]) -> MatchedRows:
        """Pick the readings of users whom clients name."""
        of_user = self.of_user
        return MatchedRows(rows, [row for row in rows if row.user_id in of_user] if of_user else (), self.version)

    def named(self, matched: MatchedRows) -> Sequence[Row]:
        """Return the readings of users whom clients name now."""
        return (matched if matched.version == self.version else self.match(matched.rows)).matched
