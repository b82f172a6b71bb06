"""Gadgetbridge's database: what rows become, and what of a damaged or hostile file is read."""

from __future__ import annotations

import io
import time
import tracemalloc
from collections import Counter
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile
from zoneinfo import ZoneInfo

import pytest

from service.errors import Invalid
from service.imports.adapter import Damaged, Found, ImportContext, Item, Rejected, Sample, Skipped
from service.imports.gadgetbridge import Gadgetbridge
from tests.support.files import content, database

ADAPTER = Gadgetbridge()

SCRIPT = content("gadgetbridge/database.sql").decode()
BAND = "Mi Smart Band 4 (C0:FF:EE:00:00:01)"
WATCH = "vivomove Trend (C0:FF:EE:00:00:02)"
BERLIN = ImportContext(zone=ZoneInfo("Europe/Berlin"))
DEVICES = "CREATE TABLE DEVICE (_id INTEGER, NAME TEXT, IDENTIFIER TEXT); INSERT INTO DEVICE VALUES (1, 'Band', 'C0');"
SAMPLES = "CREATE TABLE X_ACTIVITY_SAMPLE (TIMESTAMP, DEVICE_ID, USER_ID, STEPS, HEART_RATE);"


def read(data: bytes, context: ImportContext = BERLIN) -> list[Item]:
    return list(ADAPTER.read(io.BytesIO(data), context))


def readings(items: list[Item], kind: str | None = None) -> list[dict[str, Any]]:
    return [item.reading for item in items if isinstance(item, Found) and kind in (None, item.kind)]


def test_a_minute_of_a_band_is_a_reading():
    assert readings(read(database(SCRIPT)), "MI_BAND_ACTIVITY_SAMPLE") == [
        {"device_id": BAND, "timestamp": "2025-01-15T10:00:00Z", "steps": 12, "heart_rate": 72},
        {"device_id": BAND, "timestamp": "2025-01-15T10:01:00Z", "steps": 0},
        {"device_id": BAND, "timestamp": "2025-01-15T10:02:00Z", "steps": 40, "heart_rate": 118},
    ]


def test_amounts_counted_from_midnight_become_what_was_added():
    found = readings(read(database(SCRIPT)), "GARMIN_ACTIVITY_SAMPLE")
    intervals = [
        {name: reading[name] for name in reading if name != "device_id"} for reading in found if "end" in reading
    ]
    assert intervals == [
        {
            "timestamp": "2025-01-13T23:00:00Z",
            "end": "2025-01-14T22:30:00Z",
            "steps": 300,
            "distance": 210.0,
            "active_energy": 12,
        },
        {
            "timestamp": "2025-01-14T23:00:00Z",
            "end": "2025-01-15T06:00:00Z",
            "steps": 0,
            "distance": 0.0,
            "active_energy": 3,
        },
        {
            "timestamp": "2025-01-15T06:00:00Z",
            "end": "2025-01-15T06:01:00Z",
            "steps": 100,
            "distance": 75.5,
            "active_energy": 2,
        },
        {
            "timestamp": "2025-01-15T06:01:00Z",
            "end": "2025-01-15T06:03:00Z",
            "steps": 0,
            "distance": 0.0,
            "active_energy": 0,
        },
        {
            "timestamp": "2025-01-15T06:03:00Z",
            "end": "2025-01-15T06:04:00Z",
            "steps": 150,
            "distance": 104.5,
            "active_energy": 4,
        },
    ]
    assert sum(reading["steps"] for reading in intervals) == 300 + 250
    assert [(reading["timestamp"], reading["heart_rate"]) for reading in found if "heart_rate" in reading] == [
        ("2025-01-14T22:30:00Z", 61),
        ("2025-01-15T06:00:00Z", 55),
        ("2025-01-15T06:01:00Z", 80),
        ("2025-01-15T06:03:00Z", 70),
        ("2025-01-15T06:04:00Z", 90),
    ]
    assert {reading["device_id"] for reading in found} == {WATCH}


def test_days_are_those_of_the_clock():
    with pytest.raises(Invalid, match="add tz"):
        read(database(SCRIPT), ImportContext())
    starts = [one["timestamp"] for one in readings(read(database(SCRIPT), ImportContext(zone=ZoneInfo("UTC"))))]
    assert "2025-01-14T00:00:00Z" in starts


def test_tables_without_rows_are_of_devices_that_are_not_there():
    empty = SAMPLES.replace("X_", "GARMIN_") + "CREATE TABLE HUAMI_STRESS_SAMPLE (TIMESTAMP, DEVICE_ID, STRESS);"
    items = read(database(SAMPLES + empty + "INSERT INTO X_ACTIVITY_SAMPLE VALUES (1736935200, 1, 1, 5, 70);"))
    assert [item for item in items if not isinstance(item, Found)] == []
    without_clock = ImportContext()
    assert read(database(SAMPLES + empty + "INSERT INTO X_ACTIVITY_SAMPLE VALUES (1, 1, 1, 5, 70);"), without_clock)


def test_a_counter_that_falls_begins_at_zero():
    rows = "(1736935200, 1, 1, 500, -1, 0, 0), (1736935260, 1, 1, 20, -1, 0, 0)"
    columns = "TIMESTAMP, DEVICE_ID, USER_ID, STEPS, HEART_RATE, DISTANCE_CM, ACTIVE_CALORIES"
    script = (
        f"{DEVICES} CREATE TABLE GARMIN_ACTIVITY_SAMPLE ({columns}); INSERT INTO GARMIN_ACTIVITY_SAMPLE VALUES {rows};"
    )
    assert [one["steps"] for one in readings(read(database(script)))] == [500, 20]


def test_single_measurements_count_milliseconds():
    items = read(database(SCRIPT))
    moment = "2025-01-15T06:00:00Z"
    assert readings(items, "GARMIN_SPO2_SAMPLE") == [{"device_id": WATCH, "timestamp": moment, "spo2": 96}]
    assert readings(items, "GARMIN_STRESS_SAMPLE") == [{"device_id": WATCH, "timestamp": moment, "garmin:stress": 25}]
    assert readings(items, "GARMIN_HRV_VALUE_SAMPLE") == [{"device_id": WATCH, "timestamp": moment, "hrv_rmssd": 48}]
    assert readings(items, "GARMIN_RESPIRATORY_RATE_SAMPLE") == [
        {"device_id": WATCH, "timestamp": moment, "respiratory_rate": 13.5}
    ]
    assert readings(items, "HUAMI_HEART_RATE_RESTING_SAMPLE") == [
        {"device_id": BAND, "timestamp": moment, "resting_heart_rate": 54}
    ]
    assert readings(items, "MI_SCALE_WEIGHT_SAMPLE") == [
        {"device_id": BAND, "timestamp": "2025-01-15T06:00:00.123Z", "body_weight": 72.5}
    ]


def test_a_row_of_some_seconds_is_an_interval():
    assert readings(read(database(SCRIPT)), "WITHINGS_STEEL_HRACTIVITY_SAMPLE") == [
        {"device_id": WATCH, "timestamp": "2025-01-15T10:00:00Z", "end": "2025-01-15T10:02:00Z", "steps": 30},
        {"device_id": WATCH, "timestamp": "2025-01-15T10:05:00Z", "steps": 0, "heart_rate": 66},
    ]


def test_a_row_that_ends_another_has_nothing_of_its_own():
    columns = "TIMESTAMP, DEVICE_ID, USER_ID, OTHER_TIMESTAMP, STEPS, HEART_RATE, SPO"
    rows = "(1736935200, 1, 1, 1736935260, 9, 70, -1), (1736935260, 1, 1, 1736935200, 9, 70, -1)"
    script = (
        f"{DEVICES} CREATE TABLE HUAWEI_ACTIVITY_SAMPLE ({columns}); INSERT INTO HUAWEI_ACTIVITY_SAMPLE VALUES {rows};"
    )
    assert readings(read(database(script))) == [
        {"device_id": "Band (C0)", "timestamp": "2025-01-15T10:00:00Z", "end": "2025-01-15T10:01:00Z", "steps": 9},
        {"device_id": "Band (C0)", "timestamp": "2025-01-15T10:00:00Z", "heart_rate": 70},
    ]


def test_what_is_left_out_is_named():
    items = read(database(SCRIPT))
    skipped = [(item.kind, item.times, item.reason) for item in items if isinstance(item, Skipped)]
    no_metric = "there is no metric for"
    assert skipped == [
        ("BATTERY_LEVEL", 2, f"{no_metric} this table"),
        ("GARMIN_ACTIVITY_SAMPLE", 1, f"{no_metric} its columns RAW_INTENSITY, RAW_KIND"),
        ("HUAMI_HEART_RATE_RESTING_SAMPLE", 1, f"{no_metric} its columns UTC_OFFSET"),
        ("HUAMI_STRESS_SAMPLE", 2, f"{no_metric} this table"),
        ("MI_BAND_ACTIVITY_SAMPLE", 1, f"{no_metric} its columns RAW_INTENSITY, RAW_KIND"),
        (
            "WITHINGS_STEEL_HRACTIVITY_SAMPLE",
            1,
            f"{no_metric} its columns CALORIES, DISTANCE, RAW_INTENSITY, RAW_KIND",
        ),
    ]
    assert not [item for item in items if isinstance(item, Rejected)]
    assert Counter(item.__class__ for item in items)[Found] == 3 + 5 + 5 + 2 + 6


def test_the_archive_of_the_app_has_the_database():
    packed = io.BytesIO()
    with ZipFile(packed, "w", ZIP_DEFLATED) as archive:
        archive.writestr("files/photo.jpg", b"x")
        archive.writestr("database/Gadgetbridge", database(SCRIPT))
    assert read(packed.getvalue()) == read(database(SCRIPT))
    assert ADAPTER.sniffs(Sample(packed.getvalue()[:64], None, ("files/photo.jpg", "database/Gadgetbridge")))
    other = io.BytesIO()
    with ZipFile(other, "w") as archive:
        archive.writestr("photo.jpg", b"x")
    with pytest.raises(Invalid, match="has no database"):
        read(other.getvalue())


def test_a_device_that_is_not_listed_has_the_name_that_was_given():
    script = f"{SAMPLES} INSERT INTO X_ACTIVITY_SAMPLE VALUES (1736935200, 7, 1, 5, 70);"
    assert readings(read(database(script)))[0]["device_id"] == "Gadgetbridge 7"
    assert readings(read(database(script), ImportContext(device_id="ring")))[0]["device_id"] == "ring"


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("('noon', 1, 1, 5, 70)", "must have a number as its TIMESTAMP and DEVICE_ID"),
        ("(1.5, 1, 1, 5, 70)", "must have a number as its TIMESTAMP and DEVICE_ID"),
        ("(1736935200, NULL, 1, 5, 70)", "must have a number as its TIMESTAMP and DEVICE_ID"),
        ("(1736935200, 1, 1, 'many', 70)", "must have a number as its STEPS"),
        ("(1736935200, 1, 1, x'00', 70)", "must have a number as its STEPS"),
        ("(1736935200, 1, 1, 9e999, 70)", "must have a number as its STEPS"),
        ("(9223372036854775807, 1, 1, 5, 70)", "is not a moment of the calendar"),
    ],
)
def test_a_broken_row_is_named_and_ends_nothing_else(row, problem):
    good = "(1736935200, 1, 1, 5, 70)"
    script = f"{DEVICES} {SAMPLES} INSERT INTO X_ACTIVITY_SAMPLE VALUES {good}, {row}, {good};"
    items = read(database(script))
    assert [item.__class__ for item in items] == [Found, Rejected, Found]
    assert items[1].problem == problem


def test_a_file_cut_in_the_middle_has_the_rows_before():
    rows = ", ".join(f"({1736935200 + 60 * minute}, 1, 1, 5, 70)" for minute in range(2000))
    data = database(f"{DEVICES} {SAMPLES} INSERT INTO X_ACTIVITY_SAMPLE VALUES {rows};")
    items: list[Item] = []
    with pytest.raises(Damaged, match="is not complete"):
        items.extend(ADAPTER.read(io.BytesIO(data[: len(data) // 2]), BERLIN))
    assert 500 < len(readings(items)) < 2000
    (rejected,) = [item for item in items if isinstance(item, Rejected)]
    assert rejected.at == "X_ACTIVITY_SAMPLE"
    assert "malformed" in rejected.problem


@pytest.mark.parametrize("data", [b"SQLite format 3\x00" + b"\xff" * 5000, b"not a database" * 500])
def test_what_is_no_database_is_damaged(data):
    with pytest.raises(Damaged, match="cannot be read"):
        read(data)


def test_views_and_virtual_tables_are_not_read():
    script = f"""{SAMPLES} ALTER TABLE X_ACTIVITY_SAMPLE RENAME TO Y_ACTIVITY_SAMPLE;
        CREATE VIEW X_ACTIVITY_SAMPLE AS
          WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n)
          SELECT n AS TIMESTAMP, 1 AS DEVICE_ID, 1 AS USER_ID, 1 AS STEPS, 70 AS HEART_RATE FROM n;
        CREATE VIRTUAL TABLE Z_ACTIVITY_SAMPLE USING fts5(TIMESTAMP, DEVICE_ID, STEPS);
        CREATE TRIGGER T AFTER INSERT ON Y_ACTIVITY_SAMPLE BEGIN DELETE FROM Y_ACTIVITY_SAMPLE; END;"""
    skipped = [item for item in read(database(script)) if isinstance(item, Skipped)]
    assert skipped == [Skipped("X_ACTIVITY_SAMPLE", "is no table"), Skipped("Z_ACTIVITY_SAMPLE", "is no table")]


def test_a_column_that_computes_is_not_read():
    script = "CREATE TABLE X_ACTIVITY_SAMPLE (TIMESTAMP, DEVICE_ID, STEPS AS (hex(zeroblob(90000))), HEART_RATE);"
    (found, *_) = readings(read(database(script + "INSERT INTO X_ACTIVITY_SAMPLE VALUES (1736935200, 1, 70);")))
    assert (found["heart_rate"], found.get("steps")) == (70, None)


@pytest.mark.parametrize("data", [b"", database("CREATE TABLE heart_rate_record_table (row_id INTEGER);")])
def test_a_database_of_something_else_is_refused(data):
    with pytest.raises(Invalid, match="no tables of Gadgetbridge"):
        read(data)


def test_names_that_are_none_are_not_read():
    name = '"X""; DROP TABLE DEVICE; --ACTIVITY_SAMPLE"'
    script = f"CREATE TABLE {name} (TIMESTAMP, DEVICE_ID, STEPS); INSERT INTO {name} VALUES (1736935200, 1, 5);"
    with pytest.raises(Invalid, match="no tables of Gadgetbridge"):
        read(database(script))


def test_a_hostile_database_takes_no_long():
    script = SAMPLES + "".join(
        f"CREATE TABLE T{number}_ACTIVITY_SAMPLE (TIMESTAMP, DEVICE_ID, STEPS);"
        f"INSERT INTO T{number}_ACTIVITY_SAMPLE VALUES (1736935200, 1, 5);"
        for number in range(3000)
    )
    started = time.process_time()
    assert len(readings(read(database(script)))) == 3000
    assert time.process_time() - started < 5


def test_long_names_of_devices_take_no_memory():
    names = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 40)"
    script = f"""
        CREATE TABLE DEVICE (_id INTEGER, NAME TEXT, IDENTIFIER TEXT);
        INSERT INTO DEVICE {names} SELECT n, hex(zeroblob(500000)), 'C0' FROM n;
        {SAMPLES} INSERT INTO X_ACTIVITY_SAMPLE VALUES (1736935200, 1, 1, 5, 70);
    """
    data = database(script)
    tracemalloc.start()
    try:
        assert readings(read(data))[0]["device_id"] == f"{'0' * 100} (C0)"
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_it_is_recognized_by_what_it_begins_with():
    assert ADAPTER.sniffs(Sample(database(SCRIPT)[:64]))
    for other in (b"", b"SQLite", b"{}"):
        assert not ADAPTER.sniffs(Sample(other))
