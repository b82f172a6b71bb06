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
from service.ingest.reading_lane import HasSamples, copy_insert, upsert
from service.ingest.sample_lane import copy_values, merge
from service.ingest.transaction import NamesChanged, UnknownNames
from service.ingest.write_queue import BatchLease


async def store(
    connection: Connection, key_cache: KeyCache, observer: CommitObserver, lease: BatchLease, upserting: bool
) -> bytearray:
    """Write a batch in one transaction, and return each reading's outcome; `upserting` expects that some are known."""
    while True:
        try:
            if not upserting and not lease.peek().has_samples:
                try:
                    return await copy_insert(connection, key_cache, observer, lease)
                except (errors.UniqueViolation, HasSamples):
                    pass
            batch = lease.take()
            if not batch.has_samples:
                return await upsert(connection, key_cache, batch)
            if batch.has_values_to_copy and not key_cache.samples_are_known:
                try:
                    return await copy_values(connection, key_cache, observer, batch)
                except errors.UniqueViolation:
                    pass
            outcomes = await merge(connection, key_cache, batch)
            if batch.has_values_to_copy:
                key_cache.samples_are_known = outcomes.count(Outcome.inserted) < len(outcomes)
            return outcomes
        except NamesChanged as changed:
            key_cache.forget(changed.version)
        except UnknownNames:
            batch = lease.peek()
            batch.pack(await key_cache.keys(connection, batch.parts))
