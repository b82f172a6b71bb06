"""The readings that are written, in batches as the service's writer copies them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from service.ingest.copy_rows import COLUMNS, EIGHT, FOUR, HEADER, TRAILER, WHOLE, pack_key

BATCH = 5000
"""Approximate number of readings in a transaction."""
QUARTER = timedelta(minutes=15)
DAY = timedelta(days=1)
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""The origin of PostgreSQL's microseconds."""


class Source(NamedTuple):
    """A device of a user."""

    user: str
    device: str
    user_key: int
    device_key: int
    second: int
    """The second of the minute at which the device measures; different for a user's two devices."""


class Batch(NamedTuple):
    """Readings of one transaction."""

    rows: bytes
    """In COPY's binary format."""
    readings: int
    user_keys: list[int]
    quarters: list[datetime]
    """The quarters of an hour that contain the readings, parallel to user_keys."""


class Late(NamedTuple):
    """A late reading."""

    source: Source
    moment: datetime
    heart_rate: float
    steps: int
    calories: float


def named(user_keys: Sequence[int], device_keys: Sequence[int], names: Sequence[tuple[str, str]]) -> list[Source]:
    """Return sources; a user's second device measures half a minute after the first."""
    known: set[int] = set()
    sources = []
    for user_key, device_key, (user, device) in zip(user_keys, device_keys, names, strict=True):
        second = user_key % 30 + (30 if user_key in known else 0)
        known.add(user_key)
        sources.append(Source(user, device, user_key, device_key, second))
    return sources


def names(users: int, second_every: int) -> list[tuple[str, str]]:
    """Return the names of users and devices: one each, and a second one of every `second_every`th user; 0 for none."""
    first = [(f"walker-{number}", f"watch of walker-{number}") for number in range(1, users + 1)]
    second = range(second_every, users + 1, second_every) if second_every else ()
    return first + [(f"walker-{number}", f"phone of walker-{number}") for number in second]


def by_time(sources: Sequence[Source], start: datetime, end: datetime, every: timedelta) -> Iterator[Batch]:
    """Yield batches as chest straps send: some minutes of every user, then the next."""
    steps = max(1, BATCH // len(sources)) * every
    while start < end:
        until = min(end, start + steps)
        yield batch(sources, start, until, every)
        start = until


def by_user(sources: Sequence[Source], start: datetime, end: datetime, every: timedelta) -> Iterator[Batch]:
    """Yield batches as phones upload: all readings of some users, then of the next."""
    size = max(1, BATCH // max(1, (end - start) // every))
    for first in range(0, len(sources), size):
        yield batch(sources[first : first + size], start, end, every)


def batch(sources: Sequence[Source], start: datetime, end: datetime, every: timedelta) -> Batch:
    """Return a reading of each source at each step of a range, in the order in which the service writes."""
    steps = list(range(micros(start), micros(end), micros(EPOCH + every)))
    rows = [row(source, step) for source in sources for step in steps]
    quarters = [start + number * QUARTER for number in range(-((start - end) // QUARTER))]
    users = sorted({source.user_key for source in sources})
    return Batch(
        b"".join([HEADER, *rows, TRAILER]),
        len(rows),
        [user for user in users for _ in quarters],
        quarters * len(users),
    )


def row(source: Source, step: int) -> bytes:
    """Return a binary row of the minute that starts at a step; values rarely repeat."""
    number = source.user_key * 7919 + step // 60_000_000 * 104_729 + source.device_key
    return WHOLE(
        COLUMNS, pack_key(source.user_key), pack_key(source.device_key), EIGHT, step + source.second * 1_000_000,
        EIGHT, (500 + number % 997) / 10, FOUR, number % 113, EIGHT, number % 331 / 100,
    )  # fmt: skip


def late(source: Source, moment: datetime) -> Late:
    """Return a reading with a timestamp of its own, half a second after the source measures."""
    minute = moment.replace(second=0, microsecond=0)
    return Late(source, minute + timedelta(seconds=source.second, milliseconds=500), 71.5, 17, 0.75)


def micros(moment: datetime) -> int:
    """Return the microseconds since 2000."""
    return (moment - EPOCH) // timedelta(microseconds=1)
