"""Open mHealth and IEEE 1752.1: data points of a header, which names a schema, and a body."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, BinaryIO, Final, NamedTuple

from service.imports.adapter import Found, ImportContext, Item, Rejected, Sample, Skipped
from service.imports.json_records import Record, amount, member, records, shown
from service.imports.json_stream import ANY
from service.imports.moments import moment_of, written
from service.imports.people import OnePerson

LONGEST_NAME = 128

UNITS: Final = {
    "beats/min": "/min",
    "breaths/min": "/min",
    "mmHg": "mm[Hg]",
    "MGDL": "mg/dL",
    "MMOLL": "mmol/L",
    "C": "Cel",
    "F": "degF",
    "kg/m^2": "kg/m2",
    "sec": "s",
    "mi/h": "[mi_i]/h",
    "steps": "{steps}",
}
"""How units of Open mHealth are called here, where they are called otherwise."""

SECONDS: Final = {
    "ps": 1e-12,
    "ns": 1e-9,
    "us": 1e-6,
    "ms": 1e-3,
    "sec": 1,
    "s": 1,
    "min": 60,
    "h": 3600,
    "d": 86400,
    "wk": 604800,
}
"""Units of a duration; months and years have no fixed length."""


class Measure(NamedTuple):
    """A value of a body: the member that has it, the metric, and whether it is an amount over an interval."""

    member: str
    metric: str
    is_sum: bool = False


SCHEMAS: Final[Mapping[str, tuple[Measure, ...]]] = {
    "heart-rate": (Measure("heart_rate", "heart_rate"),),
    "step-count": (Measure("step_count", "steps", True),),
    "calories-burned": (Measure("kcal_burned", "calories", True),),
    "blood-pressure": (
        Measure("systolic_blood_pressure", "bp_systolic"),
        Measure("diastolic_blood_pressure", "bp_diastolic"),
    ),
    "blood-glucose": (Measure("blood_glucose", "blood_glucose"),),
    "body-temperature": (Measure("body_temperature", "body_temperature"),),
    "body-weight": (Measure("body_weight", "body_weight"),),
    "body-height": (Measure("body_height", "body_height"),),
    "body-mass-index": (Measure("body_mass_index", "bmi"),),
    "body-fat-percentage": (Measure("body_fat_percentage", "body_fat"),),
    "oxygen-saturation": (Measure("oxygen_saturation", "spo2"),),
    "respiratory-rate": (Measure("respiratory_rate", "respiratory_rate"),),
    "rr-interval": (Measure("rr_interval", "rr_interval"),),
    "speed": (Measure("speed", "speed"),),
    "physical-activity": (
        Measure("kcal_burned", "calories", True),
        Measure("distance", "distance", True),
        Measure("base_movement_quantity", "steps", True),
    ),
}

DISTANCES: Final = {
    "walking": "distance",
    "running": "distance",
    "jogging": "distance",
    "hiking": "distance",
    "cycling": "distance_cycling",
    "biking": "distance_cycling",
    "swimming": "distance_swimming",
}
"""The metric of the distance of an activity, by its name."""


NO_METRIC: Final = {
    "distance": "there is no metric for the distance of this activity",
    "base_movement_quantity": "there is no metric for movements but steps",
}


class Frame(NamedTuple):
    """When something was measured: at a moment, or in an interval."""

    start: datetime
    end: datetime | None = None


class OpenMHealth:
    """A data point becomes a reading."""

    name = "open-mhealth"
    title = "data points of Open mHealth or IEEE 1752.1, as JSON"

    def sniffs(self, sample: Sample) -> bool:
        """Return whether a file begins as JSON and has a header with a schema."""
        begins = sample.head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
        return begins in (b"[", b"{") and b'"schema_id"' in sample.head and b'"header"' in sample.head

    def read(self, source: BinaryIO, context: ImportContext) -> Iterator[Item]:
        """Yield what each data point holds."""
        person = OnePerson()
        for record in data_points(source):
            yield from (record,) if isinstance(record, Rejected) else items_of(record, context, person)


def data_points(source: BinaryIO) -> Iterator[Record | Rejected]:
    """Yield the data points of a file; Shimmer writes an object that has an array of them as its body."""
    alone: dict[str, Any] = {}
    body: dict[str, Any] = {}
    for record in records(source, ("header",), ("body", ANY)):
        if isinstance(record, Rejected) or record.path[:1] not in (("header",), ("body",)):
            yield record
        elif record.path == ("header",):
            alone["header"] = record.value
        elif isinstance(record.path[1], int):
            yield record
        else:
            body[record.path[1]] = record.value
    if alone or body:
        yield Record("the document", (), alone | {"body": body})


def items_of(record: Record, context: ImportContext, person: OnePerson) -> Iterator[Item]:
    """Yield what a data point holds."""
    header, body = member(record.value, "header"), member(record.value, "body")
    schema = member(header, "schema_id", "name")
    if not isinstance(schema, str) or not isinstance(body, dict):
        yield Rejected("data point", record.at, "must have a header with the name of a schema, and a body")
        return
    kind = schema[:LONGEST_NAME]
    problem = person.refuse(member(header, "user_id"))
    if problem is not None:
        yield Rejected(kind, record.at, problem)
    elif schema not in SCHEMAS:
        yield Skipped(kind, "there is no metric for this schema")
    elif (statistic := member(body, "descriptive_statistic")) not in (None, "sum"):
        yield Skipped(kind, f"the {shown(statistic)} of a period is no measurement")
    else:
        yield from measured(kind, record, device_of(header), context)


def measured(kind: str, record: Record, device: str | None, context: ImportContext) -> Iterator[Item]:
    """Yield the reading of a data point: values over an interval with its end, others at its beginning."""
    body = record.value["body"]
    try:
        frame = frame_of(body, context)
        if frame is None:
            yield Skipped(kind, "a part of a day is neither a moment nor an interval")
            return
        reading: dict[str, Any] = {"timestamp": written(frame.start)}
        if device is not None:
            reading["device_id"] = device
        for measure in SCHEMAS[kind]:
            metric = metric_of(measure, body)
            if measure.member not in body:
                continue
            if metric is None:
                yield Skipped(f"{kind} {measure.member}", NO_METRIC[measure.member])
                continue
            reading[metric] = value_of(body[measure.member])
            if measure.is_sum and frame.end is not None:
                reading["end"] = written(frame.end)
    except ValueError as error:
        yield Rejected(kind, record.at, str(error), shown(member(body, "effective_time_frame")))
        return
    if reading.keys() <= {"timestamp", "device_id", "end"}:
        yield Skipped(kind, "has no value that there is a metric for")
    else:
        yield Found(kind, context.on_device(reading), record.at)


def metric_of(measure: Measure, body: dict[str, Any]) -> str | None:
    """Return the metric of a value; of a distance, by the activity, of movements, by what they are; None for none."""
    if measure.member == "base_movement_quantity":
        return measure.metric if member(body, measure.member, "unit") == "steps" else None
    if measure.member != "distance":
        return measure.metric
    activity = body.get("activity_name")
    return DISTANCES.get(activity.strip().lower()) if isinstance(activity, str) else None


def value_of(written_value: object) -> Any:
    """Return a value with its unit, as readings have it; ValueError where it is none."""
    if not isinstance(written_value, dict):
        return amount(written_value)
    unit = written_value.get("unit")
    if not isinstance(unit, str):
        raise ValueError("must have a unit")
    return {"value": amount(written_value.get("value")), "unit": UNITS.get(unit, unit[:LONGEST_NAME])}


def device_of(header: object) -> str | None:
    """Return what Open mHealth calls the source, or IEEE 1752.1 the datasheet of the manufacturer."""
    source = member(header, "acquisition_provenance", "source_name")
    if isinstance(source, str) and source:
        return source
    sheets = member(header, "external_datasheets")
    for sheet in sheets if isinstance(sheets, list) else ():
        reference = member(sheet, "datasheet_reference")
        if member(sheet, "datasheet_type") == "manufacturer" and isinstance(reference, str) and reference:
            return reference
    return None


def frame_of(body: dict[str, Any], context: ImportContext) -> Frame | None:
    """Return when a body was measured, None for a part of a day; ValueError where it does not say."""
    frame = body.get("effective_time_frame")
    if member(frame, "date_time") is not None:
        return Frame(moment_of(member(frame, "date_time"), context))
    interval = member(frame, "time_interval")
    if not isinstance(interval, dict):
        raise ValueError("must have an effective_time_frame with a date_time or a time_interval")
    if "part_of_day" in interval:
        return None
    start, end, length = (interval.get(name) for name in ("start_date_time", "end_date_time", "duration"))
    if start is not None and end is not None:
        return Frame(moment_of(start, context), moment_of(end, context))
    if start is not None and length is not None:
        begin = moment_of(start, context)
        return Frame(begin, shifted(begin, duration(length)))
    if end is not None and length is not None:
        finish = moment_of(end, context)
        return Frame(shifted(finish, -duration(length)), finish)
    raise ValueError("must have two of start_date_time, end_date_time and duration")


def duration(length: object) -> timedelta:
    """Read a duration; ValueError where it has no fixed length."""
    unit = member(length, "unit")
    if not isinstance(unit, str) or unit not in SECONDS:
        raise ValueError(f"must have a duration in one of {', '.join(SECONDS)}")
    try:
        return timedelta(seconds=amount(member(length, "value")) * SECONDS[unit])
    except OverflowError:
        raise ValueError("has a duration that is too long") from None


def shifted(moment: datetime, by: timedelta) -> datetime:
    """Add a duration; ValueError where there is no such moment."""
    try:
        return moment + by
    except OverflowError:
        raise ValueError("is not a moment of the calendar") from None
