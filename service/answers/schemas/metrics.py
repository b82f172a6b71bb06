"""The registry of metrics."""

from __future__ import annotations

from typing_extensions import TypedDict


class OtherUnit(TypedDict):
    """A further unit: (value - zero) * factor / divisor is the value in the unit of the metric."""

    unit: str
    ucum: str
    zero: float
    factor: float
    divisor: float


class MetricDocument(TypedDict):
    """A metric: what it is called, and its unit, kind, bounds and codes; null where there is none."""

    name: str
    title: str
    topic: str
    kind: str
    unit: str
    lowest: float
    highest: float
    most_per_second: float | None
    is_whole: bool
    other_units: list[OtherUnit]
    loinc: str | None
    healthkit: str | None
    health_connect: str | None
    open_mhealth: str | None
    built_in: bool


class MetricsDocument(TypedDict):
    """The built-in metrics, then those of the tenant's own, each by name."""

    metrics: list[MetricDocument]
