"""Rows in PostgreSQL's binary formats: as COPY takes them, and as arrays."""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Dumper
from psycopg.pq import Format

from service.model.pg_time import QUARTER
from service.model.reading import Row

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
NULL = b"\xff\xff\xff\xff"
# Each value stands behind its length: user_key, device_key, ts, heart_rate, steps, calories.
COLUMNS, FOUR, EIGHT = struct.pack(">h", 6), struct.pack(">i", 4), struct.pack(">i", 8)
WHOLE = struct.Struct(">2s8s8s4sq4sd4si4sd").pack
START = struct.Struct(">2s8s8s4sq").pack
KEY = struct.Struct(">ii").pack
DOUBLE = struct.Struct(">id").pack
INT = struct.Struct(">ii").pack
MOMENT = struct.Struct(">q")
# Where they stand in a packed row.
USER, DEVICE, TS = slice(2, 10), slice(10, 18), slice(18, 30)
USER_KEY = struct.Struct(">i").unpack
SOURCE = slice(0, 22)  # up to the length of ts
BEYOND = b"\xff" * 21  # more than any ts with what follows it, which may be up to two NULLs


def pack_key(key: int) -> bytes:
    """Pack a key, behind its length."""
    return KEY(4, key)


def pack(rows: Sequence[Row], users: Mapping[str, bytes], devices: Mapping[str, bytes]) -> list[bytes]:
    """Pack rows for COPY, in the order in which everyone writes: by user, device, time.

    Keys are packed already. KeyError: a name is unknown.
    """
    try:
        packed = [
            WHOLE(
                COLUMNS, users[row.user_id], devices[row.device_id], EIGHT, row.timestamp,
                EIGHT, row.heart_rate, FOUR, row.steps, EIGHT, row.calories,
            )
            for row in rows
        ]  # fmt: skip
    except struct.error:
        packed = [pack_sparse(row, users[row.user_id], devices[row.device_id]) for row in rows]
    packed.sort()
    return packed


def pack_sparse(row: Row, user_key: bytes, device_key: bytes) -> bytes:
    """Pack a row that may lack metrics."""
    return (
        START(COLUMNS, user_key, device_key, EIGHT, row.timestamp)
        + (NULL if row.heart_rate is None else DOUBLE(8, row.heart_rate))
        + (NULL if row.steps is None else INT(4, row.steps))
        + (NULL if row.calories is None else DOUBLE(8, row.calories))
    )


class Run(NamedTuple):
    """Rows of one user and device that follow each other: where they lie, and their first and last moment."""

    start: int
    end: int
    first: int
    last: int


def runs(packed: Sequence[bytes]) -> Iterator[Run]:
    """Yield the runs of packed rows, which must be in order."""
    start = 0
    while start < len(packed):
        source = packed[start][SOURCE]
        end = bisect_left(packed, source + BEYOND, start)
        first, last = moment(packed[start]), moment(packed[end - 1])
        if last < 0 <= first:
            # As bytes, what is before 2000 follows what is after.
            before = bisect_left(packed, source + b"\x80", start, end)
            first, last = moment(packed[before]), moment(packed[before - 1])
        yield Run(start, end, first, last)
        start = end


def moment(row: bytes) -> int:
    """Return the moment of a packed row."""
    at: int = MOMENT.unpack_from(row, 22)[0]
    return at


def stale_quarters(packed: Sequence[bytes], announced: int) -> list[tuple[int, int]]:
    """List the quarters of an hour of users that packed rows below the announced horizon lie in: user_key and start."""
    quarters: dict[tuple[int, int], None] = {}
    for run in runs(packed):
        if run.first >= announced:
            continue
        user_key: int = USER_KEY(packed[run.start][6:10])[0]
        if run.first < 0:
            moments_of = (moment(row) for row in packed[run.start : run.end])
            quarters |= dict.fromkeys((user_key, at // QUARTER * QUARTER) for at in moments_of if at < announced)
            continue
        place = run.start
        while place < run.end and (at := moment(packed[place])) < announced:
            quarter = at // QUARTER * QUARTER
            quarters[user_key, quarter] = None
            place = bisect_left(packed, packed[place][SOURCE] + MOMENT.pack(quarter + QUARTER), place, run.end)
    return list(quarters)


class Ints(bytes):
    """An int[] in binary."""


class Moments(bytes):
    """A timestamptz[] in binary."""


class Doubles(bytes):
    """A double precision[] in binary."""


class Texts(NamedTuple):
    """A text[] in binary. It holds bytes and is none, since that would take a copy, and these may be many."""

    array: bytes


class ArrayDumper(Dumper):
    """Hands an array that is binary already to the database as it is."""

    format = Format.BINARY

    def dump(self, obj: Any) -> Buffer:
        """Return the array."""
        array: bytes = obj
        return array


class TextsDumper(ArrayDumper):
    """Does so for texts."""

    oid = psycopg.adapters.types["text"].array_oid

    def dump(self, obj: Any) -> Buffer:
        """Return the array."""
        texts: Texts = obj
        return texts.array


psycopg.adapters.register_dumper(Texts, TextsDumper)
for kind, name in ((Ints, "int4"), (Moments, "timestamptz"), (Doubles, "float8")):
    oid = psycopg.adapters.types[name].array_oid
    psycopg.adapters.register_dumper(kind, type(f"{kind.__name__}Dumper", (ArrayDumper,), {"oid": oid}))


def array(element: str, count: int, body: bytes, has_null: bool = False) -> bytes:
    """Put the header of a one-dimensional array before its elements, each of which stands behind its length."""
    return array_header(element, count, has_null) + body


def array_header(element: str, count: int, has_null: bool = False) -> bytes:
    """Write what stands before the elements of an array."""
    oid = psycopg.adapters.types[element].oid
    return struct.pack(">iIIii", 1, has_null, oid, count, 1) if count else struct.pack(">iII", 0, 0, oid)


def ints(values: Sequence[int | None]) -> Ints:
    """Write an int[]."""
    body = b"".join([NULL if value is None else INT(4, value) for value in values])
    return Ints(array("int4", len(values), body, has_null=len(body) < 8 * len(values)))


def keys(packed: Sequence[bytes]) -> Ints:
    """Write an int[] of packed keys."""
    return Ints(array("int4", len(packed), b"".join(packed)))


def doubles(values: Sequence[float | None]) -> Doubles:
    """Write a double precision[]."""
    body = b"".join([NULL if value is None else DOUBLE(8, value) for value in values])
    return Doubles(array("float8", len(values), body, has_null=len(body) < 12 * len(values)))


def texts(values: Sequence[bytes]) -> Texts:
    """Write a text[] of texts in UTF-8."""
    pack_length = struct.Struct(">i").pack
    elements = [part for value in values for part in (pack_length(len(value)), value)]
    return Texts(b"".join([array_header("text", len(values)), *elements]))


def moments(values: Sequence[int]) -> Moments:
    """Write a timestamptz[] of moments in microseconds."""
    pack_moment = struct.Struct(">iq").pack
    return Moments(array("timestamptz", len(values), b"".join([pack_moment(8, value) for value in values])))


def touched(packed: Sequence[bytes]) -> tuple[Ints, Moments]:
    """Return a user_key and a timestamp for each packed row.

    Of each run the last timestamp is there, and the first one for all others: that is all that telling needs.
    """
    users: list[bytes] = []
    timestamps: list[bytes] = []
    for run in runs(packed):
        count = run.end - run.start
        users.append(packed[run.start][USER] * count)
        timestamps.append(struct.pack(">iq", 8, run.first) * (count - 1))
        timestamps.append(struct.pack(">iq", 8, run.last))
    return (
        Ints(array("int4", len(packed), b"".join(users))),
        Moments(array("timestamptz", len(packed), b"".join(timestamps))),
    )
