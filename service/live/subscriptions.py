"""Which clients of a tenant subscribe to which of its users."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain, count

from service.ingest.observer import MatchedRows
from service.live.client import Client
from service.live.latest_cache import LatestValueCache
from service.model.reading import Row

versions = count(1)


class Subscriptions:
    """All clients, and those of each user. The latest values of a user without subscribers are not kept."""

    def __init__(self, tenant_id: str, latest_cache: LatestValueCache) -> None:
        self.tenant_id = tenant_id
        self.latest_cache = latest_cache
        self.clients: set[Client] = set()
        self.to_everyone: set[Client] = set()
        self.to_user: dict[str, set[Client]] = defaultdict(set)
        self.version = next(versions)  # of the users named, and of no other tenant's
        self.asking = 0  # clients that ask for metrics

    def add(self, client: Client) -> None:
        """Add a client."""
        self.version = next(versions)
        self.clients.add(client)
        self.asking += client.metrics is not None
        if client.user_ids is None:
            self.to_everyone.add(client)
        for user_id in client.user_ids or ():
            self.to_user[user_id].add(client)

    def remove(self, client: Client) -> None:
        """Remove a client, if it is there."""
        self.version = next(versions)
        self.asking -= client in self.clients and client.metrics is not None
        self.clients.discard(client)
        self.to_everyone.discard(client)
        for user_id in client.user_ids or ():
            if user_id in self.to_user:
                self.to_user[user_id].discard(client)
                if not self.to_user[user_id]:
                    del self.to_user[user_id]
                    # Also where others subscribe to everyone: the user's readings may be skipped from now on.
                    self.latest_cache.invalidate(user_id)
        if client.user_ids is None and not self.to_everyone:
            self.latest_cache.retain(self.to_user)

    def of_user(self, user_id: str) -> Iterator[Client]:
        """Iterate over the clients that are sent the updates of a user."""
        return chain(self.to_user.get(user_id, ()), self.to_everyone)

    def match(self, rows: Sequence[Row]) -> MatchedRows:
        """Find the rows of users whom clients name."""
        to_user = self.to_user
        named = [row for row in rows if row.user_id in to_user] if to_user else ()
        return MatchedRows(self.tenant_id, rows, named, self.version)

    def matched_now(self, earlier: MatchedRows) -> Sequence[Row]:
        """Return the rows of users whom clients name now; `earlier` may be of other subscriptions."""
        return (earlier if earlier.version == self.version else self.match(earlier.rows)).matched
