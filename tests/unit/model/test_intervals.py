"""Readings with an end: what of them is an interval, a worn window, a daily total, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from service.model.fields import Bounds
from service.model.reading import READING, Row, to_row
from service.model.registry import NO_METRICS, Registry
from service.model.validation_errors import fault
from tests.support.metrics import METRICS, REGISTRY

NEWEST = datetime(2030, 1, 1, tzinfo=UTC)
BOUNDS = Bounds(datetime(1900, 1, 1, tzinfo=UTC), NEWEST, REGISTRY)
START = "2025-01-15T10:00:00Z"
MINUTE = 60_000_000
INTERVAL, WORN, DAILY = 0, 1, 2


def row_of(end: str | None, bounds: Bounds = BOUNDS, **fields: Any) -> Row:
    sent = {"user_id": "ada", "timestamp": START, "end": end} | fields
    return to_row(READING.validate_python(sent, context=bounds))


def intervals(end: str | None, **fields: Any) -> list[tuple[int, int, int, float]]:
    """The kind, the metric, the length in minutes and the value of each."""
    row = row_of(end, **fields)
    return [(kind, key, (until - row.timestamp) // MINUTE, value) for kind, key, until, value in row.intervals]


def faults(end: str | None, **fields: Any) -> list[tuple[str, str, Any]]:
    with pytest.raises(ValidationError) as caught:
        row_of(end, **fields)
    found = [fault(details) for details in caught.value.errors()]
    return [(one["at"], one["problem"], one["value"]) for one in found]


def test_sums_are_of_the_interval_and_other_metrics_of_the_moment() -> None:
    row = row_of("2025-01-15T10:10:00Z", steps=72.0, calories=1.5, heart_rate=61, spo2=97, distance=400)
    assert (row.heart_rate, row.steps, row.calories, row.samples) == (61.0, None, None, ((9, 97.0),))
    assert [(one.kind, one.metric_key, one.value) for one in row.intervals] == [
        (0, 2, 72.0),
        (0, 3, 1.5),
        (0, 28, 400.0),
    ]
    assert {one.end - row.timestamp for one in row.intervals} == {10 * MINUTE}


def test_units_hold_for_intervals() -> None:
    sent = {"distance": {"value": 1.5, "unit": "km"}, "calories": {"value": 4.184, "unit": "kJ"}}
    assert intervals("2025-01-15T10:10:00+00:00", **sent) == [(INTERVAL, 3, 10, 1.0), (INTERVAL, 28, 10, 1500.0)]


@pytest.mark.parametrize(
    ("end", "fields", "found"),
    [
        ("2025-01-15T11:00:00Z", {"worn": True}, [(WORN, 0, 60, 0.0)]),
        ("2025-01-15T11:00:00Z", {"worn": True, "steps": 0}, [(INTERVAL, 2, 60, 0.0), (WORN, 0, 60, 0.0)]),
        ("2025-01-15T11:00:00Z", {"worn": False, "steps": 0}, [(INTERVAL, 2, 60, 0.0)]),
        ("2025-01-16T08:59:00Z", {"steps": 1}, [(INTERVAL, 2, 23 * 60 - 1, 1.0)]),
        ("2025-01-16T09:00:00Z", {"steps": 1}, [(DAILY, 2, 23 * 60, 1.0)]),
        ("2025-01-16T09:00:00Z", {"steps": 1, "daily_total": False}, [(DAILY, 2, 23 * 60, 1.0)]),
        ("2025-01-16T11:00:00Z", {"steps": 1}, [(DAILY, 2, 25 * 60, 1.0)]),
        ("2025-01-15T12:00:00Z", {"steps": 1, "daily_total": True}, [(DAILY, 2, 120, 1.0)]),
        ("2025-01-16T10:00:00Z", {"worn": True}, [(WORN, 0, 24 * 60, 0.0)]),
        ("2025-01-16T10:00:00Z", {"worn": True, "steps": 1}, [(DAILY, 2, 24 * 60, 1.0), (WORN, 0, 24 * 60, 0.0)]),
        ("2025-01-15T10:10:00Z", {"heart_rate": 60}, []),
        ("2025-01-15T10:10:00Z", {"spo2": 97}, []),
        (None, {"steps": 1}, []),
        (None, {"steps": 1, "worn": None, "daily_total": None}, []),
        (None, {"steps": 1, "worn": False, "daily_total": False}, []),
    ],
)  # fmt: skip
def test_what_an_end_makes_of_a_reading(end: str | None, fields: dict[str, Any], found: Any) -> None:
    assert intervals(end, **fields) == found


DAYS = "must be at most 24 hours after the timestamp, or 25 for the total of a day; send shorter ones"


@pytest.mark.parametrize(
    ("end", "fields", "found"),
    [
        (START, {"steps": 1}, [("end", "must be after the timestamp, 2025-01-15T10:00:00Z", START)]),
        ("2025-01-15T09:00:00Z", {"spo2": 97},
         [("end", f"must be after the timestamp, {START}", "2025-01-15T09:00:00Z")]),
        ("2025-01-16T11:00:00.000001Z", {"steps": 1}, [("end", DAYS, "2025-01-16T11:00:00.000001Z")]),
        ("2025-01-16T10:00:01Z", {"worn": True}, [("end", DAYS, "2025-01-16T10:00:01Z")]),
        ("2025-01-16T10:00:01Z", {"worn": True, "steps": 1}, [("end", DAYS, "2025-01-16T10:00:01Z")]),
        ("2025-01-16T10:00:01Z", {"heart_rate": 60}, [("end", DAYS, "2025-01-16T10:00:01Z")]),
        ("2030-01-01T00:00:01Z", {"timestamp": "2029-12-31T23:59:00Z", "steps": 1},
         [("end", "is further in the future than what is accepted, 2030-01-01T00:00:00Z", "2030-01-01T00:00:01Z")]),
        ("2025-01-15T10:10:00", {"steps": 1},
         [("end", "has no offset, so it names no moment; add Z or one such as +02:00", "2025-01-15T10:10:00")]),
        (None, {"worn": True, "steps": 1}, [("worn", "needs an end: the reading is from timestamp to end", True)]),
        (None, {"daily_total": True, "steps": 1},
         [("daily_total", "needs an end: the reading is from timestamp to end", True)]),
        ("2025-01-15T11:00:00Z", {"daily_total": True, "spo2": 97},
         [("daily_total", "needs a metric that adds up, such as steps", True)]),
        ("2025-01-15T11:00:00Z", {"worn": "yes"}, [("worn", "must be true or false", "yes")]),
        ("2025-01-15T11:00:00Z", {"worn": 1}, [("worn", "must be true or false", 1)]),
        ("2025-01-15T11:00:00Z", {"steps": 1, "daily_total": 0}, [("daily_total", "must be true or false", 0)]),
        ("2025-01-15T10:01:00Z", {"steps": 301}, [("steps", "must be at most 300 {steps} in 60 s, 5 a second", 301)]),
        ("2025-01-15T10:01:00Z", {"exercise_time": 1.5},
         [("exercise_time", "must be at most 1 min in 60 s, 1 a minute", 1.5)]),
        ("2025-01-15T10:01:00Z", {"distance": {"value": 1, "unit": "km"}},
         [("distance", "must be at most 900 m in 60 s, 15 a second", {"value": 1, "unit": "km"})]),
        ("2025-01-15T10:01:00Z", {"floors": 1.5}, [("floors", "must be a whole number", 1.5)]),
        ("2025-01-15T11:00:00Z", {"steps": 100_001}, [("steps", "must be between 0 and 100000", 100_001)]),
        ("2025-01-15T11:00:00Z", {}, [("", "must carry at least one metric, such as heart_rate, steps or calories",
                                       {"user_id": "ada", "timestamp": START, "end": "2025-01-15T11:00:00Z"})]),
        ("2025-01-15T09:00:00Z", {"timestamp": "never", "steps": 1},
         [("timestamp", "must be an ISO 8601 timestamp such as 2024-01-15T10:00:00Z", "never")]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_value(end: str | None, fields: dict[str, Any], found: Any) -> None:
    assert faults(end, **fields) == found


@pytest.mark.parametrize(
    ("end", "steps", "is_taken"),
    [
        ("2025-01-15T10:00:00.000001Z", 50, True),
        ("2025-01-15T10:00:02Z", 50, True),
        ("2025-01-15T10:00:10Z", 50, True),
        ("2025-01-15T10:00:02Z", 51, False),
        ("2025-01-15T10:00:10Z", 51, False),
        ("2025-01-15T10:00:10.000001Z", 55, True),
        ("2025-01-15T10:00:11Z", 55, True),
        ("2025-01-15T10:00:11Z", 56, False),
    ],
)
def test_a_rate_is_of_whole_seconds_rounded_up_and_of_ten_at_least(end: str, steps: int, is_taken: bool) -> None:
    if is_taken:
        assert row_of(end, steps=steps).intervals[0].value == steps
    else:
        assert faults(end, steps=steps)[0][0] == "steps"


def test_every_whole_number_of_minutes_may_be_exercise() -> None:
    for minutes in range(1, 24 * 60 + 1):
        end = f"2025-01-{15 + (600 + minutes) // 1440:02}T{(600 + minutes) // 60 % 24:02}:{minutes % 60:02}:00Z"
        assert row_of(end, exercise_time=minutes).intervals[0].value == minutes


def test_the_rate_of_an_own_metric_may_have_changed() -> None:
    own = METRICS[1]._replace(key=1002, name="laps", is_own=True)
    registry = Registry(REGISTRY.by_name | {"laps": own})
    with pytest.raises(ValidationError) as caught:
        row_of("2025-01-15T10:01:00Z", BOUNDS._replace(registry=registry), laps=301)
    assert [details["type"] for details in caught.value.errors()] == ["own_bounds"]


def test_a_registry_that_was_not_read_is_asked_for() -> None:
    with pytest.raises(ValidationError) as caught:
        row_of("2025-01-15T10:01:00Z", BOUNDS._replace(registry=NO_METRICS), steps=1)
    assert [details["type"] for details in caught.value.errors()] == ["unread_registry"]


def test_metrics_may_be_together_as_answers_have_them() -> None:
    together = {"steps": 12, "spo2": 97.0, "heart_rate": None, "distance": {"value": 1, "unit": "km"}}
    apart = row_of("2025-01-15T10:10:00Z", steps=12, spo2=97, distance=1000)
    assert row_of("2025-01-15T10:10:00Z", steps=12.0, heart_rate=None, spo2=None, metrics=together) == apart
    assert row_of("2025-01-15T10:10:00Z", metrics=together) == apart
    assert row_of(None, metrics={"heart_rate": 60}) == row_of(None, heart_rate=60)
    assert row_of(None, heart_rate=60, metrics=None) == row_of(None, heart_rate=60)


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"metrics": 7, "steps": 1}, [("metrics", "must be an object of metrics by name", 7)]),
        ({"metrics": {"spo2": 49}}, [("spo2", "must be between 50 and 100", 49)]),
        ({"metrics": {"sp02": 97}}, [("sp02", "is not a metric; spo2 is probably meant", 97)]),
        ({"metrics": {"steps": 12}, "steps": 13}, [("metrics.steps", "is a field too, with another value", 12)]),
        ({"metrics": {"user_id": "bob"}, "steps": 13}, [("metrics.user_id", "is no metric, but a field", "bob")]),
        ({"metrics": {"end": None}, "steps": 13}, [("metrics.end", "is no metric, but a field", None)]),
    ],
)
def test_what_is_wrong_in_metrics_is_named(fields: dict[str, Any], found: Any) -> None:
    assert faults(None, **fields) == found


def test_of_very_many_names_in_metrics_some_are_named() -> None:
    many = {f"field {number}": 1 for number in range(10_000)} | {"x" * 100_000: 1}
    for fields in ({"metrics": many}, many | {"metrics": dict.fromkeys(many, 2)}):
        found = faults(None, **fields)
        assert len(found) == 6
        assert max(len(at) for at, _, _ in found) < 150
