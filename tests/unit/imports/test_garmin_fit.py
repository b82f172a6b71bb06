"""FIT files: what messages become, and what of a damaged or hostile file is read."""

from __future__ import annotations

import io
import time
from collections.abc import Mapping
from typing import Any
from zipfile import ZipFile

import pytest

from service.errors import Malformed
from service.imports.adapter import Damaged, Found, ImportContext, Item, Rejected, Sample, Skipped
from service.imports.garmin_fit import GarminFit
from tests.support.fit_files import (
    TYPES,
    UINT8,
    UINT32,
    activity,
    data,
    defined,
    file_id,
    fit,
    message,
    monitoring,
    seconds,
)

ADAPTER = GarminFit()
WATCH = "garmin-4536-3999999999"
TEN = seconds("2025-01-15T10:00:00")
MIDNIGHT = seconds("2025-01-14T23:00:00")
RUNNING, WALKING = 1, 6


def read(file: bytes, context: ImportContext | None = None) -> list[Item]:
    return list(ADAPTER.read(io.BytesIO(file), context or ImportContext()))


def readings(items: list[Item], *metrics: str) -> list[dict[str, Any]]:
    """Return the readings that have one of the metrics, without their devices."""
    found = [item.reading for item in items if isinstance(item, Found)]
    return [
        {name: reading[name] for name in reading if name in ("timestamp", "end", *metrics)}
        for reading in found
        if not metrics or set(metrics) & reading.keys()
    ]


def counted(*messages: Mapping[int, int], begun: int = MIDNIGHT) -> list[Item]:
    """Read a file of monitoring in Berlin that began at a moment."""
    parts = [data(1, 55, {5: WALKING} | values) for values in messages]
    return read(fit(file_id(32), message(103, {253: begun, 0: begun + 3600}), defined(1, 55, TYPES[55]), *parts))


def test_the_activity_written_by_hand():
    items = read(activity())
    assert {item.reading["device_id"] for item in items if isinstance(item, Found)} == {WATCH}
    assert readings(items, "heart_rate", "cadence", "speed", "power") == [
        {"timestamp": "2025-01-15T10:00:00Z", "heart_rate": 98, "cadence": 0, "speed": 0.0},
        {"timestamp": "2025-01-15T10:00:01Z", "heart_rate": 101, "cadence": 80, "speed": 2.5, "power": 210},
        {"timestamp": "2025-01-15T10:00:02Z", "heart_rate": 104, "cadence": 82, "speed": 3.0, "power": 220},
        {"timestamp": "2025-01-15T10:01:03Z", "heart_rate": 110, "cadence": 81, "speed": 3.0, "power": 215},
    ]
    assert readings(items, "distance") == [
        {"timestamp": "2025-01-15T10:00:00Z", "end": "2025-01-15T10:00:01Z", "distance": 2.5},
        {"timestamp": "2025-01-15T10:00:01Z", "end": "2025-01-15T10:00:02Z", "distance": 3.0},
        {"timestamp": "2025-01-15T10:00:02Z", "end": "2025-01-15T10:01:02Z", "distance": 3.5},
        {"timestamp": "2025-01-15T10:01:02Z", "end": "2025-01-15T10:01:03Z", "distance": 3.0},
    ]
    assert readings(items, "calories") == [
        {"timestamp": "2025-01-15T10:00:00Z", "end": "2025-01-15T10:01:03Z", "calories": 3}
    ]
    assert [item for item in items if not isinstance(item, Found)] == [
        Skipped("event", "there is no metric for this message")
    ]


def test_the_day_of_monitoring_written_by_hand():
    items = read(monitoring())
    steps = [
        {"timestamp": "2025-01-14T23:00:00Z", "end": "2025-01-14T23:15:00Z", "steps": 0},
        {"timestamp": "2025-01-14T23:15:00Z", "end": "2025-01-15T07:00:00Z", "steps": 1000},
        {"timestamp": "2025-01-15T07:00:00Z", "end": "2025-01-15T07:15:00Z", "steps": 200},
        {"timestamp": "2025-01-15T07:15:00Z", "end": "2025-01-15T23:00:00Z", "steps": 0},
    ]
    assert readings(items, "steps") == steps
    for metric, total in (("steps", 1200), ("distance", 1100), ("distance_cycling", 2000), ("active_energy", 115)):
        assert sum(one[metric] for one in readings(items, metric)) == total
    seven = {"timestamp": "2025-01-15T07:00:00Z"}
    assert readings(items, "heart_rate") == [{"timestamp": "2025-01-14T23:16:00Z", "heart_rate": 52}]
    for metric, value in (
        ("resting_heart_rate", 49),
        ("garmin:stress", 25),
        ("spo2", 96),
        ("respiratory_rate", 13.5),
        ("hrv_rmssd", 48.5),
    ):
        assert readings(items, metric) == [seven | {metric: value}]
    assert [item for item in items if not isinstance(item, Found)] == [
        Skipped("monitoring", "is marked as no measurement"),
        Skipped("monitoring", "there is no metric for what is counted of activity 2"),
        Skipped("stress_level", "is marked as no measurement"),
    ]


def test_scales_and_cuffs_write_what_they_measure():
    scale = message(30, {253: TEN, 0: 8150, 1: 2040, 4: 310, 13: 240})
    items = read(fit(file_id(9), scale, message(51, {253: TEN, 0: 121, 1: 79, 6: 62})))
    measured = ("body_weight", "body_fat", "bone_mass", "bmi", "bp_systolic", "bp_diastolic", "heart_rate")
    assert readings(items, *measured) == [
        {"timestamp": "2025-01-15T10:00:00Z", "body_weight": 81.5, "body_fat": 20.4, "bone_mass": 3.1, "bmi": 24.0},
        {"timestamp": "2025-01-15T10:00:00Z", "bp_systolic": 121, "bp_diastolic": 79, "heart_rate": 62},
    ]


def test_what_was_counted_before_the_file_is_not_counted_again():
    items = counted({253: TEN, 3: 5000}, {253: TEN + 900, 3: 5300}, begun=TEN)
    assert readings(items, "steps") == [
        {"timestamp": "2025-01-15T10:00:00Z", "end": "2025-01-15T10:15:00Z", "steps": 300}
    ]
    assert Skipped("monitoring", "steps that were counted before the file begins are not in it") in items


def test_counters_begin_at_zero_at_each_midnight_of_the_watch():
    items = counted(
        {253: MIDNIGHT + 82_800, 3: 900},
        {253: MIDNIGHT + 86_400, 3: 950},
        {253: MIDNIGHT + 87_300, 3: 15},
    )
    assert [one["steps"] for one in readings(items, "steps")] == [900, 50, 15]
    assert readings(items, "steps")[-1]["timestamp"] == "2025-01-15T23:00:00Z"


def test_a_counter_that_falls_begins_again():
    items = counted({253: MIDNIGHT + 900, 3: 500}, {253: MIDNIGHT + 1800, 3: 20})
    assert [one["steps"] for one in readings(items, "steps")] == [500, 20]


def test_an_older_message_counts_nothing_again():
    items = counted({253: MIDNIGHT + 1800, 3: 500}, {253: MIDNIGHT + 900, 3: 480}, {253: MIDNIGHT + 2700, 3: 510})
    assert [one["steps"] for one in readings(items, "steps")] == [500, 10]


def test_counters_go_on_in_the_next_file_of_a_device_and_of_no_other():
    def file(serial: int, begun: int, *values: Mapping[int, int]) -> bytes:
        parts = [data(1, 55, {5: WALKING} | one) for one in values]
        clock = message(103, {253: begun, 0: begun + 3600})
        return fit(message(0, {1: 1, 2: 4536, 3: serial}), clock, defined(1, 55, TYPES[55]), *parts)

    first = file(1, MIDNIGHT, {253: MIDNIGHT + 900, 3: 500})
    second = MIDNIGHT + 1000, {253: MIDNIGHT + 1800, 3: 800}
    assert [one["steps"] for one in readings(read(first + file(1, *second)), "steps")] == [500, 300]
    assert [one["steps"] for one in readings(read(first + file(2, *second)), "steps")] == [500]


def test_sixteen_bits_of_a_moment_continue_the_last_whole_one():
    begun = 0x4310FF00
    parts = [data(1, 55, {26: (begun + more) & 0xFFFF, 27: 60}) for more in (0xF0, 0x1F0)]
    items = read(fit(file_id(32), message(103, {253: begun}), defined(1, 55, TYPES[55]), *parts))
    first, second = readings(items, "heart_rate")
    assert (first["timestamp"], second["timestamp"]) == ("2025-08-27T00:06:08Z", "2025-08-27T00:10:24Z")


def test_compressed_moments_add_up():
    content = {253: UINT32}, {3: UINT8}
    parts = [defined(0, 20, content[0]), b"\x00" + TEN.to_bytes(4, "little"), defined(1, 20, content[1])]
    parts += [bytes((0x80 | 1 << 5 | (TEN + more) & 31, 60 + more)) for more in (1, 31, 33)]
    assert readings(read(fit(file_id(4), *parts)), "heart_rate") == [
        {"timestamp": "2025-01-15T10:00:01Z", "heart_rate": 61},
        {"timestamp": "2025-01-15T10:00:31Z", "heart_rate": 91},
        {"timestamp": "2025-01-15T10:00:33Z", "heart_rate": 93},
    ]


def test_the_other_order_of_bytes_is_read_alike():
    values = {253: TEN, 3: 98, 5: 250, 73: 2500}
    for order in "<>":
        assert readings(read(fit(file_id(4), message(20, values, order))), "speed") == [
            {"timestamp": "2025-01-15T10:00:00Z", "speed": 2.5}
        ]


def test_files_that_follow_each_other_are_one():
    items = read(activity() + monitoring())
    assert len(readings(items)) == len(readings(read(activity()))) + len(readings(read(monitoring())))


def test_an_archive_has_files_each_of_which_may_be_damaged():
    packed = io.BytesIO()
    with ZipFile(packed, "w") as archive:
        for name, content in (
            ("a.fit", activity()),
            ("cut.FIT", activity()[:-30]),
            ("no.fit", b"x"),
            ("b.fit", monitoring()),
        ):
            archive.writestr(name, content)
    items = read(packed.getvalue())
    assert readings(items, "steps") == readings(read(monitoring()), "steps")
    assert [item.at.split(":")[0] for item in items if isinstance(item, Rejected)] == ["cut.FIT", "no.fit"]
    assert ADAPTER.sniffs(Sample(b"PK\x03\x04", None, ("a.fit", "b.FIT")))
    assert not ADAPTER.sniffs(Sample(b"PK\x03\x04", None, ("a.fit", "b.xml")))


def test_the_distance_of_a_session_is_taken_where_its_records_count_none():
    swim = message(18, {253: TEN + 900, 2: TEN, 7: 900_000, 9: 100_000, 5: 5, 11: 250})
    whole = {"timestamp": "2025-01-15T10:00:00Z", "end": "2025-01-15T10:15:00Z"}
    for records in ((), ({3: 99},), ({5: 2500},)):  # of which the last has no moment
        items = read(fit(file_id(4), *(message(20, values) for values in records), swim))
        assert readings(items, "calories", "distance_swimming") == [
            whole | {"calories": 250, "distance_swimming": 1000}
        ]
    rowed = read(fit(file_id(4), message(18, {2: TEN, 7: 900_000, 9: 100_000, 5: 15, 11: 250})))
    assert readings(rowed) == [whole]
    assert Skipped("session distance", "there is no metric for the distance of this sport") in rowed


def test_calories_of_records_are_not_counted_again_by_their_session():
    session = message(18, {253: TEN + 20, 2: TEN, 7: 20_000, 5: RUNNING, 11: 9})
    records = [message(20, {253: TEN + 10 * number, 33: 4 * number}) for number in range(3)]
    items = read(fit(file_id(4), *records, session))
    assert [one["calories"] for one in readings(items, "calories")] == [4, 4]


@pytest.mark.parametrize(
    ("sport", "metric"), [(1, "distance"), (2, "distance_cycling"), (5, "distance_swimming"), (15, None)]
)
def test_distance_is_of_the_sport(sport, metric):
    session = message(18, {253: TEN + 10, 2: TEN, 7: 10_000, 5: sport})
    items = read(fit(file_id(4), session, message(20, {253: TEN + 10, 5: 1000})))
    if metric is None:
        assert Skipped("record distance", "there is no metric for the distance of this sport") in items
    else:
        assert [one[metric] for one in readings(items, metric)] == [10]


def test_the_device_without_a_serial_number_is_the_given_one():
    anonymous = message(0, {0: 4, 1: 1, 2: 4536})
    file = fit(anonymous, message(20, {253: TEN, 3: 60}))
    for context, name in ((ImportContext(device_id="ring"), "ring"), (ImportContext(), "garmin-4536")):
        (found,) = read(file, context)
        assert isinstance(found, Found)
        assert found.reading["device_id"] == name


@pytest.mark.parametrize(
    ("values", "problem"),
    [({253: 1000, 3: 60}, "has no date: it counts from when the device was switched on"), ({3: 60}, "has no moment")],
)
def test_a_moment_that_is_no_date_is_named(values, problem):
    rejected, found = read(fit(file_id(4), message(20, values), message(20, {253: TEN, 3: 60})))
    assert isinstance(rejected, Rejected)
    assert (rejected.kind, rejected.problem) == ("record", problem)
    assert isinstance(found, Found)


def test_a_file_cut_at_any_byte_has_the_records_before():
    whole = activity()
    before = 0
    for size in range(14, len(whole)):
        items: list[Item] = []
        with pytest.raises(Damaged, match="not complete"):
            items.extend(ADAPTER.read(io.BytesIO(whole[:size]), ImportContext()))
        found = len(readings(items, "heart_rate"))
        assert before <= found
        before = found
    assert before == 4


def test_a_wrong_byte_is_found_by_the_checksum():
    whole = bytearray(activity())
    whole[105] ^= 1
    items: list[Item] = []
    with pytest.raises(Damaged, match="another checksum"):
        items.extend(ADAPTER.read(io.BytesIO(whole), ImportContext()))
    assert len(readings(items, "heart_rate")) == 4


@pytest.mark.parametrize("file", [b"", b"x" * 100, b"\x0e\x10\x00\x00\x00\x00\x00\x00.XML\x00\x00"])
def test_what_is_no_fit_is_refused(file):
    with pytest.raises(Malformed, match="no FIT"):
        read(file)


def test_a_message_that_is_not_defined_ends_the_file():
    with pytest.raises(Damaged, match="not defined"):
        read(fit(file_id(4), b"\x05\x00"))


def test_the_largest_definition_takes_no_long():
    wide = bytes((0x60, 0, 0, 20, 0, 255)) + bytes((3, 255, 2)) * 255 + bytes((255,)) + bytes((1, 255, 0)) * 255
    file = fit(file_id(4), wide, *(b"\x00" + bytes(2 * 255 * 255) for _ in range(3)))
    started = time.process_time()
    assert readings(read(file)) == []
    assert time.process_time() - started < 1


def test_messages_of_no_bytes_take_no_memory():
    empty = bytes((0x40, 0, 0, 20, 0, 0))
    items = read(fit(file_id(4), empty, b"\x00" * 200_000))
    assert items == []


@pytest.mark.parametrize("base", [0x07, 0x88, 0x89, 0x55, 0xFF])
def test_types_that_no_field_has_are_passed_over(base):
    strange = bytes((0x40, 0, 0, 20, 0, 2, 253, 4, 0x86, 3, 1, base))
    assert read(fit(file_id(4), strange, b"\x00" + TEN.to_bytes(4, "little") + b"\x40")) == []


def test_it_is_recognized_by_its_mark():
    assert ADAPTER.sniffs(Sample(activity()[:64]))
    for other in (b"", b"PK\x03\x04", b"{}", b"SQLite format 3\x00"):
        assert not ADAPTER.sniffs(Sample(other))
