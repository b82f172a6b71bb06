"""Samples and intervals as rows of COPY, and what is marked because of them, against columns written one by one."""

from __future__ import annotations

import struct
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from service.ingest.copy_rows import pack_key
from service.ingest.copy_values import (
    PackedValues,
    Touches,
    held_in_columns,
    join_values,
    marks_of,
    pack_values,
    series_in_columns,
)
from service.ingest.key_cache import Names
from service.ingest.single_values import interval_of, sample_of
from service.model.intervals import HOUR, Interval, IntervalKind
from service.model.pg_time import DAY, QUARTER
from service.model.reading import Row
from tests.support.examples import examples

SPO2, STEPS, DISTANCE = 9, 2, 30
NAMES = Names(1)
for place, name in enumerate(("ada", "bob"), 1):
    NAMES.entry("one").users[name] = pack_key(place)
    NAMES.entry("one").devices[name] = pack_key(10 * place)
NAMES.entry("two").users["ada"] = pack_key(3)
NAMES.entry("two").devices["ada"] = pack_key(30)

names = st.sampled_from(["ada", "bob"])
moments = st.integers(-2 * HOUR, 30 * HOUR) | st.sampled_from([-1, 0, HOUR - 1, HOUR, DAY, QUARTER])
lengths = st.integers(1, 3 * HOUR) | st.sampled_from([1, HOUR, QUARTER])
samples = st.builds(lambda name, at, value: (name, at, value), names, moments, st.floats(50, 100))
intervals = st.builds(lambda name, at, length: (name, at, at + length), names, moments, lengths)
horizons = st.integers(-3, 40).map(lambda quarters: quarters * QUARTER) | st.integers(-HOUR, 30 * HOUR)


def single_sample(name: str, at: int, value: float) -> Any:
    return sample_of(SPO2, "spo2", 50.0, 100.0)(user_id=name, timestamp=at, value=value, device_id=name)


def single_interval(metric_key: int, name: str, at: int, end: int) -> Any:
    kind = interval_of(metric_key, f"sum{metric_key}", 0.0, 1e6, False, None)
    return kind(user_id=name, timestamp=at, end=end, value=7.0, device_id=name)


def as_row(single: Any) -> Row:
    """The same as the model makes it."""
    intervals_of = single.intervals
    return Row(single.user_id, single.device_id, single.timestamp, samples=single.samples, intervals=intervals_of)


def packed(rows: list[Any], tenant: str = "one") -> PackedValues:
    return pack_values(rows, NAMES, tenant)


@settings(max_examples=examples(200))
@given(st.lists(samples, min_size=1, max_size=12), horizons)
def test_samples_are_packed_and_marked_alike(sent: list[tuple[str, int, float]], announced: int) -> None:
    rows = [single_sample(*one) for one in sent]
    found = packed(rows)
    assert found == packed([as_row(row) for row in rows])
    assert found.samples == sorted(found.samples)
    marks = marks_of(found, announced)
    users = NAMES.of("one").users
    quarters = {(users[name], at // QUARTER * QUARTER) for name, at, _ in sent}
    assert sorted(marks.samples) == sorted(quarter for quarter in quarters if quarter[1] // HOUR * HOUR < announced)
    assert marks.sample_days.keys() == {(user, at // DAY) for user, at in quarters if at >= announced}
    assert not marks.cells


@settings(max_examples=examples(200))
@given(st.lists(intervals, min_size=1, max_size=8), st.sampled_from([STEPS, DISTANCE]), horizons)
def test_intervals_are_packed_and_marked_alike(
    sent: list[tuple[str, int, int]], metric_key: int, announced: int
) -> None:
    rows = [single_interval(metric_key, *one) for one in sent]
    found = packed(rows)
    assert found == packed([as_row(row) for row in rows])
    assert [struct.unpack_from(">30xq4xq", row) for row in found.intervals] == [(at, end) for _, at, end in sent]
    users = NAMES.of("one").users
    hours = {(users[name], hour * HOUR) for name, at, end in sent for hour in range(at // HOUR, (end - 1) // HOUR + 1)}
    touches = found.touches
    marks = marks_of(found, announced)
    below = sorted(hour for hour in hours if hour[1] < announced)
    if metric_key == STEPS:
        assert (sorted(marks.cells), marks.samples, marks.sample_days) == (below, [], {})
        assert touches.sample_series == set()
    else:
        assert (marks.cells, sorted(marks.samples)) == ([], below)
        assert marks.sample_days.keys() == {(user, at // DAY) for user, at in hours if at >= announced}
        assert touches.sample_series == touches.interval_series
    assert len(touches.interval_series) == len({name for name, _, _ in sent})


def test_of_a_single_series_one_sample_in_each_quarter_is_looked_at() -> None:
    rows = [single_sample("ada", minute * 60_000_000, 97.0) for minute in range(0, 100, 3)]
    touches = packed(rows).touches
    assert touches.quarters == {(pack_key(1), quarter * QUARTER) for quarter in range(7)}
    assert touches.sample_series == {pack_key(1) + pack_key(SPO2) + pack_key(10)}


def test_tenants_and_kinds_are_packed_together() -> None:
    worn = Interval(IntervalKind.worn, 0, 9, 0.0)
    row = Row(
        "ada", "ada", 5, 60.0, None, None, ((SPO2, 97.0),), (Interval(IntervalKind.interval, STEPS, 9, 3.0), worn)
    )
    found = join_values([packed([row], "two"), packed([single_sample("bob", 1, 98.0)]), packed([row], "two")])
    assert [len(part) for part in (found.readings, found.samples, found.intervals)] == [2, 3, 2]
    assert found.samples == sorted(found.samples)
    ada = pack_key(3), pack_key(30)
    assert found.others == ([0, 2], [(*ada, 5)] * 2, [worn] * 2)
    assert found.changed() == [(pack_key(2), 1), (pack_key(3), 5)]
    assert found.touches.sample_series == {
        pack_key(2) + pack_key(SPO2) + pack_key(20),
        ada[0] + pack_key(SPO2) + ada[1],
    }
    held = held_in_columns(found)
    assert sorted(held["kinds"][20:].split(b"\0\0\0\2")) == [b"", b"\0\0", b"\0\1"], "steps, and when it was worn"
    assert held["user_keys"][20:] == 2 * ada[0]


@settings(max_examples=examples(100))
@given(st.lists(st.lists(samples, min_size=1, max_size=5), min_size=1, max_size=4))
def test_submissions_are_joined_as_if_they_were_one(parts: list[list[tuple[str, int, float]]]) -> None:
    rows = [[single_sample(*one) for one in part] for part in parts]
    assert join_values([packed(part) for part in rows]) == packed([row for part in rows for row in part])


def test_series_are_written_in_their_order() -> None:
    touches = packed([single_sample("bob", 1, 97.0), single_sample("ada", 1, 97.0)]).touches
    assert isinstance(touches, Touches)
    columns = series_in_columns(touches.sample_series)
    assert columns["user_keys"][20:] == pack_key(1) + pack_key(2)
    assert columns["metric_keys"][20:] == 2 * pack_key(SPO2)
    assert columns["device_keys"][20:] == pack_key(10) + pack_key(20)
