"""FHIR: Observations, alone, of a Bundle, or a line each as in bulk exports, by their LOINC codes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, BinaryIO, Final, NamedTuple

from service.imports.adapter import Found, ImportContext, Item, Rejected, Sample, Skipped
from service.imports.json_records import Record, amount, member, records, shown
from service.imports.json_stream import ANY
from service.imports.moments import moment_of, written
from service.imports.people import OnePerson

LONGEST_CODE = 100
LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
DATE = re.compile(r"\d{4}(?:-\d\d(?:-\d\d)?)?", re.ASCII)
ANNOTATION = re.compile(r"\{[^{}]*\}")  # of a UCUM code: what is counted, which is one
NOT_TAKEN = frozenset(("entered-in-error", "cancelled"))

METRICS: Final = {
    "8867-4": "heart_rate",
    "55423-8": "steps",
    "40443-4": "resting_heart_rate",
    "80404-7": "hrv_sdnn",
    "59408-5": "spo2",
    "9279-1": "respiratory_rate",
    "8480-6": "bp_systolic",
    "8462-4": "bp_diastolic",
    "41653-7": "blood_glucose",
    "8310-5": "body_temperature",
    "29463-7": "body_weight",
    "8302-2": "body_height",
    "39156-5": "bmi",
    "41982-0": "body_fat",
    "91557-9": "lean_body_mass",
    "8280-0": "waist",
    "41981-2": "active_energy",
    "55430-3": "distance",
    "93816-7": "distance_swimming",
    "100304-5": "floors",
    "96502-0": "wheelchair_pushes",
    "9052-2": "energy_intake",
}
"""The built-in metrics by their LOINC codes, as the registry has them."""

SAME: Final = {
    "8889-8": "heart_rate",
    "2708-6": "spo2",
    "2339-0": "blood_glucose",
    "15074-8": "blood_glucose",
    "8331-1": "body_temperature",
    "8332-9": "body_temperature",
    "8328-7": "body_temperature",
    "3141-9": "body_weight",
    "8308-9": "body_height",
    "8306-3": "body_height",
}
"""Codes of the same by a certain method, at a certain site, or in another position."""

SUMS: Final = frozenset(
    (
        "steps",
        "active_energy",
        "distance",
        "distance_swimming",
        "floors",
        "wheelchair_pushes",
        "energy_intake",
    )
)
"""Those that are amounts, which an interval shares out."""

COUNTS: Final = frozenset(("steps", "floors", "wheelchair_pushes"))
COUNTED_IN: Final = frozenset(
    (
        "1",
        "count",
        "step",
        "steps",
        "flights",
        "floors",
        "pushes",
        "wheelchair pushes",
        "{steps}",
        "{floors}",
        "{count}",
    )
)
"""Those whose values are counted, and what their units are called: each is one of them."""

UNITS: Final = {
    "mmHg": "mm[Hg]",
    "mm Hg": "mm[Hg]",
    "bpm": "/min",
    "beats/min": "/min",
    "beats/minute": "/min",
    "breaths/min": "/min",
    "breaths/minute": "/min",
    "br/min": "/min",
    "per minute": "/min",
    "C": "Cel",
    "°C": "Cel",
    "degC": "Cel",
    "F": "[degF]",
    "°F": "[degF]",
    "lbs": "[lb_av]",
    "kg/m^2": "kg/m2",
    "kg/m²": "kg/m2",
    "percent": "%",
    "mg/dl": "mg/dL",
}
"""Units as they are often written, which UCUM calls otherwise."""


class Fhir:
    """An Observation becomes a reading."""

    name = "fhir"
    title = "FHIR Observations, as a Bundle or a line each"

    def sniffs(self, sample: Sample) -> bool:
        """Return whether a file begins as JSON and has resources."""
        begins = sample.head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
        return begins in (b"[", b"{") and b'"resourceType"' in sample.head

    def read(self, source: BinaryIO, context: ImportContext) -> Iterator[Item]:
        """Yield what each Observation holds."""
        person = OnePerson()
        for record in resources(source):
            if isinstance(record, Rejected):
                yield record
            else:
                yield from items_of(record, context, person)


def resources(source: BinaryIO) -> Iterator[Record | Rejected]:
    """Yield the resources of a file; those of a Bundle, in place of the Bundle."""
    alone: dict[str, Any] = {}
    for record in records(source, ("entry", ANY, "resource"), *((name,) for name in OF_OBSERVATION)):
        if isinstance(record, Rejected):
            yield record
        elif len(record.path) == 1 and isinstance(record.path[0], str):
            alone[record.path[0]] = record.value
        else:
            yield from unpacked(record)
    if alone.get("resourceType", "Bundle") != "Bundle":
        yield Record("the document", (), alone)


def unpacked(record: Record) -> Iterator[Record]:
    """Yield a resource, or those of a Bundle that is an element or a line of the file."""
    entries = member(record.value, "entry")
    if member(record.value, "resourceType") != "Bundle" or not isinstance(entries, list):
        yield record
        return
    for index, entry in enumerate(entries):
        yield Record(f"{record.at}.entry[{index}].resource", (), member(entry, "resource"))


class Observed(NamedTuple):
    """What an Observation says of all its values."""

    kind: str
    at: str
    reading: dict[str, Any]
    end: str | None


def items_of(record: Record, context: ImportContext, person: OnePerson) -> Iterator[Item]:
    """Yield what a resource holds."""
    resource, kind = record.value, member(record.value, "resourceType")
    if not isinstance(kind, str):
        yield Rejected("resource", record.at, "must have a resourceType", shown(kind))
    elif kind != "Observation":
        yield Skipped(kind[:LONGEST_CODE], "is no Observation")
    elif (problem := person.refuse(member(resource, "subject", "reference"))) is not None:
        yield Rejected(code_of(resource)[1], record.at, problem)
    elif (status := shown(resource.get("status"))) in NOT_TAKEN:
        yield Skipped(code_of(resource)[1], f"is {status}")
    else:
        yield from observed(record, context)


def observed(record: Record, context: ImportContext) -> Iterator[Item]:
    """Yield the values of an Observation, in one reading for each of its components that has a metric."""
    resource = record.value
    parts = [(resource, record.at)]
    components = resource.get("component")
    if isinstance(components, list):
        parts += [(part, f"{record.at}.component[{index}]") for index, part in enumerate(components)]
    known = [(part, at) for part, at in parts if code_of(part)[0] is not None]
    if not known:
        yield Skipped(code_of(resource)[1], "there is no metric for this code")
        return
    kind = code_of(resource)[1]
    try:
        start, end = period_of(resource, context)
    except ValueError as error:
        yield Rejected(kind, record.at, str(error), shown(effective_of(resource)))
        return
    reading = {"timestamp": start}
    device = device_of(resource)
    if device is not None:
        reading["device_id"] = device
    context.on_device(reading)
    for part, at in parts:
        if code_of(part)[0] is not None:
            yield value_item(part, Observed(code_of(part)[1], at, reading, end))
        elif part is not resource:
            yield Skipped(f"component {code_of(part)[1]}", "there is no metric for this code")


def value_item(part: dict[str, Any], observed: Observed) -> Item:
    """Return the reading of a value, or why there is none."""
    metric, _ = code_of(part)
    assert metric is not None
    quantity = part.get("valueQuantity")
    if isinstance(part.get("valueInteger"), int):
        quantity = {"value": part["valueInteger"], "unit": "1"}
    if quantity is None:
        absent = part.get("dataAbsentReason") is not None or part.get("component") is not None
        return Skipped(observed.kind, "has no value" if absent else "has no quantity as its value")
    if member(quantity, "comparator") is not None:
        return Skipped(observed.kind, "a bound, such as < 3, is no value")
    try:
        if metric in SUMS and observed.end == "":
            raise ValueError("must have an effectivePeriod with an end")
        value = amount(member(quantity, "value"))
        unit = unit_of(quantity)
    except ValueError as error:
        return Rejected(observed.kind, observed.at, str(error), shown(quantity))
    counted = metric in COUNTS and unit in COUNTED_IN
    reading = {**observed.reading, metric: value if counted else {"value": value, "unit": unit}}
    if metric in SUMS and observed.end:
        reading["end"] = observed.end
    return Found(observed.kind, reading, observed.at)


def code_of(part: object) -> tuple[str | None, str]:
    """Return the metric of a code, None where there is none, and how the code is shown."""
    codings = member(part, "code", "coding")
    codings = codings if isinstance(codings, list) else []
    codes = [code for coding in codings if isinstance(code := member(coding, "code"), str)]
    of_loinc = [code for coding in codings if is_loinc(coding) and isinstance(code := member(coding, "code"), str)]
    for code in of_loinc:
        if code in METRICS or code in SAME:
            return METRICS.get(code) or SAME[code], code
    kinds = of_loinc or codes
    return None, kinds[0][:LONGEST_CODE] if kinds else "without a code"


def is_loinc(coding: object) -> bool:
    """Return whether a coding is of LOINC."""
    return bool(member(coding, "system") == LOINC)


def unit_of(quantity: object) -> str:
    """Return the UCUM code of a quantity, without its annotations, or else its unit; ValueError without either."""
    code, unit = member(quantity, "code"), member(quantity, "unit")
    if isinstance(code, str) and member(quantity, "system") in (UCUM, None):
        return UNITS.get(code, ANNOTATION.sub("", code)[:LONGEST_CODE] or "1")
    if isinstance(unit, str) and unit:
        return UNITS.get(unit, unit[:LONGEST_CODE])
    raise ValueError("must have a unit")


def device_of(resource: dict[str, Any]) -> str | None:
    """Return what an Observation calls its device, or the device that is its performer."""
    performers = resource.get("performer")
    for reference in (resource.get("device"), *(performers if isinstance(performers, list) else ())):
        path = member(reference, "reference")
        is_device = reference is resource.get("device") or (isinstance(path, str) and "Device/" in path)
        if not is_device:
            continue
        if isinstance(path, str) and path:
            return path.rpartition("Device/")[2] or path
        for name in (member(reference, "identifier", "value"), member(reference, "display")):
            if isinstance(name, str) and name:
                return name
    return None


def effective_of(resource: dict[str, Any]) -> Any:
    """Return what an Observation says of its time."""
    return next((resource[name] for name in resource if name.startswith("effective")), None)


def period_of(resource: dict[str, Any], context: ImportContext) -> tuple[str, str | None]:
    """Return the beginning and the end: None of an instant, empty of a period that has none.

    ValueError where an Observation does not say to the second when it was.
    """
    moment = resource.get("effectiveDateTime", resource.get("effectiveInstant"))
    if moment is not None:
        return moment_in(moment, context), None
    period = resource.get("effectivePeriod")
    if not isinstance(period, dict):
        raise ValueError("must have an effectiveDateTime, an effectiveInstant or an effectivePeriod")
    end = period.get("end")
    return moment_in(period.get("start"), context), "" if end is None else moment_in(end, context)


def moment_in(text: object, context: ImportContext) -> str:
    """Write a moment as a reading has it; ValueError for a date, which is a day or more."""
    if isinstance(text, str) and DATE.fullmatch(text):
        raise ValueError("must have a time of day, a date alone is none")
    return written(moment_of(text, context))


OF_OBSERVATION = (
    "resourceType",
    "status",
    "code",
    "subject",
    "effectiveDateTime",
    "effectiveInstant",
    "effectivePeriod",
    "valueQuantity",
    "valueInteger",
    "dataAbsentReason",
    "component",
    "device",
    "performer",
)
"""The members of an Observation that are read."""
