"""Ranges of a user: summaries and series."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict


class RangeMetrics(TypedDict):
    """A range in three figures; null where nothing was measured."""

    avg_heart_rate: float | None
    total_steps: int | None
    total_calories: float | None


class HeartRatePoint(TypedDict):
    """One minute's average of the best device that reported in it."""

    timestamp: str
    heart_rate: float
    device_id: str


class HeartRateData(TypedDict):
    """Heart rate by the minute."""

    user_id: str
    data: list[HeartRatePoint]
    count: int


class HeartRateSummary(TypedDict):
    """Heart rate over a range, beats per minute."""

    count: int
    avg: float
    min: float
    max: float


class SummaryDocument(TypedDict):
    """Exact aggregates of a range; null where nothing was measured."""

    user_id: str
    start: str
    end: str
    heart_rate: HeartRateSummary | None
    steps: int | None
    calories: float | None
    first: str
    last: str
    sources: list[str]


class SeriesHeartRate(TypedDict):
    """Heart rate in a bucket; device_id is null where several devices gave it."""

    count: int
    avg: float
    min: float
    max: float
    device_id: str | None


class SeriesPoint(TypedDict):
    """A bucket that starts at t; null where nothing was measured."""

    t: str
    heart_rate: SeriesHeartRate | None
    steps: int | None
    calories: float | None


class SeriesDocument(TypedDict):
    """A user's readings by bucket."""

    user_id: str
    bucket: Literal["raw", "1m", "5m", "15m", "1h", "1d", "1w", "1mo"]
    tz: str
    points: list[SeriesPoint]
    sources: list[str]
