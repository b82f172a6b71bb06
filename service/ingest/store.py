"""The ways of a batch into the database, each one short transaction that holds the horizon.

`copy_insert` is COPY straight into the table, for readings that are new: where one is known, its transaction is rolled
back, and `upsert` stores the batch, which distinguishes new, changed and unchanged readings. A batch whose readings
have samples or intervals takes the same two ways: `copy_values` for what is new, and `merge` where something is known.
"""

from __future__ import annotations

from psycopg import errors

from service.database.pool import Connection
from service.ingest.key_cache import KeyCache
from service.ingest.observer import CommitObserver
from service.ingest.outcome import Outcome
from service.ingest.reading_lane import copy_insert, upsert
from service.ingest.sample_lane import copy_values, merge
from service.ingest.transaction import MetricGone, NamesChanged, TakenOtherwise, UnknownNames
from service.ingest.write_queue import Batch, BatchLease


async def store(
    connection: Connection, key_cache: KeyCache, observer: CommitObserver, lease: BatchLease, upserting: bool
) -> bytearray:
    """Write a batch in one transaction, and return each reading's outcome; `upserting` expects that some are known."""
    while True:
        try:
            waiting = lease.peek()
            if is_likely_new(waiting, key_cache, upserting):
                copy = copy_values if waiting.has_samples else copy_insert
                try:
                    return await copy(connection, key_cache, observer, lease)
                except errors.UniqueViolation:
                    pass
            batch = lease.take()
            if not batch.has_samples:
                return await upsert(connection, key_cache, batch)
            outcomes = await merge(connection, key_cache, batch)
            if batch.has_values_to_copy:
                key_cache.samples_are_known = outcomes.count(Outcome.inserted) < len(outcomes)
            return outcomes
        except TakenOtherwise:
            continue
        except errors.ForeignKeyViolation:
            raise MetricGone() from None
        except NamesChanged as changed:
            key_cache.forget(changed.version)
        except UnknownNames:
            batch = lease.peek()
            batch.pack(await key_cache.keys(connection, batch.parts))


def is_likely_new(batch: Batch, key_cache: KeyCache, upserting: bool) -> bool:
    """Return whether COPY is to be tried."""
    if batch.has_samples:
        return batch.has_values_to_copy and not key_cache.samples_are_known
    return not upserting
