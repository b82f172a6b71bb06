"""Exports of Apple Health: what a person would count in the file by hand, and what damaged or hostile files give."""

from __future__ import annotations

import io
import re

import pytest

from service.errors import Invalid, TooLarge
from service.imports.adapter import Sample
from service.imports.apple_health import AVERAGE, NO_METRIC, AppleHealth
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


def test_characters_that_xml_does_not_allow_end_nothing() -> None:
    noted = RECORD.replace(b"Watch", b"Wa\x0btch\x00\x1f").replace(
        b"/>", b'>\n<MetadataEntry key="a" value="b\x0b"/></Record>'
    )
    seen = read(AppleHealth(), HEAD + noted + RECORD + b"</HealthData>")
    assert (len(seen.found), seen.damage) == (2, None)
    assert seen.found[0].reading == seen.found[1].reading


# As iOS 8 wrote them: another name of the source, moments without signs between their parts, hours summed up.
OF_IOS_8 = (
    b'<HealthData locale="de_DE">\n'
    b'<Record type="HKQuantityTypeIdentifierBodyMass" source="Health" unit="kg" creationDate="20150603080217+0200" '
    b'startDate="20150603080200+0200" endDate="20150603080200+0200" HKWasUserEntered="1" value="64.5"/>\n'
    b'<Record type="HKQuantityTypeIdentifierStepCount" source="iPhone" unit="count" startDate="20150603100000+0200" '
    b'endDate="20150603110000+0200" value="1200.7" recordCount="4"/>\n'
    b'<Record type="HKQuantityTypeIdentifierHeartRate" source="Strap" unit="count/s" startDate="20150603100000+0200" '
    b'endDate="20150603110000+0200" min="1.1" max="1.3" average="1.2" recordCount="9"/>\n'
    b"</HealthData>"
)


def test_the_records_of_ios_8() -> None:
    seen = read(AppleHealth(), OF_IOS_8)
    assert [one.reading for one in seen.found] == [
        {"timestamp": "2015-06-03 08:02:00 +0200", "device_id": "Health", "body_weight": {"value": 64.5, "unit": "kg"}},
        {
            "timestamp": "2015-06-03 10:00:00 +0200",
            "device_id": "iPhone",
            "end": "2015-06-03 11:00:00 +0200",
            "steps": 1201,
        },
    ]
    assert (seen.rejected, seen.skipped) == ([], {(f"{QUANTITY}HeartRate", AVERAGE): 1})


def test_a_clock_of_twelve_hours_is_one_of_twenty_four() -> None:
    record = RECORD.replace(b"08:00:00 +0100", "8:00:00\u202fPM +0100".encode())
    [found] = read(AppleHealth(), HEAD + record + b"</HealthData>").found
    assert found.reading["timestamp"] == "2025-01-15 20:00:00 +0100"


def test_a_variability_is_of_the_kind_that_its_type_says() -> None:
    record = RECORD.replace(b"HeartRate", b"HeartRateVariabilityRMSSD").replace(b"count/min", b"ms")
    [found] = read(AppleHealth(), HEAD + record + b"</HealthData>").found
    assert found.reading["hrv_rmssd"] == {"value": 61, "unit": "ms"}


def test_counts_that_were_shared_out_are_whole_and_keep_their_sum() -> None:
    steps = RECORD.replace(b"HeartRate", b"StepCount").replace(b"count/min", b"count").replace(b'"61"', b'"0.4"')
    body = HEAD + steps * 10 + steps.replace(b"Watch", b"Phone") + steps.replace(b"0.4", b"7") + b"</HealthData>"
    seen = read(AppleHealth(), body)
    assert [reading["steps"] for reading in seen.of(f"{QUANTITY}StepCount")] == [0, 1, 0, 1, 0, 0, 1, 0, 1, 0, 0, 7]


def test_a_percentage_that_is_no_fraction_is_one_already() -> None:
    records = b"".join(
        RECORD.replace(b"HeartRate", kind).replace(b"count/min", b"%").replace(b'"61"', b'"%s"' % value)
        for kind, value in (
            (b"OxygenSaturation", b"98"),
            (b"OxygenSaturation", b"1"),
            (b"BodyFatPercentage", b"18.5"),
            (b"BodyFatPercentage", b"0.185"),
        )
    )
    seen = read(AppleHealth(), HEAD + records + b"</HealthData>")
    assert [one.reading.get("spo2", one.reading.get("body_fat")) for one in seen.found] == [
        98,
        {"value": 1, "unit": "fraction"},
        18.5,
        {"value": 0.185, "unit": "fraction"},
    ]


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


@pytest.mark.parametrize("value", [b"nan", b"inf", b"-inf"])
def test_what_is_no_number_is_left_to_be_judged(value: bytes) -> None:
    steps = RECORD.replace(b"HeartRate", b"StepCount").replace(b"count/min", b"count").replace(b'"61"', b'"%s"' % value)
    assert len(read(AppleHealth(), HEAD + steps + b"</HealthData>").found) == 1


def test_no_type_is_there_twice() -> None:
    assert not SUMS.keys() & LEVELS.keys()
