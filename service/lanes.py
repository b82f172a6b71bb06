"""The two ways of a batch into the database, each one short transaction that holds the horizon.

The fast lane is COPY straight into the table. It is for readings that are new: when it meets one that is known, its
transaction is undone, and the batch takes the merge lane, which can tell new, changed and unchanged apart.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from enum import IntEnum
from itertools import chain
from operator import attrgetter
from typing import NamedTuple

from psycopg import errors
from psycopg.pq import TransactionStatus

from service.copying import break_off, fill_copy, open_copy, run_plainly
from service.database import Connection, statement
from service.fold import fold
from service.moments import UNIX_EPOCH
from service.names import Keys, Names, Register
from service.packing import HEADER, TRAILER, doubles, ints, moments, pack, stale_days, touched
from service.readings import Row
from service.written import Written

moment_of = attrgetter("timestamp")


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


class Packed(NamedTuple):
    """Rows as COPY takes them, in order, their first moment, and the version of names that their keys hold under."""

    rows: list[bytes]
    first: int
    version: int


def pack_known(names: Names | Keys, rows: Sequence[Row]) -> Packed | None:
    """Pack rows; None where a name is unknown."""
    try:
        return Packed(pack(rows, names.users, names.devices), min(map(moment_of, rows)), names.version)
    except KeyError:
        return None


async def store(
    connection: Connection,
    register: Register,
    written: Written,
    rows: Sequence[Row],
    merging: bool,
    parts: Sequence[Packed | None] = (),
) -> bytearray:
    """Write rows in one transaction and return the outcome of each; `merging` expects that some are known.

    `parts` are the same rows, packed already as far as that could be done.
    """
    while True:
        try:
            if not merging:
                try:
                    return await copy(connection, register, written, rows, parts)
                except errors.UniqueViolation:
                    pass
            return await merge(connection, register, rows)
        except NamesChanged as changed:
            register.forget(changed.version)


async def copy(
    connection: Connection,
    register: Register,
    written: Written,
    rows: Sequence[Row],
    parts: Sequence[Packed | None] = (),
) -> bytearray:
    """Take the fast lane; UniqueViolation where a reading is known, or twice in the batch."""
    packed, first, version = joined(parts, register.names.version) or await pack_all(connection, register, rows)
    async with undone_on_error(connection):
        ((announced, names_version),) = await open_copy(connection, statement("copy_readings"))
        assert announced is not None
        assert names_version is not None
        if int(names_version) != version:
            await break_off(connection, b"names have changed")
            raise NamesChanged(int(names_version))
        await fill_copy(connection, b"".join([HEADER, *packed, TRAILER]))
        horizon = int(announced) - UNIX_EPOCH
        days = stale_days(packed, horizon) if first < horizon else []
        mark = written.mark(rows)
        if days or written.others_listen:
            await mark_tell_and_commit(connection, days, packed if written.others_listen else (), mark)
        else:
            await run_plainly(connection, statement("commit_with_mark") % mark.encode())
    return bytearray([Outcome.inserted]) * len(rows)


async def mark_tell_and_commit(
    connection: Connection, days: Sequence[tuple[int, int]], packed: Sequence[bytes], mark: str
) -> None:
    """Mark days of users stale, tell whose readings are new, and commit."""
    marks = {"user_keys": ints([user_key for user_key, _ in days]), "days": moments([day for _, day in days])}
    user_keys, timestamps = touched(packed)
    telling = {"user_keys": user_keys, "timestamps": timestamps, "mark": mark}
    async with connection.pipeline():
        if days:  # to find that there are none would cost the database a tenth of what storing 1000 readings does
            await connection.execute(statement("mark_stale"), marks)
        await connection.execute(statement("tell_of_readings"), telling)
        await connection.execute("COMMIT")


def joined(parts: Sequence[Packed | None], version: int) -> Packed | None:
    """Join packed rows; None where some are not packed, or under another version of names."""
    known = [part for part in parts if part is not None and part.version == version]
    if not known or len(known) < len(parts):
        return None
    if len(known) == 1:
        return known[0]
    return Packed(sorted(chain.from_iterable(part.rows for part in known)), min(part.first for part in known), version)


async def pack_all(connection: Connection, register: Register, rows: Sequence[Row]) -> Packed:
    """Pack rows, and learn the names that are unknown."""
    packed = pack_known(register.names, rows)
    if packed is not None:
        return packed
    packed = pack_known(await register.keys(connection, rows), rows)
    assert packed is not None
    return packed


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
    async with undone_on_error(connection):
        async with connection.pipeline():
            await connection.execute("BEGIN")
            opening = await connection.execute(statement("begin_writing"))
            merged = [
                await connection.execute(statement("merge_readings"), wave_columns, binary=True)
                for wave_columns in columns
            ]
        (found,) = await opening.fetchall()
        if found["names_version"] != version:
            raise NamesChanged(found["names_version"])
        for wave, cursor in zip(waves, merged, strict=True):
            (places,) = await cursor.fetchall()
            for outcome in (Outcome.inserted, Outcome.updated):
                for place in places[outcome.name]:
                    item = wave.items[place - 1]
                    if item is not None:
                        outcomes[item] = outcome
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
async def undone_on_error(connection: Connection) -> AsyncIterator[None]:
    """Roll the transaction back, in which something goes wrong."""
    try:
        yield
    except BaseException:
        if connection.pgconn.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
            await connection.execute("ROLLBACK")
        raise
