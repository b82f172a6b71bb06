"""The two ways of a batch into the database, each one short transaction that holds the horizon.

The fast lane is COPY straight into the table. It is for readings that are new: when it meets one that is known, its
transaction is undone, and the batch takes the merge lane, which can tell new, changed and unchanged apart.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from enum import IntEnum
from typing import NamedTuple

from psycopg import errors
from psycopg.pq import TransactionStatus

from service.database import Connection, statement
from service.fold import fold
from service.moments import to_micros
from service.names import Register
from service.packing import HEADER, TRAILER, doubles, ints, moments, pack, stale_days, touched
from service.readings import Row


class Outcome(IntEnum):
    """What became of a reading."""

    unchanged = 0
    inserted = 1
    updated = 2


class NamesChanged(Exception):
    """Somebody was erased since the keys of a batch were learnt; the transaction is undone."""

    def __init__(self, version: int) -> None:
        super().__init__(f"names are at version {version}")
        self.version = version


class Opening(NamedTuple):
    """What a transaction that writes readings begins with: days before this moment are to be marked stale."""

    announced: datetime


async def store(connection: Connection, register: Register, rows: Sequence[Row], merging: bool) -> bytearray:
    """Write rows in one transaction and return the outcome of each; `merging` expects that some are known."""
    while True:
        try:
            if not merging:
                try:
                    return await copy(connection, register, rows)
                except errors.UniqueViolation:
                    pass
            return await merge(connection, register, rows)
        except NamesChanged as changed:
            register.forget(changed.version)


async def copy(connection: Connection, register: Register, rows: Sequence[Row]) -> bytearray:
    """Take the fast lane; UniqueViolation where a reading is known, or twice in the batch."""
    names = register.names
    try:
        packed, version = pack(rows, names.users, names.devices), names.version
    except KeyError:
        keys = await register.keys(connection, rows)
        packed, version = pack(rows, keys.users, keys.devices), keys.version
    async with transaction(connection, version) as opening:
        async with connection.cursor().copy(statement("copy_readings")) as stream:
            await stream.write(b"".join([HEADER, *packed, TRAILER]))
        days = stale_days(packed, to_micros(opening.announced))
        user_keys, timestamps = touched(packed)
        await connection.execute(
            statement("tell_of_readings"),
            {
                "stale_users": ints([user_key for user_key, _ in days]),
                "stale_days": moments([day for _, day in days]),
                "user_keys": user_keys,
                "timestamps": timestamps,
            },
        )
    return bytearray([Outcome.inserted]) * len(rows)


async def merge(connection: Connection, register: Register, rows: Sequence[Row]) -> bytearray:
    """Take the merge lane, in as many waves as a reading is in the batch."""
    outcomes = bytearray(len(rows))
    waves = [Wave(rows, range(len(rows)))] if distinct(rows) else folded(rows, outcomes)
    names = register.names
    try:
        version, columns = names.version, [in_columns(wave.rows, names.users, names.devices) for wave in waves]
    except KeyError:
        keys = await register.keys(connection, rows)
        version, columns = keys.version, [in_columns(wave.rows, keys.users, keys.devices) for wave in waves]
    async with transaction(connection, version):
        for wave, wave_columns in zip(waves, columns, strict=True):
            cursor = await connection.execute(statement("merge_readings"), wave_columns, binary=True)
            merged = await cursor.fetchone()
            assert merged is not None
            for outcome in (Outcome.inserted, Outcome.updated):
                for place in merged[outcome.name]:
                    item = wave.items[place - 1]
                    if item is not None:
                        outcomes[item] = outcome
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


def in_columns(rows: Sequence[Row], users: Mapping[str, int], devices: Mapping[str, int]) -> dict[str, bytes]:
    """Write rows as arrays, one for each column; KeyError: a name is unknown."""
    return {
        "user_keys": ints([users[row.user_id] for row in rows]),
        "device_keys": ints([devices[row.device_id] for row in rows]),
        "timestamps": moments([row.timestamp for row in rows]),
        "heart_rates": doubles([row.heart_rate for row in rows]),
        "steps": ints([row.steps for row in rows]),
        "calories": doubles([row.calories for row in rows]),
    }


@asynccontextmanager
async def transaction(connection: Connection, names_version: int) -> AsyncIterator[Opening]:
    """Hold the horizon in a transaction; NamesChanged where the keys of a batch may be those of erased people."""
    try:
        cursor = await connection.execute(statement("begin_writing"))
        cursor.nextset()
        row = await cursor.fetchone()
        assert row is not None
        if row["names_version"] != names_version:
            raise NamesChanged(row["names_version"])
        yield Opening(row["announced"])
        await connection.execute("COMMIT")
    except BaseException:
        if connection.pgconn.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
            await connection.execute("ROLLBACK")
        raise
