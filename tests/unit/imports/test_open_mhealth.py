"""Data points of Open mHealth: what they become, and what of a damaged file is read."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from service.errors import Invalid
from service.imports.adapter import Damaged, Found, ImportContext, Item, Rejected, Sample, Skipped
from service.imports.open_mhealth import OpenMHealth

ADAPTER = OpenMHealth()

FILE = Path(__file__).parents[2] / "files/open-mhealth/data-points.json"
POINTS: list[dict[str, Any]] = json.loads(FILE.read_bytes())


def read(text: bytes, context: ImportContext | None = None) -> list[Item]:
    return list(ADAPTER.read(io.BytesIO(text), context or ImportContext()))


def point(schema: str = "heart-rate", header: dict[str, Any] | None = None, **body: Any) -> dict[str, Any]:
    frame = {"date_time": "2025-01-15T10:00:00Z"}
    schema_id = {"namespace": "omh", "name": schema, "version": "2.0"}
    return {"header": {"schema_id": schema_id} | (header or {}), "body": {"effective_time_frame": frame} | body}


def of(*points: Any) -> list[Item]:
    return read(json.dumps(points).encode())


BPM = {"value": 60, "unit": "beats/min"}


def test_the_file_written_by_hand():
    found = [item for item in read(FILE.read_bytes()) if isinstance(item, Found)]
    assert [{**item.reading, "kind": item.kind} for item in found] == [
        {"device_id": "Example Watch", **reading}
        for reading in (
            {
                "kind": "heart-rate",
                "timestamp": "2025-01-15T15:25:00Z",
                "heart_rate": {"value": 67.5, "unit": "/min"},
            },
            {
                "kind": "step-count",
                "timestamp": "2025-01-15T06:25:00Z",
                "end": "2025-01-15T07:25:00Z",
                "steps": {"value": 4600, "unit": "{steps}"},
            },
            {
                "kind": "step-count",
                "timestamp": "2025-01-15T07:25:00Z",
                "end": "2025-01-15T07:55:00Z",
                "steps": 1400,
            },
            {
                "kind": "step-count",
                "timestamp": "2025-01-15T08:30:00Z",
                "end": "2025-01-15T10:00:00Z",
                "steps": {"value": 0, "unit": "{steps}"},
            },
            {
                "kind": "calories-burned",
                "timestamp": "2025-01-15T06:25:00Z",
                "end": "2025-01-15T07:25:00Z",
                "calories": {"value": 160, "unit": "kcal"},
            },
            {
                "kind": "blood-pressure",
                "timestamp": "2025-01-15T15:30:00Z",
                "bp_systolic": {"value": 125, "unit": "mm[Hg]"},
                "bp_diastolic": {"value": 60, "unit": "mm[Hg]"},
            },
            {
                "kind": "blood-glucose",
                "timestamp": "2025-01-15T07:00:00Z",
                "blood_glucose": {"value": 5.5, "unit": "mmol/L"},
            },
            {
                "kind": "body-temperature",
                "timestamp": "2025-01-15T06:10:00Z",
                "body_temperature": {"value": 97, "unit": "degF"},
            },
            {"kind": "body-weight", "timestamp": "2025-01-15T06:45:00Z", "body_weight": {"value": 160, "unit": "lb"}},
            {"kind": "body-height", "timestamp": "2025-01-15T06:46:00Z", "body_height": {"value": 1.8, "unit": "m"}},
            {"kind": "oxygen-saturation", "timestamp": "2025-01-15T06:47:00Z", "spo2": {"value": 95, "unit": "%"}},
            {
                "kind": "respiratory-rate",
                "timestamp": "2025-01-15T06:48:00Z",
                "respiratory_rate": {"value": 12, "unit": "/min"},
            },
            {
                "kind": "physical-activity",
                "timestamp": "2025-01-15T17:25:00Z",
                "end": "2025-01-15T18:25:00Z",
                "calories": {"value": 640, "unit": "kcal"},
                "distance": {"value": 6.2, "unit": "mi"},
            },
            {
                "kind": "heart-rate",
                "device_id": "Example Ring",
                "timestamp": "2025-01-15T03:15:00Z",
                "heart_rate": {"value": 58, "unit": "/min"},
            },
        )
    ]


def test_what_is_left_out_is_named():
    items = read(FILE.read_bytes())
    assert [item for item in items if isinstance(item, Skipped)] == [
        Skipped("heart-rate", "the minimum of a period is no measurement"),
        Skipped("physical-activity", "a part of a day is neither a moment nor an interval"),
        Skipped("sleep-duration", "there is no metric for this schema"),
    ]
    assert not [item for item in items if isinstance(item, Rejected)]


def test_lines_a_single_one_and_what_shimmer_writes_are_read_alike():
    expected = [item.reading for item in read(FILE.read_bytes()) if isinstance(item, Found)]
    lines = b"".join(json.dumps(one).encode() + b"\n" for one in POINTS)
    shimmer = json.dumps({"shim": "fitbit", "timeStamp": 1, "body": POINTS}).encode()
    for text in (lines, shimmer, b"\xef\xbb\xbf" + lines):
        assert [item.reading for item in read(text) if isinstance(item, Found)] == expected
    alone = [read(json.dumps(one, indent=2).encode()) for one in POINTS]
    assert [item.reading for items in alone for item in items if isinstance(item, Found)] == expected


def test_places_are_those_of_the_file():
    assert [item.at for item in of(point(heart_rate=BPM), point(heart_rate=BPM))] == ["[0]", "[1]"]
    lines = b"\n".join(json.dumps(point(heart_rate=BPM)).encode() for _ in range(2))
    assert [item.at for item in read(lines)] == ["line 1", "line 2"]


def test_a_clock_without_an_offset_is_of_the_zone_that_was_given():
    text = json.dumps([point(heart_rate=BPM, effective_time_frame={"date_time": "2025-07-15T10:00:00"})]).encode()
    (found,) = read(text, ImportContext(zone=ZoneInfo("Europe/Berlin")))
    assert isinstance(found, Found)
    assert found.reading["timestamp"] == "2025-07-15T08:00:00Z"
    with pytest.raises(Invalid, match="add tz"):
        read(text)


def test_the_device_that_was_given_is_that_of_points_without_a_source():
    text = json.dumps([point(heart_rate=BPM)]).encode()
    (found,) = read(text, ImportContext(device_id="ring"))
    assert isinstance(found, Found)
    assert found.reading["device_id"] == "ring"


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("steps", {"steps": {"value": 8000, "unit": "{steps}"}}),
        ("strokes", Skipped("physical-activity base_movement_quantity", "there is no metric for movements but steps")),
    ],
)
def test_the_base_movement_of_an_activity_may_be_steps(unit, expected):
    quantity = {"value": 8000, "unit": unit}
    (item, *_) = of(point("physical-activity", activity_name="walking", base_movement_quantity=quantity))
    if isinstance(item, Found):
        assert {name: item.reading[name] for name in item.reading if name == "steps"} == expected
    else:
        assert item == expected


def test_the_distance_of_an_activity_is_of_its_metric():
    mile = {"value": 1, "unit": "mi"}
    (cycled,) = of(point("physical-activity", activity_name="cycling", distance=mile))
    assert isinstance(cycled, Found)
    assert cycled.reading["distance_cycling"] == mile
    assert of(point("physical-activity", activity_name="rowing", distance=mile)) == [
        Skipped("physical-activity distance", "there is no metric for the distance of this activity"),
        Skipped("physical-activity", "has no value that there is a metric for"),
    ]


def test_points_of_another_person_are_refused():
    items = of(point(header={"user_id": "ada"}, heart_rate=BPM), point(header={"user_id": "bob"}, heart_rate=BPM))
    assert [item.__class__ for item in items] == [Found, Rejected]


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        (7, "must have a header with the name of a schema, and a body"),
        ({"header": {"schema_id": []}, "body": {}}, "must have a header with the name of a schema, and a body"),
        (point(heart_rate={"value": "60", "unit": "beats/min"}), "must be a number"),
        (point(heart_rate={"value": True, "unit": "beats/min"}), "must be a number"),
        (point(heart_rate={"value": 60}), "must have a unit"),
        (
            point(heart_rate=BPM, effective_time_frame=None),
            "must have an effective_time_frame with a date_time or a time_interval",
        ),
        (
            point(heart_rate=BPM, effective_time_frame={"date_time": "yesterday"}),
            "must be an ISO 8601 timestamp such as 2024-01-15T10:00:00Z",
        ),
        (
            point(heart_rate=BPM, effective_time_frame={"time_interval": {"start_date_time": "2025-01-15T10:00:00Z"}}),
            "must have two of start_date_time, end_date_time and duration",
        ),
        (
            point(
                heart_rate=BPM,
                effective_time_frame={
                    "time_interval": {"start_date_time": "2025-01-15T10:00:00Z", "duration": {"value": 1, "unit": "Mo"}}
                },
            ),
            "must have a duration in one of ps, ns, us, ms, sec, s, min, h, d, wk",
        ),
        (
            point(
                heart_rate=BPM,
                effective_time_frame={
                    "time_interval": {
                        "start_date_time": "2025-01-15T10:00:00Z",
                        "duration": {"value": 1e300, "unit": "d"},
                    }
                },
            ),
            "has a duration that is too long",
        ),
    ],
)
def test_a_broken_point_is_named_and_ends_nothing_else(broken, problem):
    found, rejected, last = of(point(heart_rate=BPM), broken, point(heart_rate=BPM))
    assert isinstance(found, Found)
    assert isinstance(last, Found)
    assert isinstance(rejected, Rejected)
    assert (rejected.at, rejected.problem) == ("[1]", problem)


def test_numbers_without_bounds_are_refused():
    for number in ("1e999", "-1e999", "1" + "0" * 400):
        text = json.dumps([point(heart_rate=BPM)]).replace("60", number).encode()
        (rejected,) = read(text)
        assert isinstance(rejected, Rejected)
        assert rejected.problem == "is too large for a number"


@pytest.mark.parametrize("cut", [3, 100, 1000, 3000])
def test_a_file_cut_in_the_middle_has_the_points_before(cut):
    text = FILE.read_bytes()[:-cut]
    items: list[Item] = []
    with pytest.raises(Damaged):
        items.extend(ADAPTER.read(io.BytesIO(text), ImportContext()))
    assert items == read(FILE.read_bytes())[: len(items)]
    assert len(items) == text.count(b"\n") - (cut > 3)  # a line each, but for the one that is cut


def test_a_line_that_is_cut_is_named():
    lines = b"\n".join(json.dumps(one).encode() for one in POINTS)
    items = read(lines[:-20])
    assert [item.at for item in items if isinstance(item, Rejected)] == [f"line {len(POINTS)}"]
    assert len([item for item in items if isinstance(item, Found)]) == 13


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"{" * 100_000, "is no JSON: Expecting property name enclosed in double quotes"),
        (b'{"a":' * 100_000, "is nested too deeply"),
        (b'{"a": NaN}', "is no JSON: NaN is no number"),
        (b'{"a": "\xff"}', "is not UTF-8"),
        (b'{"a": "' + b"x" * 1_100_000 + b'"}', "has more than 1048576 bytes"),
    ],
)
def test_a_hostile_line_is_named(line, problem):
    good = json.dumps(point(heart_rate=BPM)).encode()
    items = read(b"\n".join((good, good, line, good)))
    assert [item.__class__ for item in items] == [Found, Found, Rejected, Found]
    assert items[2].problem == problem


def test_deep_nesting_of_a_document_ends_it():
    text = b"[" + json.dumps(point(heart_rate=BPM)).encode() + b"," + b'{"a":' * 100_000
    items: list[Item] = []
    with pytest.raises(Damaged):
        items.extend(ADAPTER.read(io.BytesIO(text), ImportContext()))
    assert len(items) == 1


def test_it_is_recognized_by_a_header_with_a_schema():
    assert ADAPTER.sniffs(Sample(FILE.read_bytes()))
    assert ADAPTER.sniffs(Sample(json.dumps(POINTS[0]).encode()))
    for other in (b"", b"[]", b'{"data": {"metrics": []}}', b"\x00"):
        assert not ADAPTER.sniffs(Sample(other))
