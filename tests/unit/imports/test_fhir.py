"""FHIR: what Observations become, and what of a damaged file is read."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from service.imports import fhir
from service.imports.adapter import Damaged, Found, ImportContext, Item, Rejected, Sample, Skipped
from service.imports.fhir import Fhir

ADAPTER = Fhir()

ROOT = Path(__file__).parents[3]
FILES = ROOT / "tests/files/fhir"
RESOURCES = [json.loads(line) for line in (FILES / "observations.ndjson").read_bytes().splitlines()]
NOON = "2025-01-15T12:00:00Z"


def read(text: bytes, context: ImportContext | None = None) -> list[Item]:
    return list(ADAPTER.read(io.BytesIO(text), context or ImportContext()))


def observation(loinc: str = "8867-4", **fields: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": loinc}]},
        "effectiveDateTime": NOON,
        "valueQuantity": {"value": 60, "system": "http://unitsofmeasure.org", "code": "/min"},
    } | fields


def one(resource: dict[str, Any], context: ImportContext | None = None) -> Item:
    (item,) = read(json.dumps(resource).encode(), context)
    return item


EXPECTED = [
    {"timestamp": "2025-01-15T10:20:00Z", "device_id": "watch-7", "heart_rate": {"value": 44, "unit": "/min"}},
    {"timestamp": "2025-01-15T10:21:00Z", "device_id": "watch-7", "heart_rate": {"value": 61, "unit": "/min"}},
    {"timestamp": "2025-01-15T10:00:00Z", "end": "2025-01-15T10:10:00Z", "device_id": "watch-7", "steps": 654},
    {"timestamp": "2025-01-15T10:10:00Z", "end": "2025-01-15T10:20:00Z", "device_id": "watch-7", "steps": 46},
    {
        "timestamp": "2025-01-15T10:00:00Z",
        "end": "2025-01-15T10:10:00Z",
        "device_id": "watch-7",
        "active_energy": {"value": 104.6, "unit": "kJ"},
    },
    {"timestamp": NOON, "device_id": "cuff", "bp_systolic": {"value": 107, "unit": "mm[Hg]"}},
    {"timestamp": NOON, "device_id": "cuff", "bp_diastolic": {"value": 60, "unit": "mm[Hg]"}},
    {"timestamp": "2025-01-15T06:00:00Z", "body_weight": {"value": 185, "unit": "[lb_av]"}},
    {"timestamp": "2025-01-15T06:01:00Z", "body_temperature": {"value": 36.5, "unit": "Cel"}},
    {"timestamp": "2025-01-15T06:02:00Z", "spo2": {"value": 95, "unit": "%"}},
    {"timestamp": "2025-01-15T06:03:00Z", "blood_glucose": {"value": 6.3, "unit": "mmol/L"}},
]


@pytest.mark.parametrize("name", ["bundle.json", "observations.ndjson"])
def test_the_files_written_by_hand(name):
    items = read((FILES / name).read_bytes())
    assert [item.reading for item in items if isinstance(item, Found)] == EXPECTED
    assert [item for item in items if isinstance(item, Skipped)] == [
        Skipped("Patient", "is no Observation"),
        Skipped("Device", "is no Observation"),
        Skipped("component 8478-0", "there is no metric for this code"),
        Skipped("41653-7", "a bound, such as < 3, is no value"),
        Skipped("8867-4", "has no value"),
        Skipped("8867-4", "is entered-in-error"),
        Skipped("718-7", "there is no metric for this code"),
    ]
    (rejected,) = [item for item in items if isinstance(item, Rejected)]
    assert rejected.problem == "must have a time of day, a date alone is none"
    assert rejected.value == "2025-01-15"
    assert rejected.at == ("entry[13].resource" if name == "bundle.json" else "line 14")


def test_a_single_observation_and_an_array_are_read_alike():
    for wrapped in (RESOURCES, [{"resourceType": "Bundle", "entry": [{"resource": one} for one in RESOURCES]}]):
        items = read(json.dumps(wrapped).encode())
        assert [item.reading for item in items if isinstance(item, Found)] == EXPECTED
    single = [item for resource in RESOURCES for item in read(json.dumps(resource, indent=1).encode())]
    assert [item.reading for item in single if isinstance(item, Found)] == EXPECTED


def test_a_bundle_may_name_its_type_last():
    bundle = {"entry": [{"resource": observation()}], "resourceType": "Bundle"}
    assert isinstance(one(bundle), Found)


def test_codes_are_those_of_the_registry():
    table = re.findall(
        r"^\| `([a-z_0-9:]+)` \| [^|]* \| (\w+) \|[^|]*\|[^|]*\| ([0-9]+-[0-9]) \|", documented(), re.MULTILINE
    )
    assert {code: name for name, _, code in table} == fhir.METRICS
    assert {name for name, kind, _ in table if kind == "sum"} == fhir.SUMS


def documented() -> str:
    return (ROOT / "docs/metrics.md").read_text()


def test_the_loinc_code_counts_whatever_else_an_observation_is_coded_as():
    coding = [
        {"system": "http://snomed.info/sct", "code": "8867-4"},
        {"system": "http://loinc.org", "code": "8480-6x"},
        {"system": "http://loinc.org", "code": "40443-4"},
    ]
    found = one(observation(code={"coding": coding}))
    assert isinstance(found, Found)
    assert "resting_heart_rate" in found.reading
    assert one(observation(code={"coding": coding[:1]})) == Skipped("8867-4", "there is no metric for this code")
    assert one(observation(code={"text": "pulse"})) == Skipped("without a code", "there is no metric for this code")


@pytest.mark.parametrize(
    ("quantity", "value"),
    [
        ({"value": 3, "unit": "beats/minute", "code": "{beats}/min"}, {"value": 3, "unit": "/min"}),
        ({"value": 3, "unit": "Hz"}, {"value": 3, "unit": "Hz"}),
        ({"value": 3, "unit": "Hz", "system": "urn:other", "code": "264864"}, {"value": 3, "unit": "Hz"}),
        ({"value": 3, "unit": "bpm", "system": "urn:other", "code": "264864"}, {"value": 3, "unit": "/min"}),
        ({"value": 3, "unit": "beats/minute"}, {"value": 3, "unit": "/min"}),
    ],
)
def test_the_unit_is_the_ucum_code_or_what_is_written(quantity, value):
    found = one(observation(valueQuantity=quantity))
    assert isinstance(found, Found)
    assert found.reading["heart_rate"] == value


@pytest.mark.parametrize(
    ("quantity", "unit"),
    [
        ({"value": 120, "unit": "mmHg", "system": "http://unitsofmeasure.org", "code": "mmHg"}, "mm[Hg]"),
        ({"value": 120, "unit": "mm[Hg]"}, "mm[Hg]"),
        ({"value": 120, "unit": "kPa", "code": "kPa"}, "kPa"),  # which is refused as no unit of it
    ],
)
def test_pressures_are_written_as_people_write_them(quantity, unit):
    found = one(observation("8480-6", valueQuantity=quantity))
    assert isinstance(found, Found)
    assert found.reading["bp_systolic"] == {"value": 120, "unit": unit}


@pytest.mark.parametrize(
    ("code", "metric", "unit"),
    [("100304-5", "floors", "flights"), ("96502-0", "wheelchair_pushes", "wheelchair pushes")],
)
def test_counts_are_called_what_is_counted(code, metric, unit):
    found = one(observation(code, valueQuantity={"value": 5, "unit": unit}))
    assert isinstance(found, Found)
    assert found.reading[metric] == 5


def test_a_temperature_at_a_site_is_one_of_the_body():
    found = one(observation("8331-1", valueQuantity={"value": 37.5, "unit": "Cel", "code": "Cel"}))
    assert isinstance(found, Found)
    assert found.reading["body_temperature"] == {"value": 37.5, "unit": "Cel"}


def test_the_saturation_of_fhir_s_vital_signs_is_one():
    found = one(observation("2708-6", valueQuantity={"value": 97, "unit": "%", "code": "%"}))
    assert isinstance(found, Found)
    assert found.reading["spo2"] == {"value": 97, "unit": "%"}


def test_whole_numbers_are_values_too():
    found = one(observation("55423-8", valueQuantity=None, valueInteger=12))
    assert isinstance(found, Found)
    assert found.reading["steps"] == 12


def test_the_device_is_what_the_observation_refers_to():
    context = ImportContext(device_id="given")
    for device, expected in (
        ({"reference": "https://example.org/fhir/Device/7"}, "7"),
        ({"reference": "urn:uuid:1"}, "urn:uuid:1"),
        ({"identifier": {"value": "SN1"}}, "SN1"),
        ({"display": "Watch"}, "Watch"),
        ({}, "given"),
        (None, "given"),
    ):
        found = one(observation(device=device, performer=[None, {"reference": "Patient/1"}]), context)
        assert isinstance(found, Found)
        assert found.reading["device_id"] == expected


def test_observations_of_another_person_are_refused():
    text = json.dumps([observation(subject={"reference": f"Patient/{name}"}) for name in ("a", "b", "a")]).encode()
    assert [item.__class__ for item in read(text)] == [Found, Rejected, Found]


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        (7, "must have a resourceType"),
        ({"resourceType": []}, "must have a resourceType"),
        (observation(valueQuantity={"value": "60", "code": "/min"}), "must be a number"),
        (observation(valueQuantity={"value": 60}), "must have a unit"),
        (observation(valueQuantity=7), "must be a number"),
        (observation(effectiveDateTime=None), None),
        (observation(effectiveDateTime="2025"), "must have a time of day, a date alone is none"),
        (observation(effectiveDateTime="2025-13-01T00:00:00Z"), "is not a moment of the calendar"),
        (
            {name: value for name, value in observation().items() if name != "effectiveDateTime"},
            "must have an effectiveDateTime, an effectiveInstant or an effectivePeriod",
        ),
    ],
)
def test_a_broken_observation_is_named_and_ends_nothing_else(broken, problem):
    found, rejected, last = read(json.dumps([observation(), broken, observation()]).encode())
    assert isinstance(found, Found)
    assert isinstance(last, Found)
    assert isinstance(rejected, Rejected)
    assert rejected.at == "[1]"
    assert problem is None or rejected.problem == problem


def test_an_amount_needs_the_end_of_its_period():
    period = {"start": NOON}
    fields = {"effectivePeriod": period, "valueQuantity": {"value": 5, "unit": "steps"}}
    resource = observation("55423-8", **fields)
    del resource["effectiveDateTime"]
    rejected = one(resource)
    assert isinstance(rejected, Rejected)
    assert rejected.problem == "must have an effectivePeriod with an end"


def test_what_is_hostile_ends_nothing_else():
    hostile = [
        observation(status=[]),
        observation(code={"coding": [None, 7, {"system": "http://loinc.org", "code": []}]}),
        observation(component=[None, 7, {"code": 7}]),
        observation(performer={"reference": 7}),
        observation(subject=7),
        {"resourceType": "Bundle", "entry": [None, 7, {"resource": None}]},
    ]
    assert isinstance(read(json.dumps([*hostile, observation()]).encode())[-1], Found)


@pytest.mark.parametrize("number", ["1e999", "1" + "0" * 400])
def test_numbers_without_bounds_are_refused(number):
    (rejected,) = read(json.dumps(observation()).replace("60", number).encode())
    assert isinstance(rejected, Rejected)
    assert rejected.problem == "is too large for a number"


@pytest.mark.parametrize("cut", [10, 500, 4000])
def test_a_bundle_cut_in_the_middle_has_the_observations_before(cut):
    items: list[Item] = []
    with pytest.raises(Damaged):
        items.extend(ADAPTER.read(io.BytesIO((FILES / "bundle.json").read_bytes()[:-cut]), ImportContext()))
    assert items
    assert items == read((FILES / "bundle.json").read_bytes())[: len(items)]


def test_a_bundle_that_nests_endlessly_ends():
    text = b'{"resourceType": "Bundle", "entry": [' + b'{"resource": {"entry": [' * 100_000
    with pytest.raises(Damaged):
        read(text)


def test_it_is_recognized_by_its_resources():
    for name in ("bundle.json", "observations.ndjson"):
        assert ADAPTER.sniffs(Sample((FILES / name).read_bytes()))
    for other in (b"", b"[]", b'{"header": {"schema_id": {}}}', b"\x00"):
        assert not ADAPTER.sniffs(Sample(other))
