"""Files of Fitbit, alone and in the archive of Takeout: what a person would count by hand, clocks, twins, damage."""

from __future__ import annotations

import io
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from service.errors import Invalid
from service.imports.fitbit import Fitbit, file_of
from service.imports.formats import choose
from tests.support.files import BERLIN, FILES, Read, content, packed, read

GLOBAL = "Takeout/Fitbit/Global Export Data/"
ACTIVITY = "Takeout/Fitbit/Physical Activity_GoogleData/"
HRV = "Takeout/Fitbit/Heart Rate Variability/"
SPO2 = "Takeout/Fitbit/Oxygen Saturation (SpO2)/"
FOLDERS = {"json": GLOBAL, "csv": ACTIVITY}


def alone(name: str, zone: ZoneInfo | None = BERLIN, **given: Any) -> Read:
    """Read one of the files."""
    return read(Fitbit(), content(f"fitbit/{name}"), zone, filename=name, **given)


def archive(*names: str, **others: bytes) -> bytes:
    """Pack files as Takeout does."""
    return packed(**{FOLDERS[name.rpartition(".")[2]] + name: content(f"fitbit/{name}") for name in names}, **others)


def readings(seen: Read) -> list[dict[str, Any]]:
    return [one.reading for one in seen.found]


def test_steps_of_json_are_in_utc_whatever_the_clock_is() -> None:
    berlin = alone("steps-2025-01-15.json")
    assert readings(berlin) == [
        {"timestamp": "2025-01-15T08:00:00Z", "steps": 52},
        {"timestamp": "2025-01-15T08:01:00Z", "steps": 118},
        {"timestamp": "2025-01-15T08:02:00Z", "steps": 0},
    ]
    assert readings(alone("steps-2025-01-15.json", None)) == readings(berlin)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("distance-2025-01-15.json", [{"timestamp": "2025-01-15T08:00:00Z", "distance": {"value": 42.1, "unit": "m"}}]),
        (
            "calories-2025-01-15.json",
            [
                {"timestamp": "2025-01-15T07:00:00Z", "calories": 1.17},
                {"timestamp": "2025-01-15T07:01:00Z", "calories": 4.5},
            ],
        ),
        (
            "heart_rate-2025-01-15.json",
            [
                {"timestamp": "2025-01-15T08:00:02Z", "heart_rate": 61},
                {"timestamp": "2025-01-15T08:00:07Z", "heart_rate": 63},
            ],
        ),
        ("resting_heart_rate-2025-01-15.json", [{"timestamp": "2025-01-14T23:00:00Z", "resting_heart_rate": 57.25}]),
        (
            "steps_2025-01-01.csv",
            [
                {"timestamp": "2025-01-15T07:00:00Z", "steps": 34, "device_id": "Tracker"},
                {"timestamp": "2025-01-15T07:01:00Z", "steps": 66, "device_id": "Tracker"},
                {"timestamp": "2025-01-15T07:00:18.008Z", "steps": 30, "device_id": "Phone"},
            ],
        ),
        (
            "heart_rate_2025-01-15.csv",
            [
                {"timestamp": "2025-01-15T07:00:03Z", "heart_rate": 72.0, "device_id": "Tracker"},
                {"timestamp": "2025-01-15T07:00:13Z", "heart_rate": 74.0, "device_id": "Tracker"},
            ],
        ),
        (
            "distance_2025-01-01.csv",
            [{"timestamp": "2025-01-15T07:00:00.096319Z", "distance": 8.8, "device_id": "Phone"}],
        ),
        (
            "weight.csv",
            [
                {
                    "timestamp": "2025-01-15T06:10:12Z",
                    "body_weight": {"value": 70500, "unit": "g"},
                    "device_id": "Scale",
                }
            ],
        ),
        ("Minute SpO2 - 2025-01-15.csv", [{"timestamp": "2025-01-15T01:00:00Z", "spo2": 95.5}]),
        (
            "Heart Rate Variability Details - 2025-01-15.csv",
            [{"timestamp": "2025-01-15T00:05:00Z", "hrv_rmssd": 38.2}],
        ),
    ],
)
def test_each_file_holds_what_its_name_says(name: str, expected: list[dict[str, Any]]) -> None:
    seen = alone(name)
    assert (readings(seen), seen.rejected, seen.damage) == (expected, [], None)


@pytest.mark.parametrize(
    ("name", "body", "expected"),
    [
        (
            "demographic_vo2_max-2025-01-01.json",
            b'[{"dateTime": "01/15/25 00:00:00", '
            b'"value": {"demographicVO2Max": 44.9, "filteredDemographicVO2Max": 43.5}}, '
            b'{"dateTime": "01/16/25 00:00:00", "value": {"filteredDemographicVO2Max": 0.0}}]',
            {"timestamp": "2025-01-14T23:00:00Z", "vo2max": 43.5},
        ),
        (
            "demographic_vo2max_2025-01-01.csv",
            b"timestamp,demographic vo2max,data source\n2025-01-15T00:00:00Z,43.5,App\n2025-01-16T00:00:00Z,0,App\n",
            {"timestamp": "2025-01-15T00:00:00Z", "device_id": "App", "vo2max": 43.5},
        ),
        (
            "run_vo2max.csv",
            b"timestamp,run VO2 max\n2025-01-15T10:00:00Z,40.5\n2025-01-16T10:00:00Z,\n",
            {"timestamp": "2025-01-15T10:00:00Z", "vo2max": 40.5},
        ),
        (
            "altitude_2025-01-01.csv",
            b"timestamp,gain\n2025-01-15T08:46:00Z,4500\n2025-01-15T08:47:00Z,NaN\n",
            {"timestamp": "2025-01-15T08:46:00Z", "elevation_gain": 4.5},
        ),
        (
            "height.csv",
            b"timestamp,height millimeters,data source\n2025-01-15T08:46:00Z,1750,App\n2025-01-15T08:47:00Z,,App\n",
            {"timestamp": "2025-01-15T08:46:00Z", "device_id": "App", "body_height": {"value": 1750, "unit": "mm"}},
        ),
        (
            "active_energy_burned_2025-01-01.csv",
            b"timestamp,Kilocalories,data source\n2025-01-15T08:46:00Z,3.5,Tracker\n2025-01-15T08:47:00Z,,Tracker\n",
            {"timestamp": "2025-01-15T08:46:00Z", "device_id": "Tracker", "active_energy": 3.5},
        ),
        (
            "swim_lengths_data_2025-01-01.csv",
            b"timestamp,lap time,stroke count,stroke type\n2025-01-15T08:46:00Z,31,18,FREESTYLE\n"
            b"2025-01-15T08:47:00Z,31,,FREESTYLE\n",
            {"timestamp": "2025-01-15T08:46:00Z", "swim_strokes": 18},
        ),
    ],
)
def test_further_families_hold_one_value_and_an_absent_one(name: str, body: bytes, expected: dict[str, Any]) -> None:
    seen = read(Fitbit(), body, BERLIN, filename=name)
    assert (readings(seen), seen.skipped.total(), seen.rejected, seen.damage) == ([expected], 1, [], None)


def test_the_oxygen_uptake_of_a_run_is_of_its_beginning_in_utc() -> None:
    body = (
        b'[{"dateTime": "03/04/25 06:30:00", '
        b'"value": {"exerciseId": 3, "runVO2Max": 44.25, "filteredRunVO2Max": 44.5}}]'
    )
    seen = read(Fitbit(), body, None, filename="run_vo2_max-2025-03-04.json")
    assert readings(seen) == [{"timestamp": "2025-03-04T06:30:00Z", "vo2max": 44.5}]


@pytest.mark.parametrize("family", ["steps", "distance"])
def test_a_minute_that_comes_again_as_zero_keeps_its_count(family: str) -> None:
    minutes = [("10:07", 40), ("10:08", 0), ("10:09", 5), ("10:07", 0)]
    body = ",".join(f'{{"dateTime": "02/03/25 {clock}:00", "value": "{value}"}}' for clock, value in minutes)
    seen = read(Fitbit(), f"[{body}]".encode(), filename=f"{family}-2025-02-01.json")
    assert [reading["timestamp"][11:16] for reading in readings(seen)] == ["10:07", "10:08", "10:09"]
    assert seen.skipped.total() == 1


def test_what_stands_for_nothing_is_skipped() -> None:
    assert alone("resting_heart_rate-2025-01-15.json").skipped.total() == 1
    assert alone("heart_rate_2025-01-15.csv").skipped.total() == 1
    assert alone("Minute SpO2 - 2025-01-15.csv").skipped.total() == 1


def test_an_hour_that_comes_twice_is_the_first_and_one_that_is_skipped_is_read_by_the_offset_before() -> None:
    body = b'[{"dateTime": "10/26/25 02:30:00", "value": "1"}, {"dateTime": "03/30/25 02:30:00", "value": "2"}]'
    seen = read(Fitbit(), body, BERLIN, filename="calories-2025-10-26.json")
    assert [one.reading["timestamp"] for one in seen.found] == ["2025-10-26T00:30:00Z", "2025-03-30T01:30:00Z"]


def test_a_clock_is_needed_only_where_moments_have_no_offset() -> None:
    assert len(alone("steps_2025-01-01.csv", None).found) == 3
    for name in ("calories-2025-01-15.json", "Heart Rate Variability Details - 2025-01-15.csv"):
        with pytest.raises(Invalid) as refused:
            alone(name, None)
        assert refused.value.faults[0]["at"] == "tz"
    with pytest.raises(Invalid, match="tz"):
        read(Fitbit(), archive("steps_2025-01-01.csv", "calories-2025-01-15.json"))
    assert len(read(Fitbit(), archive("steps_2025-01-01.csv")).found) == 3


def test_the_archive_is_read_without_counting_twice() -> None:
    body = archive(
        *(path.name for path in sorted((FILES / "fitbit").iterdir())),
        **{
            f"{GLOBAL}sleep-2025-01-15.json": b"[]",
            f"{GLOBAL}weight-2025-01-15.json": b'[{"logId": 1, "weight": 155.4}]',
            f"{ACTIVITY}calories_2025-01-01.csv": b"timestamp,calories,data source\n",
            f"{ACTIVITY}steps_readme.txt": b"",
            "Takeout/Mail/steps_2025-01-01.csv": b"timestamp,steps,data source\n2025-01-15T07:00:00Z,1,x\n",
        },
    )
    seen = read(Fitbit(), body, BERLIN)
    assert seen.kinds == {
        "steps (CSV)": 3,
        "heart_rate (CSV)": 2,
        "distance (CSV)": 1,
        "weight (CSV)": 1,
        "Minute SpO2 (CSV)": 1,
        "Heart Rate Variability Details (CSV)": 1,
        "calories (JSON)": 2,
        "resting_heart_rate (JSON)": 1,
    }
    assert seen.total("steps") == 130
    assert seen.skipped["steps (JSON)", "stands in the CSV of the archive, too (files)"] == 1
    assert seen.skipped["weight (JSON)", "does not say its unit (files)"] == 1
    assert seen.skipped["calories (CSV)", "may leave out minutes at rest; the JSON has them (files)"] == 1
    assert seen.skipped["sleep (JSON)", "has no metric (files)"] == 1


def test_an_archive_of_google_health_has_a_folder_for_each_family() -> None:
    there = "Takeout/Google Health/Physical Activity_GoogleData/"
    steps = content("fitbit/steps_2025-01-01.csv")
    night = b"timestamp,average percentage,lower bound percentage,data source\n2025-01-15T00:00:00Z,95,93,Tracker\n"
    body = packed(
        **{
            f"{there}Steps/steps_2025-01-01.csv": steps,
            f"{there}Live Pace/live_pace_2025-01-01.csv": steps,
            f"{there}Daily Oxygen Saturation/daily_oxygen_saturation.csv": night,
            "TIMESERIES_GoogleData/floors_2025-01-01.csv": b"timestamp,floors\n2025-01-15T08:46:00Z,2\n",
            "TIMESERIES_GoogleData/calories_2025-01-01.csv": b"timestamp,calories\n2025-01-15T08:46:00Z,1.25\n",
        }
    )
    assert choose("auto", io.BytesIO(body)).name == "fitbit"
    seen = read(Fitbit(), body)
    assert seen.kinds == {"steps (CSV)": 3, "floors (CSV)": 1, "calories (CSV)": 1}
    assert seen.skipped == {
        ("live_pace (CSV)", "stands in steps and distance, too (files)"): 1,
        (
            "daily_oxygen_saturation (CSV)",
            "is the average of a night; oxygen_saturation has what was measured (files)",
        ): 1,
    }


def test_files_without_a_device_are_of_the_one_given() -> None:
    assert alone("steps-2025-01-15.json", device_id="Charge").found[0].reading["device_id"] == "Charge"
    assert alone("steps_2025-01-01.csv", device_id="Charge").found[0].reading["device_id"] == "Tracker"


@pytest.mark.parametrize("name", [None, "export.json", "sleep-2025-01-15.json", "weight-2025-01-15.json"])
def test_a_name_that_says_nothing_is_refused(name: str | None) -> None:
    with pytest.raises(Invalid) as refused:
        read(Fitbit(), b"[]", BERLIN, filename=name)
    assert refused.value.faults[0]["at"] == "filename"


def test_one_bad_record_leaves_the_others() -> None:
    body = (
        b'[{"dateTime": "01/15/25 08:00:00", "value": "5"}, {"dateTime": "15/01/25 08:00:00", "value": "5"}, '
        b'{"dateTime": "01/15/25 08:01:00", "value": "many"}, 7, {"dateTime": "01/15/25 08:02:00", "value": "6"}]'
    )
    seen = read(Fitbit(), body, BERLIN, filename="steps-2025-01-15.json")
    assert (seen.total("steps"), [one.at for one in seen.rejected]) == (11, ["[1]", "[2]", "[3]"])
    rows = [
        "timestamp,steps,data source",
        "2025-01-15T07:00Z,5,T",
        "now,5,T",
        "2025-01-15T07:01Z,many,T",
        "2025-01-15T07:02Z,6,T",
    ]
    table = "\n".join(rows).encode()
    seen = read(Fitbit(), table, BERLIN, filename="steps_2025-01-01.csv")
    assert (seen.total("steps"), [one.at for one in seen.rejected]) == (11, ["line 3", "line 4"])


def test_a_damaged_file_of_an_archive_leaves_the_others() -> None:
    body = packed(
        **{
            f"{ACTIVITY}steps_2025-01-01.csv": b"timestamp,steps,data source\n2025-01-15T07:00:00Z,5,T\xe9\n",
            f"{ACTIVITY}distance_2025-01-01.csv": b"timestamp,paces,data source\n",
            f"{GLOBAL}calories-2025-01-15.json": content("fitbit/calories-2025-01-15.json")[:70],
            f"{HRV}Heart Rate Variability Details - 2025-01-15.csv": b"no data",
            f"{SPO2}Minute SpO2 - 2025-01-15.csv": content("fitbit/Minute SpO2 - 2025-01-15.csv"),
        }
    )
    seen = read(Fitbit(), body, BERLIN)
    assert seen.kinds == {"calories (JSON)": 1, "Minute SpO2 (CSV)": 1}
    assert [(one.kind, one.at) for one in seen.rejected] == [
        ("steps (CSV)", "steps_2025-01-01.csv: the file"),
        ("distance (CSV)", "distance_2025-01-01.csv: line 1"),
        ("calories (JSON)", "calories-2025-01-15.json: [1]"),
    ]


def test_a_very_long_line_is_refused() -> None:
    seen = read(Fitbit(), b"timestamp,steps\n" + b"x" * 200_000, filename="steps_2025-01-01.csv")
    assert seen.damage is not None
    assert "line" in seen.damage


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("a/b/steps-2025-01-15.json", "steps"),
        ("heart_rate_2025-01-15.csv", "heart_rate"),
        ("Daily Heart Rate Variability Summary - 2025-03-(1).csv", "Daily Heart Rate Variability Summary"),
        ("weight.csv", "weight"),
        ("Minute SpO2 - 2025-01-15.csv", "Minute SpO2"),
    ],
)
def test_the_family_of_a_file_is_its_name_without_the_date(name: str, family: str) -> None:
    file = file_of(name)
    assert file is not None
    assert file.family == family


def test_it_is_recognized() -> None:
    assert choose("auto", io.BytesIO(archive("steps_2025-01-01.csv"))).name == "fitbit"
    for path in (FILES / "fitbit").iterdir():
        assert choose("auto", io.BytesIO(path.read_bytes()), path.name).name == "fitbit"
