"""Exports of Apple Health: what a person would count in the file by hand, and what damaged or hostile files give."""

from __future__ import annotations

import io
import re

import pytest

from service.errors import Invalid, TooLarge
from service.imports.adapter import Sample
from service.imports.apple_health import NO_METRIC, AppleHealth
from service.imports.formats import choose
from service.imports.healthkit import LEVELS, SUMS
from tests.support.files import content, packed, read

EXPORT = content("apple-health/export.xml")
QUANTITY = "HKQuantityTypeIdentifier"
HEAD = b'<?xml version="1.0" encoding="UTF-8"?>\n<HealthData locale="en_GB">\n'
RECORD = (
    b'<Record type="HKQuantityTypeIdentifierHeartRate" sourceName="Watch" unit="count/min" '
    b'startDate="2025-01-15 08:00:00 +0100" endDate="2025-01-15 08:00:00 +0100" value="61"/>\n'
)


def test_what_is_in_the_file_is_found() -> None:
    seen = read(AppleHealth(), EXPORT)
    assert (len(seen.found), seen.rejected, seen.damage) == (17, [], None)
    assert seen.total("steps") == 670
    assert seen.total("floors") == 2
    assert seen.of(f"{QUANTITY}HeartRate") == [
        {"timestamp": "2025-01-15 08:00:00 +0100", "heart_rate": 61, "device_id": "Apple Watch"},
        {"timestamp": "2025-01-15 08:05:00 +0100", "heart_rate": 63.5, "device_id": "Apple Watch"},
    ]
    assert seen.skipped == {
        ("HKCategoryTypeIdentifierSleepAnalysis", NO_METRIC): 2,
        (f"{QUANTITY}HeadphoneAudioExposure", NO_METRIC): 1,
        ("Workout", "is a workout; its records are taken by themselves"): 1,
        ("ActivitySummary", "sums up a day; the records of the day are taken"): 1,
    }


def test_a_sum_is_of_its_interval_and_a_level_is_of_its_beginning() -> None:
    seen = read(AppleHealth(), EXPORT)
    [phone, _] = seen.of(f"{QUANTITY}StepCount")
    assert (phone["timestamp"], phone["end"]) == ("2025-01-15 08:00:00 +0100", "2025-01-15 08:10:00 +0100")
    [spo2] = seen.of(f"{QUANTITY}OxygenSaturation")
    assert (spo2["timestamp"], "end" in spo2) == ("2025-01-15 08:06:00 +0100", False)
    [floors] = seen.of(f"{QUANTITY}FlightsClimbed")  # which begins and ends at one moment
    assert (floors["timestamp"], "end" in floors) == ("2025-01-15 23:20:00 -0500", False)


@pytest.mark.parametrize(
    ("kind", "metric", "value", "unit"),
    [
        ("Height", "body_height", 5.75, "ft"),
        ("BodyMass", "body_weight", 150, "lb"),
        ("OxygenSaturation", "spo2", 0.97, "fraction"),
        ("BodyTemperature", "body_temperature", 98.6, "degF"),
        ("BloodGlucose", "blood_glucose", 5, "mmol/L"),
        ("DistanceWalkingRunning", "distance", 0.45, "km"),
        ("ActiveEnergyBurned", "active_energy", 20.92, "kJ"),
        ("VO2Max", "vo2max", 41.2, "mL/kg/min"),
        ("HeartRateVariabilitySDNN", "hrv_sdnn", 48.5, "ms"),
    ],
)
def test_units_are_passed_on_as_the_registry_calls_them(kind: str, metric: str, value: float, unit: str) -> None:
    [reading] = read(AppleHealth(), EXPORT).of(QUANTITY + kind)
    assert reading[metric] == {"value": value, "unit": unit}


def test_a_count_is_only_of_what_has_no_unit() -> None:
    wrong = RECORD.replace(b"HeartRate", b"DistanceCycling").replace(b"count/min", b"count")
    [found] = read(AppleHealth(), HEAD + wrong + b"</HealthData>").found
    assert found.reading["distance_cycling"] == {"value": 61, "unit": "count"}  # which is refused as no unit of it


def test_a_blood_pressure_is_a_pair() -> None:
    [pair] = read(AppleHealth(), EXPORT).of("HKCorrelationTypeIdentifierBloodPressure")
    assert pair == {
        "timestamp": "2025-01-15 09:10:00 +0100",
        "device_id": "Cuff",
        "bp_systolic": {"value": 121, "unit": "mm[Hg]"},
        "bp_diastolic": {"value": 79, "unit": "mm[Hg]"},
    }


def test_the_document_of_an_archive_is_found_in_any_language() -> None:
    body = packed(
        apple_health_export__export_cda=b"<ClinicalDocument/>",
        **{
            "apple_health_export__exportación.xml": EXPORT,
            "apple_health_export__exportación_cda.xml": b"<ClinicalDocument/>",
            "apple_health_export__workout-routes__route_1.gpx": b"<gpx/>",
            "apple_health_export__electrocardiograms__ecg_1.csv": b"",
        },
    )
    seen = read(AppleHealth(), body)
    assert seen.found == read(AppleHealth(), EXPORT).found
    assert seen.skipped["workout-routes", "is no part of the document"] == 1
    assert seen.skipped["electrocardiograms", "is no part of the document"] == 1


@pytest.mark.parametrize("body", [EXPORT, packed(apple_health_export__Export=EXPORT)])
def test_it_is_recognized(body: bytes) -> None:
    assert choose("auto", io.BytesIO(body)).name == "apple-health"


def test_other_xml_is_not() -> None:
    assert not AppleHealth().sniffs(Sample(b"<?xml version='1.0'?><gpx/>"))
    with pytest.raises(Invalid, match="begins with 'gpx'"):
        read(AppleHealth(), b"<gpx/>")
    with pytest.raises(Invalid, match="no document"):
        read(AppleHealth(), packed(a=b"b"))


def test_a_file_that_is_cut_gives_what_was_complete() -> None:
    whole = read(AppleHealth(), EXPORT)
    for cut in range(2500, len(EXPORT) - 20, 997):
        seen = read(AppleHealth(), EXPORT[:cut])
        assert seen.found == whole.found[: len(seen.found)]
        assert seen.damage is not None
        assert re.match(r"line \d+: is no XML: (no element found|unclosed token)", seen.damage)


def test_a_file_that_is_damaged_gives_what_stands_before() -> None:
    seen = read(AppleHealth(), HEAD + RECORD + RECORD.replace(b"Watch", b"\xe9") + RECORD + b"</HealthData>")
    assert len(seen.found) == 1
    assert seen.damage == "line 4: is no XML: not well-formed (invalid token)"


@pytest.mark.parametrize(
    ("damage", "problem", "value"),
    [
        ((b'value="61"', b'value="high"'), "has no number in value", "high"),
        ((b'value="61"', b""), "has no number in value", None),
        ((b"startDate", b"start"), "has no startDate", None),
        ((b" type=", b" sort="), "has no type", None),
    ],
)
def test_one_bad_record_leaves_the_others(damage: tuple[bytes, bytes], problem: str, value: str | None) -> None:
    seen = read(AppleHealth(), HEAD + RECORD + RECORD.replace(*damage) + RECORD + b"</HealthData>")
    assert len(seen.found) == 2
    [rejected] = seen.rejected
    assert (rejected.at, rejected.problem, rejected.value) == ("line 4", problem, value)


def test_a_malformed_definition_is_no_matter() -> None:
    broken = b'<!DOCTYPE HealthData [\n<!ATTLIST Record type CDATA #WHAT\n<<\n]>\n<HealthData locale="de_DE">\n'
    seen = read(AppleHealth(), broken + RECORD.replace(b"61", b"x") + RECORD + b"</HealthData>")
    assert (len(seen.found), seen.damage) == (1, None)
    assert seen.rejected[0].at == "line 6"


BOMB = b'<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">'


@pytest.mark.parametrize("before", [b"", b"<!--" + b" " * 70_000 + b"-->"])
@pytest.mark.parametrize(
    "definition", [b"[" + BOMB + b"]", b'[<!ENTITY a SYSTEM "file:///etc/hostname">]', b'SYSTEM "file:///etc/hostname"']
)
def test_entities_are_refused(before: bytes, definition: bytes) -> None:
    record = RECORD.replace(b"Watch", b"&a;")
    body = before + b"<!DOCTYPE HealthData " + definition + b"><HealthData>" + record + b"</HealthData>"
    try:
        seen = read(AppleHealth(), body)
    except Invalid as invalid:
        assert "entities" in invalid.detail  # noqa: PT017
    else:
        assert (seen.found, seen.damage is not None) == ([], True)


@pytest.mark.parametrize(
    "body",
    [
        b'<HealthData><Record value="' + b"x" * 3_000_000,
        b"<HealthData>" + b"<a>" * 1_000_000,
        b"<HealthData>" + b"".join(b"<a%d/>" % number for number in range(100_000)),
        b"<HealthData><!--" + b"x" * 3_000_000,
    ],
)
def test_what_would_take_memory_is_refused(body: bytes) -> None:
    seen = read(AppleHealth(), body)
    assert seen.damage is not None
    assert "is no document of Apple Health" in seen.damage


def test_an_archive_that_unpacks_to_too_much_is_refused() -> None:
    body = packed(**{"apple_health_export__export.xml": HEAD + RECORD * 10_000 + b"</HealthData>"})
    assert len(body) < 20_000
    with pytest.raises(TooLarge):
        read(AppleHealth(), body, most_unpacked=1_000_000)


def test_an_archive_without_its_end_is_damaged() -> None:
    body = packed(**{"apple_health_export__export.xml": EXPORT})
    seen = read(AppleHealth(), body[:-30])
    assert (seen.found, seen.damage) == ([], "the archive: cannot be opened: it is not complete, or damaged")


def test_no_type_is_there_twice() -> None:
    assert not SUMS.keys() & LEVELS.keys()
