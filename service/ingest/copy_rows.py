"""Readings as rows of COPY in PostgreSQL's binary format, ordered by user, device and time."""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from service.database.binary_arrays import DOUBLE, INT, NULL, Ints, Moments, array
from service.model.pg_time import QUARTER
from service.model.reading import Row

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
# Each value stands behind its length: user_key, device_key, ts, heart_rate, steps, calories.
COLUMNS, FOUR, EIGHT = struct.pack(">h", 6), struct.pack(">i", 4), struct.pack(">i", 8)
WHOLE = struct.Struct(">2s8s8s4sq4sd4si4sd").pack
START = struct.Struct(">2s8s8s4sq").pack
KEY = struct.Struct(">ii").pack
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


def touched(packed: Sequence[bytes]) -> tuple[Ints, Moments]:
    """Return a user_key and a timestamp for each packed row.

    Of each run the last timestamp is there, and the first one for all others: announcing needs no more.
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
