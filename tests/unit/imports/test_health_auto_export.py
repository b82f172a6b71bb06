"""Documents of Health Auto Export: what a person would count by hand, what sums are of, damaged documents."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from service.errors import Malformed
from service.imports.formats import choose
from service.imports.health_auto_export import LONGER, NO_METRIC, HealthAutoExport
from tests.support.files import content, read

EXPORT = content("health-auto-export/export.json")


def document(*points: dict[str, Any], name: str = "step_count", units: str = "count") -> bytes:
    """Write a document with the points of one metric."""
    return json.dumps({"data": {"metrics": [{"name": name, "units": units, "data": list(points)}]}}).encode()


def point(clock: str, qty: Any = 10) -> dict[str, Any]:
    return {"date": f"2025-01-15 {clock} +0100", "qty": qty, "source": "iPhone"}


def test_what_is_in_the_file_is_found() -> None:
    seen = read(HealthAutoExport(), EXPORT)
    assert (len(seen.found), seen.rejected, seen.damage) == (11, [], None)
    assert seen.total("steps") == 110
    assert seen.of("heart_rate") == [
        {"timestamp": "2025-01-15 08:00:00 +0100", "heart_rate": 62.5, "device_id": "Apple Watch"},
        {"timestamp": "2025-01-15 08:01:00 +0100", "heart_rate": 70, "device_id": "Apple Watch"},
    ]
    assert [reading["spo2"] for reading in seen.of("blood_oxygen_saturation")] == [
        97,
        {"value": 0.96, "unit": "fraction"},
    ]
    assert seen.of("weight_body_mass")[0]["body_weight"] == {"value": 150, "unit": "lb"}
    assert seen.of("active_energy")[0]["active_energy"] == {"value": 20.92, "unit": "kJ"}
    assert seen.of("walking_running_distance")[0]["distance"] == {"value": 0.05, "unit": "km"}
    [pressure] = seen.of("blood_pressure")
    assert pressure["bp_systolic"] == {"value": 121, "unit": "mm[Hg]"}
    assert pressure["bp_diastolic"] == {"value": 79, "unit": "mm[Hg]"}
    assert seen.skipped == {("sleep_analysis", NO_METRIC): 1, ("workouts", NO_METRIC): 1}


@pytest.mark.parametrize(
    ("clocks", "length", "is_day"),
    [
        (["00:00:00", "00:00:00"], "2025-01-16T00:00:00+01:00", True),
        (["00:00:00", "01:00:00"], "2025-01-15T01:00:00+01:00", False),
        (["00:00:00", "00:01:00"], None, False),
        (["00:00:00", "00:00:07"], None, False),
    ],
)
def test_what_sums_are_of_shows_in_their_moments(clocks: list[str], length: str | None, is_day: bool) -> None:
    first = read(HealthAutoExport(), document(*map(point, clocks))).found[0].reading
    assert (first.get("end"), first.get("daily_total", False)) == (length, is_day)


def on(day: str, qty: Any = 10) -> dict[str, Any]:
    return {"date": f"{day} 00:00:00 +0100", "qty": qty, "source": "iPhone"}


@pytest.mark.parametrize(
    ("days", "are_longer"),
    [
        (["2025-01-05", "2025-01-12", "2025-01-26"], True),
        (["2024-11-01", "2024-12-01", "2025-01-01"], True),
        (["2024-01-01", "2025-01-01"], True),
        (["2025-01-05", "2025-01-05"], False),
        (["2025-01-05", "2025-01-06", "2025-01-12"], False),
    ],
)
def test_totals_of_weeks_months_and_years_are_no_totals_of_days(days: list[str], are_longer: bool) -> None:
    seen = read(HealthAutoExport(), document(*map(on, days)))
    assert seen.skipped == ({("step_count", LONGER): len(days)} if are_longer else {})
    assert len(seen.found) == (0 if are_longer else len(days))


def test_levels_of_weeks_are_taken() -> None:
    body = json.loads(document(on("2025-01-05"), on("2025-01-12")))
    body["data"]["metrics"].append({"name": "weight_body_mass", "units": "kg", "data": [on("2025-01-05", 71.5)]})
    seen = read(HealthAutoExport(), json.dumps(body).encode())
    assert seen.kinds == {"weight_body_mass": 1}


def test_counts_that_were_shared_out_are_whole_and_keep_their_sum() -> None:
    seen = read(HealthAutoExport(), document(*(point(f"08:{minute:02}:00", 103.13) for minute in range(1, 21))))
    assert {reading["steps"] for reading in seen.of("step_count")} == {103, 104}
    assert seen.total("steps") == round(20 * 103.13)


@pytest.mark.parametrize(
    ("clock", "expected"),
    [
        ("7:05:00\u202fam", "07:05:00"),
        ("12:00:00 AM", "00:00:00"),
        ("12:30:00 p.m.", "12:30:00"),
        ("11:59:59\u202fPM", "23:59:59"),
        ("13:00:00 PM", "13:00:00 PM"),
    ],
)
def test_a_clock_of_twelve_hours_is_one_of_twenty_four(clock: str, expected: str) -> None:
    seen = read(HealthAutoExport(), document(point(clock, 61), name="heart_rate", units="count/min"))
    assert seen.found[0].reading["timestamp"] == f"2025-01-15 {expected} +0100"


def test_a_day_of_a_clock_of_twelve_hours_begins_at_twelve() -> None:
    [found] = read(HealthAutoExport(), document(point("12:00:00\u202fam"))).found
    assert (found.reading["end"], found.reading["daily_total"]) == ("2025-01-16T00:00:00+01:00", True)


def test_levels_say_nothing_about_sums() -> None:
    body = json.loads(document(point("09:00:00")))
    body["data"]["metrics"].append({"name": "height", "units": "cm", "data": [point("09:00:01", 175)]})
    [steps, height] = read(HealthAutoExport(), json.dumps(body).encode()).found
    assert steps.reading["end"] == "2025-01-15T10:00:00+01:00"
    assert "end" not in height.reading


@pytest.mark.parametrize("bad", [{"qty": 1}, {"date": "2025-01-15 08:00:01 +0100"}, point("08:00:01", "12"), 5, None])
def test_one_bad_point_leaves_the_others(bad: Any) -> None:
    seen = read(HealthAutoExport(), document(point("08:00:00"), bad, point("08:01:00")))
    assert len(seen.found) == 2
    assert [one.at for one in seen.rejected] == ["data.metrics[0].data[1]"]


def test_a_document_that_is_cut_gives_what_was_complete() -> None:
    whole = read(HealthAutoExport(), EXPORT)
    for cut in range(300, len(EXPORT) - 3, 61):
        seen = read(HealthAutoExport(), EXPORT[:cut])
        assert [one.reading["timestamp"] for one in seen.found] == [
            one.reading["timestamp"] for one in whole.found[: len(seen.found)]
        ]
        assert seen.damage is not None


def test_a_wrong_encoding_is_named() -> None:
    with pytest.raises(Malformed, match="UTF-16"):
        read(HealthAutoExport(), EXPORT.decode().encode("utf-16"))
    damaged = read(HealthAutoExport(), EXPORT.replace(b"Cuff", b"\xe9")).damage
    assert damaged == "the document: is not UTF-8: invalid continuation byte"


def test_it_is_recognized() -> None:
    assert choose("auto", io.BytesIO(EXPORT)).name == "health-auto-export"
