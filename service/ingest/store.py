"""The ways of a batch into the database, each one short transaction that holds the horizon.

`copy_insert` is COPY straight into the table, for readings that are new: where one is known, its transaction is rolled
back, and `upsert` stores the batch, which distinguishes new, changed and unchanged readings. `merge` stores a batch
whose readings have samples: the three metrics as `upsert` does, and the others behind them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from enum import IntEnum
from typing import NamedTuple

from psycopg import errors
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow

from service.database.binary_arrays import doubles, ints, keys, moments
from service.database.copy_in import break_off, fill_copy, open_copy, run_plainly
from service.database.pool import Connection, committing, statement
from service.ingest.copy_rows import HEADER, TRAILER, stale_quarters, touched
from service.ingest.dedupe import Identity, plan_upserts
from service.ingest.key_cache import KeyCache, Names
from service.ingest.observer import CommitObserver
from service.ingest.samples import COMBINED, note_outcomes, plan_samples, samples_of
from service.ingest.write_queue import Batch, BatchLease
from service.model.pg_time import UNIX_EPOCH
from service.model.reading import Row


class Outcome(IntEnum):
    """What became of a reading."""

    unchanged = 0
    inserted = 1
    updated = 2


class UnknownNames(Exception):
    """A user or a device has no key yet that this process knows."""


class HasSamples(Exception):
    """The batch that was taken is not for COPY."""


class NamesChanged(Exception):
    """A user was erased since the keys of a batch were learnt; the transaction is rolled back."""

    def __init__(self, version: int) -> None:
        super().__init__(f"names are at version {version}")
        self.version = version


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
            return await (merge if batch.has_samples else upsert)(connection, key_cache, batch)
        except NamesChanged as changed:
            key_cache.forget(changed.version)
        except UnknownNames:
            batch = lease.peek()
            batch.pack(await key_cache.keys(connection, batch.parts))


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
            raise HasSamples
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
        merged = await merged_in(connection, names, [("merge_readings", one) for one in columns])
        note(passes, merged, outcomes)
        with committing():
            await connection.execute("COMMIT")
    return outcomes


async def merge(connection: Connection, key_cache: KeyCache, batch: Batch) -> bytearray:
    """Upsert a batch of readings with samples; readings stand before samples, as with every writer."""
    names, identities = await identified(connection, key_cache, batch)
    rows = batch.rows
    wide = [item for item, row in enumerate(rows) if not row.is_of_samples]
    wide_outcomes = bytearray(len(wide))
    wide_rows, wide_identities = [rows[item] for item in wide], [identities[item] for item in wide]
    passes = passes_of(wide_rows, wide_identities, wide_outcomes) if wide else []
    samples = samples_of(rows, identities)
    plan = plan_samples(samples)
    writes = [("merge_readings", in_columns(each)) for each in passes]
    writes += [("merge_samples", columns) for columns in plan.passes]
    async with rolled_back_on_error(connection):
        merged = await merged_in(connection, names, writes)
        note(passes, merged[: len(passes)], wide_outcomes)
        bits = bytearray(len(rows))
        for item, outcome in zip(wide, wide_outcomes, strict=True):
            bits[item] = 1 << outcome
        note_outcomes(samples, plan, **merged[len(passes)], bits=bits)
        with committing():
            await connection.execute("COMMIT")
    return bits.translate(COMBINED)


async def identified(connection: Connection, key_cache: KeyCache, batch: Batch) -> tuple[Names, list[Identity]]:
    """Return the identities of a batch, and the names that they are under; unknown names are registered."""
    names = key_cache.names
    try:
        return names, identities_of(batch, names)
    except KeyError:
        names = await key_cache.keys(connection, batch.parts)
        return names, identities_of(batch, names)


async def merged_in(
    connection: Connection, names: Names, writes: Sequence[tuple[str, dict[str, bytes]]]
) -> list[DictRow]:
    """Begin a transaction, send statements by their names with columns, and return the row that each answers."""
    async with connection.pipeline():
        await connection.execute("BEGIN")
        opening = await connection.execute(statement("begin_writing"))
        cursors = [await connection.execute(statement(name), columns, binary=True) for name, columns in writes]
    (opened,) = await opening.fetchall()
    if opened["names_version"] != names.version:
        raise NamesChanged(opened["names_version"])
    return [row for cursor in cursors for row in await cursor.fetchall()]


def note(passes: Sequence[Pass], merged: Sequence[DictRow], outcomes: bytearray) -> None:
    """Set the outcomes that the passes of an upsert decide."""
    for each, places in zip(passes, merged, strict=True):
        for outcome in (Outcome.inserted, Outcome.updated):
            for place in places[outcome.name]:
                item = each.items[place - 1]
                if item is not None:
                    outcomes[item] = outcome


class Pass(NamedTuple):
    """Rows that are written by one statement, and the items whose outcomes they decide."""

    rows: Sequence[Row]
    identities: Sequence[Identity]
    items: Sequence[int | None]


def identities_of(batch: Batch, names: Names) -> list[Identity]:
    """Return the identity of each reading of a batch; KeyError: a name is unknown."""
    identities: list[Identity] = []
    for tenant_id, rows in batch.parts:
        users, devices = names.of(tenant_id)
        identities += [(users[row.user_id], devices[row.device_id], row.timestamp) for row in rows]
    return identities


def passes_of(rows: Sequence[Row], identities: Sequence[Identity], outcomes: bytearray) -> list[Pass]:
    """Plan the passes of a batch, and set the outcomes that are certain already."""
    if len(set(identities)) == len(rows):
        return [Pass(rows, identities, range(len(rows)))]
    passes, certain = plan_upserts(rows, identities)
    for item, outcome in certain.items():
        outcomes[item] = Outcome[outcome]
    return [
        Pass([write.row for write in each], [write.identity for write in each], [write.item for write in each])
        for each in passes
    ]


def in_columns(each: Pass) -> dict[str, bytes]:
    """Write the rows of a pass as arrays, one for each column."""
    return {
        "user_keys": keys([user_key for user_key, _, _ in each.identities]),
        "device_keys": keys([device_key for _, device_key, _ in each.identities]),
        "timestamps": moments([at for _, _, at in each.identities]),
        "heart_rates": doubles([row.heart_rate for row in each.rows]),
        "steps": ints([row.steps for row in each.rows]),
        "calories": doubles([row.calories for row in each.rows]),
    }


@asynccontextmanager
async def rolled_back_on_error(connection: Connection) -> AsyncIterator[None]:
    """Roll the transaction back where the block fails."""
    try:
        yield
    except BaseException:
        if connection.pgconn.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
            await connection.execute("ROLLBACK")
        raise
