"""Commits of this process, kept until the database announces them.

Announcements come in the order of the commits. So the rows of a batch are applied when the announcement with its origin
arrives, rather than when its writer learns of the commit: another process may have changed them by then.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from service.ingest.observer import MatchedRows, Origins
from service.ingest.write_load import WriteLoad
from service.live.presence import Presence
from service.live.subscriptions import Subscriptions
from service.model.reading import Row

MAX_ROWS = 50_000  # kept; the database is asked for the users of others


class OwnCommits:
    """Batches by origin, while there are clients. One that was rolled back is never announced, and is evicted in time.

    It is the writer's CommitObserver.
    """

    def __init__(self, subscriptions: Subscriptions) -> None:
        self.subscriptions = subscriptions
        self.write_load = WriteLoad()
        self.origins = Origins()
        self.presence = Presence(self.origins.process)
        self.batches: dict[str, list[MatchedRows]] = {}
        self.row_count = 0

    @property
    def has_remote_subscribers(self) -> bool:
        """Whether other processes may have subscribers."""
        return self.presence.of_others

    def match(self, tenant_id: str, rows: Sequence[Row]) -> MatchedRows | None:
        """Match the rows of a request with the subscriptions; None without clients.

        It is fastest just after the rows were read, while they are in the processor's cache.
        """
        return self.subscriptions.match(tenant_id, rows) if self.subscriptions.clients else None

    def register(self, batch: Iterable[tuple[str, Sequence[Row], MatchedRows | None]]) -> str:
        """Keep a batch, and return the origin that its commit is to announce."""
        origin = self.origins.next()
        if self.subscriptions.clients:
            match = self.subscriptions.match
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
