"""Values of metrics: numbers in the unit of the metric, or objects of a value and its unit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from service.model.registry import Metric

QUANTITY = frozenset(("value", "unit"))
UNKNOWN_METRIC, UNREAD, OWN_BOUNDS = "unknown_metric", "unread_registry", "own_bounds"
MAY_CHANGE = frozenset((UNKNOWN_METRIC, UNREAD, OWN_BOUNDS))
"""Kinds of fault that a newer state of the registry may not find: tenants add metrics and widen bounds."""
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
        raise Refused(UNREAD, "has a unit, and units are not known")
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
