"""Values of metrics in a reading: numbers in the unit of the metric, or objects of a value and its unit.

Three metrics are fields of the model; all others are judged here, by the registry in the validation context.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from pydantic import ValidationError, ValidatorFunctionWrapHandler
from pydantic_core import InitErrorDetails, PydanticCustomError
from pydantic_core.core_schema import ValidationInfo

from service.model.registry import Metric, Registry

FIELDS = frozenset(("user_id", "device_id", "timestamp", "heart_rate", "steps", "calories"))
THREE = ("heart_rate", "steps", "calories")
OF_INTERVALS = frozenset(("end", "worn", "daily_total"))
QUANTITY = frozenset(("value", "unit"))
MOST_UNKNOWN = 5  # fields of a reading that are named
LONGEST_SHOWN = 100  # characters of a name
UNKNOWN_METRIC, UNKNOWN_UNITS, OWN_BOUNDS = "unknown_metric", "unknown_units", "own_bounds"
MAY_CHANGE = frozenset((UNKNOWN_METRIC, UNKNOWN_UNITS, OWN_BOUNDS))
"""Kinds of fault that a newer state of the registry may not find: tenants add metrics and widen bounds."""
NO_INTERVALS = "intervals are not taken yet"
SHAPE = "must be a number, or an object with a value and a unit"

QUANTITY_SCHEMA: dict[str, Any] = {
    "description": "Any metric of the registry, GET /v1/metrics: a number in its unit, or one in another unit that the "
    "registry lists.",
    "anyOf": [
        {"type": "number"},
        {
            "type": "object",
            "properties": {"value": {"type": "number"}, "unit": {"type": "string"}},
            "required": ["value", "unit"],
            "additionalProperties": False,
        },
        {"type": "null"},
    ],
    "examples": [97, {"value": 98.6, "unit": "degF"}],
}


class Refused(Exception):
    """A value is none of its metric."""

    def __init__(self, kind: str, problem: str, *place: str) -> None:
        super().__init__(problem)
        self.kind = kind
        self.place = place


class Faults:
    """What is wrong with the fields of a reading, as pydantic takes it."""

    def __init__(self) -> None:
        self.errors: list[InitErrorDetails] = []
        self.unknown = 0

    def add(self, kind: str, problem: str, loc: tuple[int | str, ...], value: Any, **context: Any) -> None:
        """Add a fault; with a context, the problem is worded by service/model/validation_errors.py."""
        # Without a context braces in the problem, as units have them, stay as they are.
        error = PydanticCustomError(kind, problem, context or None)
        self.errors.append(InitErrorDetails(type=error, loc=loc, input=value))

    def add_unknown(self, name: str, value: Any, registry: Registry) -> None:
        """Add a field that is no metric; of very many only the first are named."""
        self.unknown += 1
        if self.unknown <= MOST_UNKNOWN:
            shown = name if len(name) <= LONGEST_SHOWN else f"{name[:LONGEST_SHOWN]}…"
            self.add(UNKNOWN_METRIC, "is not a metric", (shown,), value, registry=registry)

    def add_others(self, error: ValidationError, sent: dict[str, Any]) -> None:
        """Put what the model found before the other faults, with the values as they were sent."""
        others = []
        for found in error.errors(include_url=False):
            loc = found["loc"]
            value = sent[loc[0]] if len(loc) == 1 and loc[0] in sent else found["input"]
            details = InitErrorDetails(type=found["type"], loc=loc, input=value)
            if "ctx" in found:
                details["ctx"] = found["ctx"]
            others.append(details)
        self.errors[:0] = others


class Split(NamedTuple):
    """The fields of a reading that the model knows, and its samples."""

    usual: dict[str, Any]
    samples: list[tuple[int, float]]
    faults: Faults


def with_other_metrics(sent: Any, validate: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    """Validate a reading by the model, and its other metrics by the registry of the Bounds given as context."""
    if not isinstance(sent, dict) or (
        sent.keys() <= FIELDS and not any(sent.get(one).__class__ is dict for one in THREE)
    ):
        reading = validate(sent)
        require_a_metric(reading)
        return reading
    bounds = info.context
    assert bounds is not None
    usual, samples, faults = split(sent, bounds.registry)
    try:
        reading = validate(usual)
    except ValidationError as error:
        faults.add_others(error, sent)
    if faults.unknown > MOST_UNKNOWN:
        faults.add("too_many", f"has {faults.unknown - MOST_UNKNOWN} more fields that are no metrics", (), None)
    if faults.errors:
        raise ValidationError.from_exception_data("Reading", faults.errors)
    if samples:
        reading["samples"] = tuple(samples)
    require_a_metric(reading)
    return reading


def require_a_metric(reading: dict[str, Any]) -> None:
    """Refuse a reading in which nothing was measured."""
    if "samples" not in reading and all(reading.get(name) is None for name in THREE):
        raise ValueError("must carry at least one metric, such as heart_rate, steps or calories")


def split(sent: dict[str, Any], registry: Registry) -> Split:
    """Take other metrics out of a reading, and write the model's three in their units."""
    usual: dict[str, Any] = {}
    samples: list[tuple[int, float]] = []
    faults = Faults()
    for name, value in sent.items():
        metric = registry.by_name.get(name)
        try:
            if name in FIELDS:
                usual[name] = in_unit(metric, value) if value.__class__ is dict and name in THREE else value
            elif name in OF_INTERVALS:
                if value is not None:
                    faults.add("interval", NO_INTERVALS, (name,), value)
            elif metric is None:
                faults.add_unknown(name, value, registry)
            elif value is not None:
                samples.append((metric.key, judged(metric, value)))
        except Refused as refused:
            faults.add(refused.kind, str(refused), (name, *refused.place), sent_at(value, refused.place))
    return Split(usual, samples, faults)


def judged(metric: Metric, sent: Any) -> float:
    """Return a value in the unit of its metric; Refused where it is none, or out of bounds."""
    if sent.__class__ is dict:
        value = in_unit(metric, sent)
        unit = "" if sent["unit"] == metric.unit else f" {metric.unit}"
    else:
        value, unit = number(sent, SHAPE), ""
    if not metric.lowest <= value <= metric.highest:
        raise Refused(OWN_BOUNDS if metric.is_own else "metric_bounds", f"must be between {metric.bounds}{unit}")
    return value


def in_unit(metric: Metric | None, sent: dict[str, Any]) -> float:
    """Return the value of an object of a value and a unit, in the unit of the metric; Refused where it is none."""
    if metric is None:  # the registry has not been read
        raise Refused(UNKNOWN_UNITS, "has a unit, and units are not known")
    if sent.keys() != QUANTITY:
        raise Refused("metric_shape", SHAPE)
    value = number(sent["value"], "must be a number", "value")
    unit = sent["unit"]
    try:
        return metric.in_its_unit(value, unit) + 0.0
    except (KeyError, TypeError):
        raise Refused("metric_unit", f"must be {units_of(metric)}", "unit") from None


def number(sent: Any, problem: str, *place: str) -> float:
    """Return a number; Refused for anything else, a boolean included."""
    if sent.__class__ not in (int, float):
        raise Refused("metric_number", problem, *place)
    try:
        return float(sent) + 0.0  # which makes 0 of -0
    except OverflowError:
        return float("inf")


def units_of(metric: Metric) -> str:
    """List the units that values of a metric may have."""
    return one_of([metric.unit, *metric.scales])


def one_of(names: Iterable[str]) -> str:
    """Write names as a choice."""
    *others, last = dict.fromkeys(names)
    return f"one of {', '.join(others)}, {last}" if others else last


def sent_at(value: Any, place: tuple[str, ...]) -> Any:
    """Return the part of a value that is meant."""
    for part in place:
        value = value[part]
    return value
