"""Ranges of a user: summaries and series."""

from __future__ import annotations

from typing import Literal, NotRequired

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


class GaugeFigures(TypedDict):
    """A level, in its unit."""

    count: int
    avg: float
    min: float
    max: float
    unit: str


class SumFigures(TypedDict):
    """An amount, in its unit."""

    total: float
    unit: str


class LatestFigures(TypedDict):
    """The last value, in its unit, and when it was measured."""

    last: float
    timestamp: str
    unit: str


class SummaryDocument(TypedDict):
    """Exact aggregates of a range; null where nothing was measured. metrics is there where it is asked for."""

    user_id: str
    start: str
    end: str
    heart_rate: HeartRateSummary | None
    steps: int | None
    calories: float | None
    first: str
    last: str
    sources: list[str]
    metrics: NotRequired[dict[str, GaugeFigures | SumFigures | LatestFigures | None]]


class SeriesHeartRate(TypedDict):
    """Heart rate in a bucket; device_id is null where several devices gave it."""

    count: int
    avg: float
    min: float
    max: float
    device_id: str | None


class SeriesGauge(GaugeFigures):
    """A level in a bucket; device_id is null where several devices gave it."""

    device_id: str | None


class SeriesSum(SumFigures):
    """An amount in a bucket; device_id is null where several devices gave it, and of steps and calories."""

    device_id: str | None


class SeriesLast(TypedDict):
    """The last value in a bucket, in its unit; device_id is null where several devices gave values."""

    last: float
    unit: str
    device_id: str | None


class SeriesPoint(TypedDict):
    """A bucket that starts at t; null where nothing was measured. metrics is there where it is asked for."""

    t: str
    heart_rate: SeriesHeartRate | None
    steps: int | None
    calories: float | None
    metrics: NotRequired[dict[str, SeriesGauge | SeriesSum | SeriesLast]]


class SeriesDocument(TypedDict):
    """A user's readings by bucket."""

    user_id: str
    bucket: Literal["raw", "1m", "5m", "15m", "1h", "1d", "1w", "1mo"]
    tz: str
    points: list[SeriesPoint]
    sources: list[str]
