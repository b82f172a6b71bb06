"""What a reading says of an interval: sums from its timestamp to its `end`, whether the device was worn, daily totals.

`end` concerns sums only; a gauge or latest value of the same reading is of the moment of its timestamp.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple

from service.model.pg_time import format_micros
from service.model.registry import Metric, plain

SECOND = 1_000_000
HOUR = 3600 * SECOND
LONGEST = 24 * HOUR
LONGEST_DAY = 25 * HOUR  # of local time, where clocks are turned back
SHORTEST_DAY = 23 * HOUR
BURST = 10  # seconds; phones count in bursts, 16 steps from second to second, so shorter intervals may hold as much
ROUNDING = 1 + 1e-12  # a rate such as 1/60 is no floating-point number


class IntervalKind(IntEnum):
    """What an interval is, as api_internal.merge_intervals numbers it."""

    interval = 0
    worn = 1
    daily_total = 2


class Interval(NamedTuple):
    """A value from the timestamp of its reading to an end in microseconds since 2000; no metric and 0 where worn."""

    kind: int
    metric_key: int
    end: int
    value: float


def counting_seconds(length: int) -> int:
    """Return for how many seconds an interval of so many microseconds may count: those begun, but for bursts."""
    return max(-(-length // SECOND), BURST)


class Extent(NamedTuple):
    """How far a reading reaches, from its timestamp to its end, and what it says of that time."""

    start: int
    end: int | None
    worn: bool
    daily_total: bool

    def intervals(self, sums: Sequence[tuple[Metric, float]]) -> tuple[Interval, ...]:
        """Return the intervals of a reading in which nothing is wrong; none where it has no end."""
        if self.end is None:
            return ()
        end, kind = self.end, IntervalKind.daily_total if self.is_day else IntervalKind.interval
        found = [Interval(kind, metric.key, end, value) for metric, value in sums]
        if self.worn:
            found.append(Interval(IntervalKind.worn, 0, end, 0.0))
        return tuple(found)

    @property
    def is_day(self) -> bool:
        """Whether its sums are daily totals."""
        return self.daily_total or (self.end is not None and self.end - self.start >= SHORTEST_DAY)

    def faults(self, sums: Sequence[tuple[Metric, float]]) -> Iterator[tuple[str, str]]:
        """Yield what is wrong, each with the name of a field or a metric."""
        if self.end is None:
            for name, is_set in (("worn", self.worn), ("daily_total", self.daily_total)):
                if is_set:
                    yield name, "needs an end: the reading is from timestamp to end"
            return
        length = self.end - self.start
        if length <= 0:
            yield "end", f"must be after the timestamp, {format_micros(self.start)}"
            return
        if length > (LONGEST_DAY if self.is_day and sums and not self.worn else LONGEST):
            yield "end", "must be at most 24 hours after the timestamp, or 25 for the total of a day; send shorter ones"
        if self.daily_total and not sums:
            yield "daily_total", "needs a metric that adds up, such as steps"
        seconds = counting_seconds(length)
        for metric, value in sums:
            if metric.is_whole and not value.is_integer():
                yield metric.name, "must be a whole number"
            if metric.most_per_second is not None and value > metric.most_per_second * seconds * ROUNDING:
                most = plain(round(metric.most_per_second * seconds, 6))
                yield metric.name, f"must be at most {most} {metric.unit} in {seconds} s, {rate_of(metric)}"


def rate_of(metric: Metric) -> str:
    """Write the most of a metric that may be counted in a second, or in a minute where that is a whole number."""
    assert metric.most_per_second is not None
    in_a_minute = round(metric.most_per_second * 60, 6)
    if metric.most_per_second < 1 and in_a_minute.is_integer():
        return f"{plain(in_a_minute)} a minute"
    return f"{metric.most_per_second:g} a second"
