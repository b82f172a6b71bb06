"""The fields of a reading beside the model's: other metrics, and sums of an interval.

Three metrics are fields of the model; all others are judged here, by the registry in the validation context.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from pydantic import ValidationError, ValidatorFunctionWrapHandler
from pydantic_core import InitErrorDetails, PydanticCustomError
from pydantic_core.core_schema import ValidationInfo

from service.model.intervals import Extent
from service.model.pg_time import to_micros
from service.model.quantities import OWN_BOUNDS, UNKNOWN_METRIC, UNREAD, Refused, in_unit, judged, sent_at
from service.model.registry import Metric, Registry

FIELDS = frozenset(("user_id", "device_id", "timestamp", "heart_rate", "steps", "calories"))
THREE = ("heart_rate", "steps", "calories")
OF_INTERVALS = frozenset(("end", "worn", "daily_total"))
TOGETHER = "metrics"  # the field that holds metrics by name, as answers do
NO_METRICS = (FIELDS - frozenset(THREE)) | OF_INTERVALS | {TOGETHER}
MOST_UNKNOWN = 5  # fields of a reading that are named
LONGEST_SHOWN = 100  # characters of a name


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
    """The fields of a reading that the model knows, its other metrics, and what is wrong so far."""

    usual: dict[str, Any]
    others: list[tuple[Metric, float]]
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
    return judged_by_registry(sent, validate, bounds.registry)


def judged_by_registry(sent: dict[str, Any], validate: ValidatorFunctionWrapHandler, registry: Registry) -> Any:
    """Validate a reading that has more than the usual fields."""
    sent, twice = flattened(sent)
    usual, others, faults = split(sent, registry)
    for name in twice:  # of which those that are not known are added as fields
        if name in NO_METRICS or name in registry.by_name:
            problem = "is no metric, but a field" if name in NO_METRICS else "is a field too, with another value"
            faults.add("metric_twice", problem, (TOGETHER, name), sent[TOGETHER][name])
    try:
        reading = validate(usual)
        add_others(reading, others, registry, sent, faults)
    except ValidationError as error:
        faults.add_others(error, sent)
    if faults.unknown > MOST_UNKNOWN:
        faults.add("too_many", f"has {faults.unknown - MOST_UNKNOWN} more fields that are no metrics", (), None)
    if faults.errors:
        raise ValidationError.from_exception_data("Reading", faults.errors)
    require_a_metric(reading)
    return reading


def require_a_metric(reading: dict[str, Any]) -> None:
    """Refuse a reading in which nothing was measured."""
    if "samples" not in reading and all(reading.get(name) is None for name in THREE):
        raise ValueError("must carry at least one metric, such as heart_rate, steps or calories")


def flattened(sent: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return a reading with the metrics of its field `metrics` as fields, and the names that have two values.

    Names of what is no metric stay where they are, and so does anything but an object.
    """
    together = sent.get(TOGETHER)
    if together.__class__ is not dict:
        return sent, []
    flat = {name: value for name, value in sent.items() if name != TOGETHER}
    twice = []
    for name, value in together.items():
        if name in NO_METRICS or (value is not None and flat.get(name, value) not in (value, None)):
            twice.append(name)
        elif value is not None:
            flat[name] = value
    return (flat | {TOGETHER: together} if twice else flat), twice


def add_others(
    reading: dict[str, Any],
    others: list[tuple[Metric, float]],
    registry: Registry,
    sent: dict[str, Any],
    faults: Faults,
) -> None:
    """Add other metrics to a reading, as samples; where it has an end, its sums are intervals."""
    end = reading.get("end")
    extent = Extent(
        to_micros(reading["timestamp"]),
        None if end is None else to_micros(end),
        reading.get("worn") or False,
        reading.get("daily_total") or False,
    )
    sums: list[tuple[Metric, float]] = []
    if end is not None:
        for name in THREE:
            metric = registry.by_name.get(name)
            if metric is None:
                faults.add(UNREAD, "makes an interval, and metrics are not known", ("end",), sent["end"])
                return
            if metric.is_sum and reading.get(name) is not None:
                sums.append((metric, float(reading.pop(name))))
        sums += [(metric, value) for metric, value in others if metric.is_sum]
        others = [(metric, value) for metric, value in others if not metric.is_sum]
    for name, problem in extent.faults(sums):
        metric = registry.by_name.get(name)
        faults.add(OWN_BOUNDS if metric and metric.is_own else "interval", problem, (name,), sent[name])
    if faults.errors:
        return
    intervals = extent.intervals(sums)
    if others or intervals:
        reading["samples"] = tuple((metric.key, value) for metric, value in others)
        reading["intervals"] = intervals


def split(sent: dict[str, Any], registry: Registry) -> Split:
    """Take other metrics out of a reading, and write the model's three in their units."""
    usual: dict[str, Any] = {}
    others: list[tuple[Metric, float]] = []
    faults = Faults()
    for name, value in sent.items():
        metric = registry.by_name.get(name)
        try:
            if name in FIELDS:
                usual[name] = in_unit(metric, value) if value.__class__ is dict and name in THREE else value
            elif name in OF_INTERVALS:
                usual[name] = value
            elif name == TOGETHER:
                if value is not None and value.__class__ is not dict:
                    faults.add("metrics_shape", "must be an object of metrics by name", (name,), value)
            elif metric is None:
                faults.add_unknown(name, value, registry)
            elif value is not None:
                others.append((metric, judged(metric, value)))
        except Refused as refused:
            faults.add(refused.kind, str(refused), (name, *refused.place), sent_at(value, refused.place))
    return Split(usual, others, faults)
