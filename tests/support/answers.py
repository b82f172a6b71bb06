"""What questions are answered with, and how minutes add up to that.

Sums of heart rate and calories are in whole millionths until the end, as the documents promise.
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from tests.support.moments import MINUTE
from tests.support.stored import Values


class Found(NamedTuple):
    """A reading of one user, with the device it came from."""

    ts: int
    device: str
    values: Values


class Summary(NamedTuple):
    """What a range, or a bucket of one, comes to."""

    heart_rate_count: int
    heart_rate_avg: float | None
    heart_rate_min: float | None
    heart_rate_max: float | None
    steps: int | None
    calories: float | None
    first: int | None
    last: int | None


class Point(NamedTuple):
    """One bucket of a series."""

    t: int
    heart_rate_count: int
    heart_rate_avg: float | None
    heart_rate_min: float | None
    heart_rate_max: float | None
    heart_rate_device: str | None
    steps: int | None
    calories: float | None


class Minute(NamedTuple):
    """One minute: sums of heart rate and calories in millionths."""

    bucket: int
    first_ts: int
    last_ts: int
    heart_rate_sum: int | None
    heart_rate_count: int
    heart_rate_min: float | None
    heart_rate_max: float | None
    calories: int | None
    steps: int | None
    heart_rate_device: str | None


class Wear(NamedTuple):
    """Minutes with a heart rate, and the lowest average of a quarter of an hour that has three of them."""

    minutes: int
    resting_heart_rate: float | None


class Vitals(NamedTuple):
    """One row of the views api.vitals: a bucket of UTC."""

    bucket: int
    heart_rate_device: str | None
    values: Summary
    wear: Wear | None


class LocalDay(NamedTuple):
    """One row of api.daily: a day of a user in a time zone, from its first moment to the one after it."""

    user: str
    day: date
    start: int
    end: int
    values: Summary
    wear: Wear


class Count(NamedTuple):
    """How many events of a kind happened in a bucket of UTC."""

    bucket: int
    source: str
    event_type: str
    count: int


class Latest(NamedTuple):
    """A metric's latest value."""

    metric: str
    value: float | None
    ts: int
    device: str


def micro(value: float) -> int:
    """Return a value in whole millionths."""
    return round(value * 1e6)


def only_device(minutes: list[Minute]) -> str | None:
    """Return the device that gave all heart rates, if a single one did."""
    devices = {minute.heart_rate_device for minute in minutes if minute.heart_rate_device is not None}
    return devices.pop() if len(devices) == 1 else None


def total(minutes: list[Minute]) -> Summary:
    """Add minutes up; the average is one division of whole numbers, which Python rounds correctly."""
    rates = [minute for minute in minutes if minute.heart_rate_count]
    count = sum(minute.heart_rate_count for minute in rates)
    steps = [minute.steps for minute in minutes if minute.steps is not None]
    calories = [minute.calories for minute in minutes if minute.calories is not None]
    return Summary(
        count,
        sum(minute.heart_rate_sum or 0 for minute in rates) / (count * 10**6) if count else None,
        min((minute.heart_rate_min for minute in rates if minute.heart_rate_min is not None), default=None),
        max((minute.heart_rate_max for minute in rates if minute.heart_rate_max is not None), default=None),
        sum(steps) if steps else None,
        sum(calories) / 10**6 if calories else None,
        min((minute.first_ts for minute in minutes), default=None),
        max((minute.last_ts for minute in minutes), default=None),
    )


def wear(minutes: list[Minute]) -> Wear:
    """Count the minutes with a heart rate; only quarters of an hour with three of them count for the resting one."""
    worn = [minute for minute in minutes if minute.heart_rate_count]
    quarters: dict[int, list[Minute]] = {}
    for minute in worn:
        quarters.setdefault(minute.bucket // (15 * MINUTE), []).append(minute)
    averages = (total(quarter).heart_rate_avg for quarter in quarters.values() if len(quarter) >= 3)
    return Wear(len(worn), min((average for average in averages if average is not None), default=None))


def raw_point(found: Found) -> Point:
    rate = found.values.heart_rate
    count = 0 if rate is None else 1
    return Point(found.ts, count, rate, rate, rate, found.device, found.values.steps, found.values.calories)
