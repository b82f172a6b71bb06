"""The two ways of a batch into the database, each one short transaction that holds the horizon.

The fast lane is COPY straight into the table. It is for readings that are new: when it meets one that is known, its
transaction is undone, and the batch takes the merge lane, which can tell new, changed and unchanged apart.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from enum import IntEnum
from typing import NamedTuple

from psycopg import errors
from psycopg.pq import TransactionStatus

from service.database.binary_arrays import HEADER, TRAILER, doubles, ints, keys, moments, stale_quarters, touched
from service.database.copy_in import break_off, fill_copy, open_copy, run_plainly
from service.database.pool import Connection, committing, statement
from service.ingest.dedupe import fold
from service.ingest.key_cache import Register
from service.ingest.observer import CommitObserver
from service.ingest.write_queue import Draw
from service.model.pg_time import UNIX_EPOCH
from service.model.reading import Row


class Outcome(IntEnum):
    """What became of a reading."""

    unchanged = 0
    inserted = 1
    updated = 2


class UnknownNames(Exception):
    """Somebody, or a device, has no key yet that this process knows."""


class NamesChanged(Exception):
    """Somebody was erased since the keys of a batch were learnt; the transaction is undone."""

    def __init__(self, version: int) -> None:
        super().__init__(f"names are at version {version}")
        self.version = version


async def store(
    connection: Connection, register: Register, observer: CommitObserver, draw: Draw, merging: bool
) -> bytearray:
    """Write what is drawn in one transaction, and return the outcome of each; `merging` expects that some are known."""
    while True:
        try:
            if not merging:
                try:
                    return await copy(connection, register, observer, draw)
                except errors.UniqueViolation:
                    pass
            return await merge(connection, register, draw.now().rows)
        except NamesChanged as changed:
            register.forget(changed.version)
        except UnknownNames:
            batch = draw.peek()
            batch.pack(await register.keys(connection, batch.rows))


async def copy(connection: Connection, register: Register, observer: CommitObserver, draw: Draw) -> bytearray:
    """Take the fast lane; UniqueViolation where a reading is known, or twice in the batch.

    What is written is drawn when the transaction has begun.
    """
    if not draw.peek().is_packed(register.names.version):
        raise UnknownNames
    async with undone_on_error(connection):
        ((announced, names_version),) = await open_copy(connection, statement("copy_readings"))
        assert announced is not None
        assert names_version is not None
        version = int(names_version)
        register.forget(version)
        batch = draw.now()
        batch.pack(register.names)
        if not batch.is_packed(version):
            await break_off(connection, b"names are unknown")
            raise UnknownNames
        packed = batch.joined()
        await fill_copy(connection, b"".join([HEADER, *packed.rows, TRAILER]))
        horizon = int(announced) - UNIX_EPOCH
        stale = stale_quarters(packed.rows, horizon) if packed.first < horizon else []
        origin = observer.register((submission.rows, submission.matched) for submission in batch.submissions)
        with committing():
            if stale or observer.has_remote_subscribers:
                named = packed.rows if observer.has_remote_subscribers else ()
                await mark_tell_and_commit(connection, stale, named, origin)
            else:
                await run_plainly(connection, statement("commit_with_mark") % origin.encode())
    return bytearray([Outcome.inserted]) * len(packed.rows)


async def mark_tell_and_commit(
    connection: Connection, stale: Sequence[tuple[int, int]], packed: Sequence[bytes], origin: str
) -> None:
    """Mark quarters of an hour of users stale, tell whose readings are new, and commit."""
    marks = {"user_keys": ints([user_key for user_key, _ in stale]), "quarters": moments([start for _, start in stale])}
    user_keys, timestamps = touched(packed)
    telling = {"user_keys": user_keys, "timestamps": timestamps, "mark": origin}
    async with connection.pipeline():
        if stale:  # to find that there are none would cost the database a tenth of what storing 1000 readings does
            await connection.execute(statement("mark_stale"), marks)
        await connection.execute(statement("tell_of_readings"), telling)
        await connection.execute("COMMIT")


async def merge(connection: Connection, register: Register, rows: Sequence[Row]) -> bytearray:
    """Take the merge lane, in as many waves as a reading is in the batch."""
    outcomes = bytearray(len(rows))
    waves = [Wave(rows, range(len(rows)))] if distinct(rows) else folded(rows, outcomes)
    names = register.names
    try:
        version, columns = names.version, [in_columns(wave.rows, names.users, names.devices) for wave in waves]
    except KeyError:
        found = await register.keys(connection, rows)
        version, columns = found.version, [in_columns(wave.rows, found.users, found.devices) for wave in waves]
    async with undone_on_error(connection):
        async with connection.pipeline():
            await connection.execute("BEGIN")
            opening = await connection.execute(statement("begin_writing"))
            merged = [
                await connection.execute(statement("merge_readings"), wave_columns, binary=True)
                for wave_columns in columns
            ]
        (opened,) = await opening.fetchall()
        if opened["names_version"] != version:
            raise NamesChanged(opened["names_version"])
        for wave, cursor in zip(waves, merged, strict=True):
            (places,) = await cursor.fetchall()
            for outcome in (Outcome.inserted, Outcome.updated):
                for place in places[outcome.name]:
                    item = wave.items[place - 1]
                    if item is not None:
                        outcomes[item] = outcome
        with committing():
            await connection.execute("COMMIT")
    return outcomes


class Wave(NamedTuple):
    """Rows that are written by one statement, and the items whose outcomes they decide."""

    rows: Sequence[Row]
    items: Sequence[int | None]


def distinct(rows: Sequence[Row]) -> bool:
    """Tell whether no reading is twice in a batch."""
    return len({(row.user_id, row.device_id, row.timestamp) for row in rows}) == len(rows)


def folded(rows: Sequence[Row], outcomes: bytearray) -> list[Wave]:
    """Fold a batch into waves, and note the outcomes that are certain already."""
    waves, certain = fold(rows)
    for item, outcome in certain.items():
        outcomes[item] = Outcome[outcome]
    return [Wave([write.row for write in wave], [write.item for write in wave]) for wave in waves]


def in_columns(rows: Sequence[Row], users: Mapping[str, bytes], devices: Mapping[str, bytes]) -> dict[str, bytes]:
    """Write rows as arrays, one for each column; KeyError: a name is unknown."""
    return {
        "user_keys": keys([users[row.user_id] for row in rows]),
        "device_keys": keys([devices[row.device_id] for row in rows]),
        "timestamps": moments([row.timestamp for row in rows]),
        "heart_rates": doubles([row.heart_rate for row in rows]),
        "steps": ints([row.steps for row in rows]),
        "calories": doubles([row.calories for row in rows]),
    }


@asynccontextmanager
async def undone_on_error(connection: Connection) -> AsyncIterator[None]:
    """Roll the transaction back, in which something goes wrong."""
    try:
        yield
    except BaseException:
        if connection.pgconn.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
            await connection.execute("ROLLBACK")
        raise
