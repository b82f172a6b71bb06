"""InfluxDB's line protocol, which scripts, Telegraf and Home Assistant write: a line for each point."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import isfinite
from typing import Any, BinaryIO, Final, NamedTuple

from service.imports.adapter import Found, ImportContext, Item, Rejected, Sample, Skipped
from service.imports.moments import of_epoch, written
from service.imports.people import OnePerson
from service.imports.text_lines import text_lines
from service.model.other_metrics import FIELDS, OF_INTERVALS
from service.model.reading import METRICS

MOST_LINE = 64 * 1024  # bytes
LONGEST_SHOWN = 100
PER_SECOND: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
DEVICE_TAGS = ("device_id", "device")
PERSON_TAGS = ("user_id", "user")

# Alternatives begin with different characters, and what is taken is kept, so that no line takes more than linear time.
# A backslash escapes what separates, and stands for itself before anything else, another backslash too.
NAME = r"(?:[^\\, =]|\\[, =]?+)+"
VALUE = r'(?:"(?:\\.|[^"\\])*"|[^", ]+)'
POINT = re.compile(
    rf"((?:[^\\, ]|\\[, =]?+)+)((?:,{NAME}={NAME})*) +({NAME}={VALUE}(?:,{NAME}={VALUE})*)(?: +(-?[0-9]{{1,19}}))?",
    re.ASCII,
)
TAG = re.compile(rf",({NAME})=({NAME})")
FIELD = re.compile(rf",?({NAME})=({VALUE})")
MOST_DIGITS = 20
MOMENT = re.compile(r"[0-9]*$", re.ASCII)
ESCAPED = re.compile(r"\\([, =])")
WHOLE = re.compile(r"-?[0-9]{1,19}[iu]", re.ASCII)
DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
NO_METRICS = (FIELDS | OF_INTERVALS) - METRICS
BOOLEANS = frozenset(("t", "T", "true", "True", "TRUE", "f", "F", "false", "False", "FALSE"))


class Field(NamedTuple):
    """A value of a point: how its kind is called, and the metric that it is of."""

    kind: str
    metric: str
    value: int | float | dict[str, Any]


class LineProtocol:
    """Points become readings: a field by its name, and the field `value` by the name of the measurement."""

    name = "line-protocol"
    title = "InfluxDB line protocol, a line for each point"

    def sniffs(self, sample: Sample) -> bool:
        """Return whether the first line that is no comment is a point."""
        for line in sample.head.decode("utf-8", "replace").lstrip("\ufeff").splitlines():
            text = line.strip()
            if text and not text.startswith("#"):
                return text[0] not in '{[<"' and POINT.fullmatch(text) is not None
        return False

    def read(self, source: BinaryIO, context: ImportContext) -> Iterator[Item]:
        """Yield what each line holds; a line that is none ends nothing but itself."""
        person = OnePerson()
        per_second = PER_SECOND[context.precision]
        before = ""
        for line in text_lines(source, MOST_LINE):
            if line.problem is not None:
                yield Rejected("line", line.at, line.problem)
            elif not line.is_ended and len(moment_of(line.text)) < len(moment_of(before)):
                yield Rejected("line", line.at, "is cut: the file ends within it", line.text[:LONGEST_SHOWN])
            elif not line.text.startswith("#"):
                before = line.text
                yield from items_of(line.text, line.at, context, per_second, person)


def moment_of(text: str) -> str:
    """Return the digits at the end of a line."""
    found = MOMENT.search(text[-MOST_DIGITS:])
    return found.group() if found else ""


def items_of(text: str, at: str, context: ImportContext, per_second: int, person: OnePerson) -> Iterator[Item]:
    """Yield what a point holds."""
    point = POINT.fullmatch(text)
    if point is None:
        yield Rejected("line", at, "is no point of line protocol", text[:LONGEST_SHOWN])
        return
    measurement, tag_set, field_set, moment = point.groups()
    measurement = unescaped(measurement)
    tags = {unescaped(name): unescaped(value) for name, value in TAG.findall(tag_set)}
    problem = person.refuse(next((tags[tag] for tag in PERSON_TAGS if tag in tags), None))
    if problem is not None:
        yield Rejected(measurement, at, problem)
        return
    if moment is None:
        yield Rejected(measurement, at, "has no timestamp", text[:LONGEST_SHOWN])
        return
    try:
        fields = list(fields_of(measurement, field_set, tags.get("unit")))
        reading: dict[str, Any] = {"timestamp": written(of_epoch(int(moment), per_second))}
    except ValueError as error:
        yield Rejected(measurement, at, str(error), text[:LONGEST_SHOWN])
        return
    device = next((tags[tag] for tag in DEVICE_TAGS if tag in tags), None)
    if device is not None:
        reading["device_id"] = device
    context.on_device(reading)
    usual = {field.metric: field.value for field in fields if isinstance(field, Field) and field.metric in METRICS}
    if usual:
        yield Found(measurement, reading | usual, at)
    for field in fields:
        if isinstance(field, Skipped):
            yield field
        elif field.metric not in METRICS:
            # An unknown name refuses a reading as a whole, so what may be unknown stands alone.
            yield Found(field.kind, {**reading, field.metric: field.value}, at)


def fields_of(measurement: str, field_set: str, unit: str | None) -> Iterator[Field | Skipped]:
    """Yield the fields of a point; ValueError for one that is broken."""
    for name, value in FIELD.findall(field_set):
        field = unescaped(name)
        kind, metric = (measurement, measurement) if field == "value" else (f"{measurement}.{field}", field)
        if value[0] == '"':
            yield Skipped(kind, "a text is no value")
        elif value in BOOLEANS:
            yield Skipped(kind, "a boolean is no value")
        elif metric in NO_METRICS:
            raise ValueError(f"has a field {metric}, which is no metric")
        else:
            amount = number(field, value)
            yield Field(kind, metric, amount if unit is None else {"value": amount, "unit": unit})


def number(field: str, text: str) -> int | float:
    """Read a number of a field; ValueError where it is none."""
    if WHOLE.fullmatch(text):
        return int(text[:-1])
    if DECIMAL.fullmatch(text) and isfinite(value := float(text)):
        return value
    raise ValueError(f"has no number in its field {field[:LONGEST_SHOWN]}")


def unescaped(name: str) -> str:
    """Return a name without the backslashes before what separates; others are part of it."""
    return ESCAPED.sub(r"\1", name) if "\\" in name else name
