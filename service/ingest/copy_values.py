"""Samples and intervals as rows of COPY in PostgreSQL's binary format, and what a writer marks because of them."""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, NamedTuple, TypeAlias

from service.database.binary_arrays import ints, keys, moments, smallints
from service.ingest.copy_rows import moment, pack_key, pack_sparse, stale_quarters
from service.ingest.intervals import Intervals
from service.ingest.key_cache import Names
from service.ingest.sample_series import THREE, SampleDay, Series
from service.ingest.single_values import OneInterval, OneSample
from service.model.intervals import HOUR, IntervalKind
from service.model.pg_time import DAY, QUARTER
from service.model.reading import Row

# Each value stands behind its length: user_key, metric_key, device_key, ts, value.
SAMPLE_HEAD = struct.pack(">h", 5)
SAMPLE = struct.Struct(">2s8sii8siqid").pack
# user_key, metric_key, device_key, ts, ends_at, value; the version is the next one.
INTERVAL_HEAD = struct.pack(">h", 6)
INTERVAL = struct.Struct(">2s8sii8siqiqid").pack
# Where they stand in a packed row.
USER, SERIES, METRIC = slice(2, 10), slice(2, 26), struct.Struct(">14xi")
SOURCE = slice(0, 30)  # up to the length of ts
MOMENT = struct.Struct(">30xq")
EXTENT = struct.Struct(">2x24s4xq4xq12x")  # of the whole row of an interval, with its series
PACK_MOMENT = struct.Struct(">q").pack

Touched: TypeAlias = tuple[bytes, int]
"""The key of a user, packed, and the start of a quarter of an hour, or of an hour."""


class Touches(NamedTuple):
    """What samples and intervals touch."""

    sample_series: set[Series]
    """Those of samples, and of intervals whose rollups are those of samples."""
    interval_series: set[Series]
    quarters: set[Touched]
    """Quarters of an hour with samples."""
    hours: set[Touched]
    """Hours with intervals of the three metrics."""
    other_hours: set[Touched]
    """Hours with intervals of other metrics."""


class PackedValues(NamedTuple):
    """What readings store, as COPY takes it, and the version of names that their keys hold under."""

    reading_count: int
    readings: list[bytes]
    """By user, device and time, as every writer stores them."""
    samples: list[bytes]
    """By user, metric, device and time, as every writer stores them."""
    intervals: list[bytes]
    """As they were sent, since of intervals that overlap the later one counts: writers hold their series instead."""
    others: Intervals
    """Worn windows and totals of days, which are not copied."""
    touches: Touches
    version: int

    def changed(self) -> list[Touched]:
        """List whose values change, and at which moments, each once however many metrics it has."""
        found = dict.fromkeys((row[USER], MOMENT.unpack_from(row)[0]) for row in self.samples + self.intervals)
        found |= dict.fromkeys((row[USER], moment(row)) for row in self.readings)
        return list(found)


class Marks(NamedTuple):
    """What is marked for the refresh, and the days of samples to note, which begin above the horizon."""

    readings: list[tuple[int, int]]
    samples: list[Touched]
    cells: list[Touched]
    sample_days: dict[SampleDay, Touched]
    """Those that samples of or after the horizon are of, each with a moment of it."""

    def writes(self, unnoted: Iterable[SampleDay]) -> list[tuple[str, dict[str, bytes]]]:
        """Return the statements that mark, by name, with columns, and that note days of samples."""
        found = []
        if self.readings:
            user_keys, quarters = [key for key, _ in self.readings], [start for _, start in self.readings]
            found.append(("mark_stale", {"user_keys": ints(user_keys), "quarters": moments(quarters)}))
        if self.cells:
            found.append(("mark_cells", in_columns(self.cells)))
        samples = self.samples + [self.sample_days[day] for day in unnoted]
        if samples:
            found.append(("mark_samples", in_columns(samples)))
        return found


def pack_values(rows: Sequence[Row], names: Names, tenant_id: str) -> PackedValues:
    """Pack the readings of a tenant. KeyError: a name is unknown."""
    users, devices = names.of(tenant_id)
    readings: list[bytes] = []
    samples: list[bytes] = []
    intervals: list[bytes] = []
    others = Intervals([], [], [])
    singles: Any = rows  # whose attributes are known below
    if are_all(rows, OneSample):
        samples = [
            SAMPLE(
                SAMPLE_HEAD, users[row.user_id], 4, row.metric_key, devices[row.device_id], 8, row.timestamp,
                8, row.value,
            )
            for row in singles
        ]  # fmt: skip
    elif are_all(rows, OneInterval):
        intervals = [
            INTERVAL(
                INTERVAL_HEAD, users[row.user_id], 4, row.metric_key, devices[row.device_id], 8, row.timestamp,
                8, row.end, 8, row.value,
            )
            for row in singles
        ]  # fmt: skip
    else:
        for item, row in enumerate(rows):
            user_key, device_key, at = users[row.user_id], devices[row.device_id], row.timestamp
            if not row.is_of_samples:
                readings.append(pack_sparse(row, user_key, device_key))
            for metric_key, value in row.samples or ():
                samples.append(SAMPLE(SAMPLE_HEAD, user_key, 4, metric_key, device_key, 8, at, 8, value))
            for interval in row.intervals:
                kind, metric_key, end, value = interval
                if kind == IntervalKind.interval:
                    intervals.append(
                        INTERVAL(INTERVAL_HEAD, user_key, 4, metric_key, device_key, 8, at, 8, end, 8, value)
                    )
                else:
                    others.add(item, (user_key, device_key, at), interval)
    readings.sort()
    samples.sort()
    return PackedValues(len(rows), readings, samples, intervals, others, touches_of(samples, intervals), names.version)


def join_values(parts: Sequence[PackedValues]) -> PackedValues:
    """Return what several submissions store together."""
    if len(parts) == 1:
        return parts[0]
    reading_count = 0
    others = Intervals([], [], [])
    for part in parts:
        others.items.extend(reading_count + item for item in part.others.items)
        others.identities.extend(part.others.identities)
        others.intervals.extend(part.others.intervals)
        reading_count += part.reading_count
    touches: Iterable[tuple[set[Any], ...]] = zip(*(part.touches for part in parts), strict=True)
    return PackedValues(
        reading_count,
        sorted(chain.from_iterable(part.readings for part in parts)),
        sorted(chain.from_iterable(part.samples for part in parts)),
        list(chain.from_iterable(part.intervals for part in parts)),
        others,
        Touches(*(set[Any]().union(*each) for each in touches)),
        parts[0].version,
    )


def are_all(rows: Sequence[object], kind: type) -> bool:
    """Return whether rows are of a kind."""
    return all([issubclass(each, kind) for each in set(map(type, rows))])  # noqa: C419


def touches_of(samples: Sequence[bytes], intervals: Sequence[bytes]) -> Touches:
    """Return what packed samples, which must be in order, and intervals touch."""
    found = Touches(set(), set(), set(), set(), set())
    for series, quarter in series_quarters(samples):
        found.sample_series.add(series)
        found.quarters.add((series[:8], quarter * QUARTER))
    spans = {
        (series, start // HOUR, (end - 1) // HOUR) for series, start, end in EXTENT.iter_unpack(b"".join(intervals))
    }
    for series, first, last in spans:
        found.interval_series.add(series)
        is_other = metric_of(series) > THREE
        if is_other:
            found.sample_series.add(series)
        hours = found.other_hours if is_other else found.hours
        for hour in range(first, last + 1):
            hours.add((series[:8], hour * HOUR))
    return found


def series_quarters(samples: Sequence[bytes]) -> set[tuple[Series, int]]:
    """Return the series of packed samples, which must be in order, and the quarters of an hour of each, by number."""
    if not samples:
        return set()
    source = samples[0][SOURCE]
    (first,), (last,) = MOMENT.unpack_from(samples[0]), MOMENT.unpack_from(samples[-1])
    if samples[-1][SOURCE] != source or first < 0 or last < 0:  # as bytes, what is before 2000 follows what is after
        return {(row[SERIES], MOMENT.unpack_from(row)[0] // QUARTER) for row in samples}
    # Of a single series, as most are, only one in each quarter need be looked at.
    found = set()
    place = 0
    while place < len(samples):
        quarter = MOMENT.unpack_from(samples[place])[0] // QUARTER
        found.add((source[SERIES], quarter))
        place = bisect_left(samples, source + PACK_MOMENT((quarter + 1) * QUARTER), place)
    return found


def metric_of(series: Series) -> int:
    """Return the key of the metric of a series."""
    metric_key: int = METRIC.unpack_from(bytes(2) + series)[0]
    return metric_key


def marks_of(packed: PackedValues, announced: int) -> Marks:
    """Return what is to be marked because of values below the announced horizon, and the days of those that are not."""
    touches = packed.touches
    samples = touches.quarters | touches.other_hours
    return Marks(
        stale_quarters(packed.readings, announced) if packed.readings else [],
        # Of the hour that the horizon cuts all quarters, as mark_samples does.
        [touched for touched in samples if touched[1] // HOUR * HOUR < announced],
        [touched for touched in touches.hours if touched[1] < announced],
        {(user_key, at // DAY): (user_key, at) for user_key, at in samples if at >= announced},
    )


def in_columns(touched: Sequence[Touched]) -> dict[str, bytes]:
    """Write users and moments as arrays."""
    return {
        "user_keys": keys([user_key for user_key, _ in touched]),
        "timestamps": moments([at for _, at in touched]),
    }


def series_in_columns(series: Iterable[Series]) -> dict[str, bytes]:
    """Write series in their order as arrays, one for each column, whose elements they hold packed."""
    ordered = sorted(series)
    return {
        "user_keys": keys([each[:8] for each in ordered]),
        "metric_keys": keys([each[8:16] for each in ordered]),
        "device_keys": keys([each[16:] for each in ordered]),
    }


def held_in_columns(packed: PackedValues) -> dict[str, bytes]:
    """Write the series of intervals, worn windows and totals of days as arrays."""
    held = {(each[:8], IntervalKind.interval, each[8:16], each[16:]) for each in packed.touches.interval_series}
    for (user_key, device_key, _), interval in zip(packed.others.identities, packed.others.intervals, strict=True):
        held.add((user_key, IntervalKind(interval.kind), pack_key(interval.metric_key), device_key))
    return {
        "user_keys": keys([each[0] for each in held]),
        "kinds": smallints([each[1] for each in held]),
        "metric_keys": keys([each[2] for each in held]),
        "device_keys": keys([each[3] for each in held]),
    }
