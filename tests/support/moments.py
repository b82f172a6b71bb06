"""Moments as whole microseconds since 1970, UTC, and the buckets of time and the local days that they lie in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
FIXED = {"1m": MINUTE, "5m": 5 * MINUTE, "15m": 15 * MINUTE, "1h": HOUR}
LADDER = [*FIXED.items(), ("1d", DAY), ("1w", 7 * DAY)]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(ts: int) -> datetime:
    return EPOCH + timedelta(microseconds=ts)


def micros(when: datetime) -> int:
    return (when - EPOCH) // timedelta(microseconds=1)


def auto_bucket(start: int, end: int, max_points: int) -> str:
    """Return the finest bucket of which at most so many make up the range."""
    return next((name for name, width in LADDER if end - start <= width * max_points), "1mo")


def bucket_start(ts: int, bucket: str, tz: str) -> int:
    """Return the first instant of the bucket that a moment lies in."""
    if bucket in FIXED:
        return ts // FIXED[bucket] * FIXED[bucket]
    return period_start(local_day(ts, tz), bucket, tz)


def local_day(ts: int, tz: str) -> date:
    return moment(ts).astimezone(ZoneInfo(tz)).date()


@cache
def period_start(day: date, bucket: str, tz: str) -> int:
    """Return the first instant of the local day, week from Monday, or month that a local day lies in."""
    if bucket == "1w":
        day -= timedelta(days=day.weekday())
    elif bucket == "1mo":
        day = day.replace(day=1)
    guess = micros(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(tz)))
    if local_day(guess - 1, tz) < day <= local_day(guess, tz):
        return guess
    # Midnight is left out, or lies in a stretch that the clocks go through twice.
    low, high = guess - 26 * HOUR, guess + 26 * HOUR
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if local_day(middle, tz) < day else (low, middle)
    return high


def borders(start: int, end: int, tz: str) -> Iterator[int]:
    """Yield the local midnights of a range, as instants."""
    day = local_day(start, tz)
    while (instant := period_start(day, "1d", tz)) < end:
        yield instant
        day += timedelta(days=1)
