"""The lane of readings without samples: COPY for new ones, an upsert where one is known."""

from __future__ import annotations

from collections.abc import Sequence

from service.database.binary_arrays import ints, moments
from service.database.copy_in import break_off, fill_copy, open_copy, run_plainly
from service.database.pool import Connection, committing, statement
from service.ingest.copy_rows import HEADER, TRAILER, stale_quarters, touched
from service.ingest.key_cache import KeyCache
from service.ingest.observer import CommitObserver
from service.ingest.outcome import Outcome
from service.ingest.reading_passes import in_columns, note, passes_of
from service.ingest.transaction import TakenOtherwise, UnknownNames, identified, merged_in, rolled_back_on_error
from service.ingest.write_queue import Batch, BatchLease
from service.model.pg_time import UNIX_EPOCH


async def copy_insert(
    connection: Connection, key_cache: KeyCache, observer: CommitObserver, lease: BatchLease
) -> bytearray:
    """Insert a batch by COPY; UniqueViolation where a reading is known, or twice in the batch.

    The batch is taken when the transaction has begun.
    """
    if not lease.peek().is_packed(key_cache.names.version):
        raise UnknownNames
    async with rolled_back_on_error(connection):
        ((announced, names_version),) = await open_copy(connection, statement("copy_readings"))
        assert announced is not None
        assert names_version is not None
        version = int(names_version)
        key_cache.forget(version)
        batch = lease.take()
        if batch.has_samples:
            await break_off(connection, b"readings have samples")
            raise TakenOtherwise
        batch.pack(key_cache.names)
        if not batch.is_packed(version):
            await break_off(connection, b"names are unknown")
            raise UnknownNames
        packed = batch.joined()
        await fill_copy(connection, b"".join([HEADER, *packed.rows, TRAILER]))
        horizon = int(announced) - UNIX_EPOCH
        stale = stale_quarters(packed.rows, horizon) if packed.first < horizon else []
        origin = observer.register((each.tenant_id, each.rows, each.matched) for each in batch.submissions)
        with committing():
            if stale or observer.has_remote_subscribers:
                named = packed.rows if observer.has_remote_subscribers else ()
                await announce_and_commit(connection, stale, named, origin)
            else:
                await run_plainly(connection, statement("commit_with_mark") % origin.encode())
    return bytearray([Outcome.inserted]) * len(packed.rows)


async def announce_and_commit(
    connection: Connection, stale: Sequence[tuple[int, int]], packed: Sequence[bytes], origin: str
) -> None:
    """Mark quarters of an hour of users stale, announce whose readings are new, and commit."""
    marks = {"user_keys": ints([user_key for user_key, _ in stale]), "quarters": moments([start for _, start in stale])}
    user_keys, timestamps = touched(packed)
    announcement = {"user_keys": user_keys, "timestamps": timestamps, "mark": origin}
    async with connection.pipeline():
        if stale:  # to find that there are none would cost the database a tenth of what storing 1000 readings does
            await connection.execute(statement("mark_stale"), marks)
        await connection.execute(statement("announce_readings"), announcement)
        await connection.execute("COMMIT")


async def upsert(connection: Connection, key_cache: KeyCache, batch: Batch) -> bytearray:
    """Upsert a batch, in as many passes as a reading is in it."""
    names, identities = await identified(connection, key_cache, batch)
    rows = batch.rows
    outcomes = bytearray(len(rows))
    passes = passes_of(rows, identities, outcomes)
    columns = [in_columns(each) for each in passes]
    async with rolled_back_on_error(connection):
        _, merged = await merged_in(connection, names, [("merge_readings", one) for one in columns])
        note(passes, merged, outcomes)
        with committing():
            await connection.execute("COMMIT")
    return outcomes
