"""The ways of a batch into the database, each one short transaction that holds the horizon.

`copy_insert` is COPY straight into the table, for readings that are new: where one is known, its transaction is rolled
back, and `upsert` stores the batch, which distinguishes new, changed and unchanged readings. Of a batch whose readings
have samples, the three metrics are stored as `upsert` does, and the others behind them: new ones by COPY, in
`copy_samples`, and where one is known, by `merge`.
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
from service.ingest.sample_series import Series
from service.ingest.samples import COMBINED, Samples, note_outcomes, plan_samples, samples_of
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
            if not batch.has_samples:
                return await upsert(connection, key_cache, batch)
            if not key_cache.samples_are_known:
                try:
                    return await copy_samples(connection, key_cache, observer, batch)
                except errors.UniqueViolation:
                    pass
            outcomes = await merge(connection, key_cache, batch)
            key_cache.samples_are_known = outcomes.count(Outcome.inserted) < len(outcomes)
            return outcomes
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


async def copy_samples(
    connection: Connection, key_cache: KeyCache, observer: CommitObserver, batch: Batch
) -> bytearray:
    """Insert samples by COPY, behind the readings of the batch; UniqueViolation where one is known, or twice there."""
    names, identities = await identified(connection, key_cache, batch)
    samples = samples_of(batch.rows, identities)
    series = samples.series
    missing = sorted(key_cache.series.missing(series, names.version))
    data = b"".join([HEADER, *samples.packed(), TRAILER])
    wide = wide_part(batch.rows, identities)
    bits = bytearray(len(batch.rows))
    async with rolled_back_on_error(connection):
        if wide.items or missing:
            # Readings, series, samples: the order of every writer.
            series_columns = [("register_series", columns_of_series(missing))] if missing else []
            wide.note(await merged_in(connection, names, wide.writes + series_columns), bits)
            await open_copy(connection, statement("copy_more_samples"))
        else:
            ((names_version,),) = await open_copy(connection, statement("copy_samples"))
            assert names_version is not None
            if int(names_version) != names.version:
                await break_off(connection, b"names have changed")
                raise NamesChanged(int(names_version))
        await fill_copy(connection, data)
        # Readings that were merged are announced without an origin, and then so are the samples.
        parts = ((each.tenant_id, each.rows, each.matched) for each in batch.submissions)
        origin = "" if wide.items else observer.register(parts)
        with committing():
            if not origin or observer.has_remote_subscribers:
                async with connection.pipeline():
                    await connection.execute(
                        statement("announce_readings"), {**announcement_of(samples), "mark": origin}
                    )
                    await connection.execute("COMMIT")
            else:
                await run_plainly(connection, statement("commit_with_mark") % origin.encode())
    key_cache.series.add(series, names.version)
    for item in samples.items:
        bits[item] |= 1 << Outcome.inserted
    return bits.translate(COMBINED)


def announcement_of(samples: Samples) -> dict[str, bytes]:
    """Return whose samples changed, and at which moments, each once however many metrics it has."""
    changed = dict.fromkeys((user_key, at) for user_key, _, at in samples.identities)
    return {
        "user_keys": keys([user_key for user_key, _ in changed]),
        "timestamps": moments([at for _, at in changed]),
    }


def columns_of_series(series: Sequence[Series]) -> dict[str, bytes]:
    """Write series as arrays, one for each column."""
    return {
        "user_keys": keys([user_key for user_key, _, _ in series]),
        "metric_keys": ints([metric_key for _, metric_key, _ in series]),
        "device_keys": keys([device_key for _, _, device_key in series]),
    }


async def merge(connection: Connection, key_cache: KeyCache, batch: Batch) -> bytearray:
    """Upsert a batch of readings with samples; readings stand before samples, as with every writer."""
    names, identities = await identified(connection, key_cache, batch)
    wide = wide_part(batch.rows, identities)
    samples = samples_of(batch.rows, identities)
    plan = plan_samples(samples)
    writes = wide.writes + [("merge_samples", columns) for columns in plan.passes]
    bits = bytearray(len(batch.rows))
    async with rolled_back_on_error(connection):
        merged = await merged_in(connection, names, writes)
        wide.note(merged[: len(wide.passes)], bits)
        note_outcomes(samples, plan, **merged[len(wide.passes)], bits=bits)
        with committing():
            await connection.execute("COMMIT")
    return bits.translate(COMBINED)


class Wide(NamedTuple):
    """The readings of a batch that have any of the three metrics: where they are, and the passes that store them."""

    items: Sequence[int]
    passes: Sequence[Pass]
    outcomes: bytearray
    """Those that are certain already."""

    @property
    def writes(self) -> list[tuple[str, dict[str, bytes]]]:
        """The statements that store them, by name, with columns."""
        return [("merge_readings", in_columns(each)) for each in self.passes]

    def note(self, merged: Sequence[DictRow], bits: bytearray) -> None:
        """Set the bits of outcomes that the statements decided."""
        note(self.passes, merged, self.outcomes)
        for item, outcome in zip(self.items, self.outcomes, strict=True):
            bits[item] = 1 << outcome


def wide_part(rows: Sequence[Row], identities: Sequence[Identity]) -> Wide:
    """Return the readings of a batch that have any of the three metrics."""
    items = [item for item, row in enumerate(rows) if not row.is_of_samples]
    outcomes = bytearray(len(items))
    if not items:
        return Wide(items, [], outcomes)
    return Wide(
        items, passes_of([rows[item] for item in items], [identities[item] for item in items], outcomes), outcomes
    )


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
    return [row for cursor in cursors if cursor.description for row in await cursor.fetchall()]


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
