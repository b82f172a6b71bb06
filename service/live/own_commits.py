"""Commits of this process, kept until the database announces them.

Announcements come in the order of the commits. So the rows of a batch are applied when the announcement with its origin
arrives, rather than when its writer learns of the commit: another process may have changed them by then.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from service.ingest.observer import MatchedRows, Origins
from service.live.feeds import Feeds
from service.live.presence import Presence
from service.model.reading import Row

MAX_ROWS = 50_000  # kept; the database is asked for the users of others


class OwnCommits:
    """Batches by origin, while there are clients. One that was rolled back is never announced, and is evicted in time.

    It is the writer's CommitObserver.
    """

    def __init__(self, feeds: Feeds) -> None:
        self.feeds = feeds
        self.write_load = feeds.write_load
        self.origins = Origins()
        self.presence = Presence(self.origins.process)
        self.batches: dict[str, list[MatchedRows]] = {}
        self.row_count = 0

    @property
    def has_remote_subscribers(self) -> bool:
        """Whether other processes may have subscribers."""
        return self.presence.of_others

    @property
    def has_subscribers(self) -> bool:
        """Whether this process has subscribers, or others may have."""
        return bool(self.feeds.clients) or self.presence.of_others

    def match(self, tenant_id: str, rows: Sequence[Row]) -> MatchedRows | None:
        """Match the rows of a request with its tenant's subscriptions; None without clients of any tenant.

        It is fastest just after the rows were read, while they are in the processor's cache.
        """
        return self.feeds.match(tenant_id, rows) if self.feeds.clients else None

    def register(self, batch: Iterable[tuple[str, Sequence[Row], MatchedRows | None]]) -> str:
        """Keep a batch, and return the origin that its commit is to announce."""
        origin = self.origins.next()
        if self.feeds.clients:
            match = self.feeds.match
            kept = [matched or match(tenant_id, rows) for tenant_id, rows, matched in batch]
            self.batches[origin] = kept
            self.row_count += count_rows(kept)
            while self.row_count > MAX_ROWS:
                self.pop(next(iter(self.batches)))
        return origin

    def pop(self, origin: str) -> list[MatchedRows] | None:
        """Return the batch of an origin, once."""
        batch = self.batches.pop(origin, None)
        self.row_count -= count_rows(batch or ())
        return batch

    def clear(self) -> None:
        """Drop all batches."""
        self.batches.clear()
        self.row_count = 0


def count_rows(batch: Iterable[MatchedRows]) -> int:
    """Count the rows of a batch."""
    return sum(len(each.rows) for each in batch)
