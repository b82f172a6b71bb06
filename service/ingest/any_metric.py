"""Rows of readings that have any metric, or an end, by the fast decoder; what is not usual is left to the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.ingest.timestamp_cache import CLOCK
from service.model.fields import NAME_LENGTH
from service.model.intervals import Extent
from service.model.limits import RANGES
from service.model.other_metrics import OF_INTERVALS, THREE, TOGETHER, flattened
from service.model.reading import DEFAULT_DEVICE, Row
from service.model.registry import Metric


class Unusual(Exception):
    """The model must validate a reading."""


def row_of(item: dict[str, Any], at: int, newest: int, by_name: Mapping[str, Metric]) -> Row:
    """Make the row of a reading at a moment, which is used up; Unusual where the model must validate it.

    newest: the latest moment that is accepted.
    """
    del item["timestamp"]
    user_id = item.pop("user_id", None)
    if user_id.__class__ is int and -(10**100) < user_id < 10**100:
        user_id = str(user_id)
    device_id = item.pop("device_id", None)
    if device_id is None:
        device_id = DEFAULT_DEVICE
    if not (user_id.__class__ is str and 0 < len(user_id) <= NAME_LENGTH):
        raise Unusual
    if not (device_id.__class__ is str and 0 < len(device_id) <= NAME_LENGTH):
        raise Unusual
    extent = None if OF_INTERVALS.isdisjoint(item) else extent_of(item, at, newest)
    if TOGETHER in item:
        item, twice = flattened(item)
        if twice or item.pop(TOGETHER, None) is not None:
            raise Unusual
    heart_rate, steps, calories = [usual(item.pop(name), name) if name in item else None for name in THREE]
    samples: list[tuple[int, float]] = []
    if extent is None:
        for name, value in item.items():
            if value is not None:
                metric = metric_of(name, by_name)
                samples.append((metric.key, in_the_unit(metric, value)))
        if not samples and heart_rate is steps is calories is None:
            raise Unusual
        return Row(user_id, device_id, at, heart_rate, steps, calories, tuple(samples) or None)
    sums = [
        (by_name[name], float(value)) for name, value in (("steps", steps), ("calories", calories)) if value is not None
    ]
    for name, value in item.items():
        if value is not None:
            metric = metric_of(name, by_name)
            if metric.is_sum:
                sums.append((metric, in_the_unit(metric, value)))
            else:
                samples.append((metric.key, in_the_unit(metric, value)))
    if any(extent.faults(sums)):
        raise Unusual
    intervals = extent.intervals(sums)
    if not samples and not intervals:
        if heart_rate is None:
            raise Unusual
        return Row(user_id, device_id, at, heart_rate)
    return Row(user_id, device_id, at, heart_rate, None, None, tuple(samples), intervals)


def extent_of(item: dict[str, Any], at: int, newest: int) -> Extent | None:
    """Take from a reading how far it reaches; None where it has no end. Unusual where the model must validate it."""
    text = item.pop("end", None)
    worn, daily_total = truth(item.pop("worn", None)), truth(item.pop("daily_total", None))
    if text is None:
        if worn or daily_total:
            raise Unusual
        return None
    try:
        end = CLOCK.recall(text)
    except (ValueError, TypeError):
        raise Unusual from None
    if end > newest:
        raise Unusual
    return Extent(at, end, worn, daily_total)


def truth(value: Any) -> bool:
    """Return a value that is true or false, where it is null false; Unusual for anything else."""
    if value is not None and value.__class__ is not bool:
        raise Unusual
    return bool(value)


def metric_of(name: str, by_name: Mapping[str, Metric]) -> Metric:
    """Return the metric of a name; Unusual where there is none."""
    metric = by_name.get(name)
    if metric is None:
        raise Unusual
    return metric


def in_the_unit(metric: Metric, value: Any) -> float:
    """Return a value in the unit of its metric and within its bounds; Unusual where the model must validate it."""
    if value.__class__ is dict:
        number, unit = value.get("value"), value.get("unit")
        if len(value) != 2 or number.__class__ not in (int, float) or unit.__class__ is not str:
            raise Unusual
        try:
            value = metric.in_its_unit(float(number), unit)
        except (KeyError, OverflowError):
            raise Unusual from None
    elif value.__class__ not in (int, float):
        raise Unusual
    if not metric.lowest <= value <= metric.highest:
        raise Unusual
    return float(value) + 0.0  # which makes 0 of -0


def usual(value: Any, name: str) -> Any:
    """Return a value of one of the three metrics; Unusual where the model must validate it."""
    if value is None:
        return None
    low, high = RANGES[name]
    if value.__class__ not in (int, float) or not low <= value <= high:
        raise Unusual
    if name != "steps":
        return float(value)
    if value != int(value):
        raise Unusual
    return int(value)
