"""The questions of `bench answers` and their targets."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from scripts.bench.history import DAY, TENANT, History

SUMMARY = b"SELECT * FROM api.summary(%(tenant)s, %(user)s, %(start)s::timestamptz, %(end)s::timestamptz)"
SERIES = (
    b"SELECT * FROM api.series(%(tenant)s, %(user)s, %(start)s::timestamptz, %(end)s::timestamptz, "
    b"%(bucket)s, %(tz)s, 1000)"
)
LATEST = b"SELECT * FROM api.latest(%(tenant)s, %(user)s)"
BASELINE = Path(__file__).with_name("baseline.sql").read_bytes()

Range = tuple[datetime, datetime]
Pick = Callable[[random.Random, History], Range]


class Kind(NamedTuple):
    """A kind of question; targets are milliseconds in the database."""

    name: str
    statement: bytes
    pick: Pick
    bucket: str = "auto"
    tz: str = "UTC"
    target_p50: float | None = None
    target_p99: float | None = None
    baseline: str | None = None
    """The kind that asks the same from raw readings."""


class Question(NamedTuple):
    """A statement and its parameters."""

    statement: bytes
    parameters: dict[str, object]


def ragged(days: int) -> Pick:
    """Pick ranges of up to a day less than `days`, with arbitrary ends."""

    def pick(chance: random.Random, of: History) -> Range:
        longest = min(days * DAY, of.end - of.start)
        length = longest - chance.random() * DAY if days > 1 else longest
        start = of.start + chance.random() * (of.end - of.start - length)
        return start, start + length

    return pick


def local(days: int, tz: str) -> Pick:
    """Pick ranges of whole local days."""

    def pick(chance: random.Random, of: History) -> Range:
        zone = ZoneInfo(tz)
        # Local midnights on calendar days that lie inside the history wherever the zone is.
        first, last = (of.start + DAY).date(), (of.end - DAY).date()
        length = min(days, (last - first).days)
        day = first + timedelta(days=chance.randint(0, (last - first).days - length))
        start, end = (datetime(d.year, d.month, d.day, tzinfo=zone).astimezone(UTC) for d in (day, day + length * DAY))
        return start, end

    return pick


def until_now(days: int) -> Pick:
    """Pick the last days, which end above the horizon."""

    def pick(_: random.Random, of: History) -> Range:
        return max(of.start, of.end - days * DAY), of.end

    return pick


RAW = (
    Kind("summary of a ragged year, from raw", BASELINE, ragged(365)),
    Kind("summary of a ragged week, from raw", BASELINE, ragged(7)),
    Kind("summary of a ragged day, from raw", BASELINE, ragged(1)),
)
KINDS = (
    Kind(
        "summary of a ragged year",
        SUMMARY,
        ragged(365),
        target_p50=5,
        target_p99=15,
        baseline="summary of a ragged year, from raw",
    ),
    Kind("summary of a ragged week", SUMMARY, ragged(7), baseline="summary of a ragged week, from raw"),
    Kind("summary of a ragged day", SUMMARY, ragged(1), target_p50=2, baseline="summary of a ragged day, from raw"),
    Kind("summary of a UTC day", SUMMARY, local(1, "UTC"), target_p50=2),
    Kind("summary of a day in Kathmandu", SUMMARY, local(1, "Asia/Kathmandu"), target_p50=2),
    Kind("summary of the last 24 hours", SUMMARY, until_now(1), target_p50=2),
    Kind("year of days, UTC", SERIES, local(365, "UTC"), "1d", target_p50=10),
    Kind("year of days, Europe/Berlin", SERIES, local(365, "Europe/Berlin"), "1d", "Europe/Berlin", target_p50=10),
    Kind("year of days, Asia/Kathmandu", SERIES, local(365, "Asia/Kathmandu"), "1d", "Asia/Kathmandu", target_p50=10),
    Kind("auto of 1000 points, year", SERIES, ragged(365), target_p50=10),
    Kind("auto of 1000 points, year, Berlin", SERIES, ragged(365), tz="Europe/Berlin", target_p50=10),
    Kind("auto of 1000 points, month", SERIES, ragged(31), target_p50=10),
    Kind("auto of 1000 points, week", SERIES, ragged(7), target_p50=10),
    Kind("day by minute", SERIES, ragged(1), "1m"),
    Kind("latest values", LATEST, until_now(1)),
)


def ask(kind: Kind, of: History, count: int, seed: int) -> Iterator[Question]:
    """Yield random questions of a kind; the same seed yields the same."""
    chance = random.Random(f"{seed} {kind.pick.__qualname__} {kind.name.removesuffix(', from raw')}")  # noqa: S311
    for _ in range(count):
        user = chance.choice(list(of.users))
        start, end = kind.pick(chance, of)
        yield Question(
            kind.statement,
            {
                "tenant": TENANT,
                "user": user,
                "user_key": of.users[user],
                "start": start,
                "end": end,
                "bucket": kind.bucket,
                "tz": kind.tz,
            },
        )
