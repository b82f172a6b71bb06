"""Records of Health Connect: what a person would count by hand, in both shapes, and damaged documents."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from service.imports.formats import choose
from service.imports.health_connect import NO_METRIC, RECORDS, HealthConnect
from tests.support.files import content, read

RECORDS_FILE = content("health-connect/records.json")
WEBHOOK_FILE = content("health-connect/webhook.json")
STEPS = {"startTime": "2025-01-15T07:00:00Z", "endTime": "2025-01-15T07:10:00Z", "count": 5}


def test_what_is_in_the_records_is_found() -> None:
    seen = read(HealthConnect(), RECORDS_FILE)
    assert (len(seen.found), seen.rejected, seen.damage) == (11, [], None)
    assert seen.total("steps") == 670
    assert seen.of("Steps") == [
        {
            "timestamp": "2025-01-15T07:00:00Z",
            "end": "2025-01-15T07:10:00Z",
            "steps": 600,
            "device_id": "Maker Phone 1",
        },
        {
            "timestamp": "2025-01-15T07:10:00Z",
            "end": "2025-01-15T07:11:00Z",
            "steps": 70,
            "device_id": "com.example.watch",
        },
    ]
    assert [(one["timestamp"], one["heart_rate"]) for one in seen.of("HeartRate")] == [
        ("2025-01-15T07:00:00Z", 61),
        ("2025-01-15T07:01:00Z", 64),
        ("2025-01-15T07:02:00Z", 66),
    ]
    assert seen.of("ActiveCaloriesBurned")[0]["active_energy"] == 25.5
    assert seen.of("Distance")[0]["distance"] == {"value": 450, "unit": "m"}
    assert seen.of("BloodGlucose")[0]["blood_glucose"] == {"value": 90, "unit": "mg/dL"}
    assert seen.of("Weight")[0]["body_weight"] == {"value": 150, "unit": "lb"}
    assert seen.of("Weight")[0]["device_id"] == "com.example.scale"
    assert seen.of("OxygenSaturation")[0]["spo2"] == 96.5
    [pressure] = seen.of("BloodPressure")
    assert (pressure["bp_systolic"], pressure["bp_diastolic"]) == (
        {"value": 121, "unit": "mm[Hg]"},
        {"value": 79, "unit": "mm[Hg]"},
    )
    assert seen.skipped == {("SleepSession", NO_METRIC): 1}


def test_what_the_webhook_sends_is_found() -> None:
    seen = read(HealthConnect(), WEBHOOK_FILE, device_id="phone")
    assert (len(seen.found), seen.rejected, seen.damage) == (11, [], None)
    assert seen.total("steps") == 670
    assert [one["device_id"] for one in seen.of("steps")] == ["Maker Phone 1", "phone"]
    assert seen.of("steps")[0]["end"] == "2025-01-15T07:10:00Z"
    assert [one["heart_rate"] for one in seen.of("heart_rate")] == [61, 64.5]
    assert seen.of("distance")[0]["distance"] == 450
    assert seen.of("height")[0]["body_height"] == {"value": 1.75, "unit": "m"}
    assert seen.of("hydration")[0]["hydration"] == {"value": 0.25, "unit": "L"}
    assert seen.of("blood_glucose")[0]["blood_glucose"] == {"value": 5, "unit": "mmol/L"}
    assert seen.of("blood_pressure")[0]["bp_diastolic"] == 79
    assert seen.skipped == {("sleep", NO_METRIC): 1, ("exercise", NO_METRIC): 1}


@pytest.mark.parametrize(
    ("group", "record", "metric", "value"),
    [
        ("vo2_max", {"ml_per_kg_per_min": 48.5}, "vo2max", 48.5),
        ("bone_mass", {"kilograms": 3.1}, "bone_mass", 3.1),
        ("skin_temperature", {"delta_celsius": -0.2, "baseline_celsius": 33.9}, "skin_temp_deviation", -0.2),
        ("skin_temperature", {"avg_delta_celsius": 0.1, "min_delta_celsius": -0.3}, "skin_temp_deviation", 0.1),
    ],
)
def test_further_types_of_the_webhook(group: str, record: dict[str, float], metric: str, value: float) -> None:
    document = {"app_version": "2.0.0", group: [record | {"time": "2025-01-15T07:00:00Z"}]}
    seen = read(HealthConnect(), json.dumps(document).encode())
    assert (seen.of(group), seen.rejected) == ([{"timestamp": "2025-01-15T07:00:00Z", metric: value}], [])


@pytest.mark.parametrize(
    "document",
    [
        [STEPS | {"recordType": "Steps"}],
        [STEPS | {"type": "Steps"}],
        {"records": [STEPS | {"recordType": "StepsRecord"}]},
        {"Steps": [STEPS]},
        {"result": [STEPS | {"recordType": "Steps"}], "pageToken": "x"},
    ],
)
def test_records_may_stand_in_several_ways(document: Any) -> None:
    [found] = read(HealthConnect(), json.dumps(document).encode()).found
    assert found.reading == {"timestamp": STEPS["startTime"], "end": STEPS["endTime"], "steps": 5}


@pytest.mark.parametrize(
    "bad", [5, {"recordType": "Steps"}, {"recordType": "HeartRate"}, STEPS | {"recordType": "Steps", "count": True}]
)
def test_one_bad_record_leaves_the_others(bad: Any) -> None:
    good = STEPS | {"recordType": "Steps"}
    seen = read(HealthConnect(), json.dumps({"records": [good, bad, good]}).encode())
    assert (len(seen.found), [one.at for one in seen.rejected]) == (2, ["records[1]"])


@pytest.mark.parametrize("body", [RECORDS_FILE, WEBHOOK_FILE])
def test_a_document_that_is_cut_gives_what_was_complete(body: bytes) -> None:
    whole = read(HealthConnect(), body)
    for cut in range(300, len(body) - 3, 61):
        seen = read(HealthConnect(), body[:cut])
        assert seen.found == whole.found[: len(seen.found)]
        assert seen.damage is not None


@pytest.mark.parametrize("body", [RECORDS_FILE, WEBHOOK_FILE])
def test_it_is_recognized(body: bytes) -> None:
    assert choose("auto", io.BytesIO(body)).name == "health-connect"


def test_types_are_named_as_those_of_health_connect() -> None:
    assert all(name[0].isupper() and not name.endswith("Record") for name in RECORDS)
