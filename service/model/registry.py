"""The registry of metrics as validation reads it: names, units and bounds, and values in the unit of the metric."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from math import isfinite
from typing import Any, NamedTuple

OTHER_FIELDS = ("user_id", "device_id", "timestamp", "end", "worn", "daily_total", "metrics")
LONGEST_NAME = 64  # characters; longer ones resemble nothing
LEAST_LIKENESS = 0.4


class Scale(NamedTuple):
    """How values in another unit become values in that of the metric: (value - zero) * factor / divisor."""

    zero: Decimal
    factor: Decimal
    divisor: Decimal

    def convert(self, value: float) -> float:
        """Convert a value as it is written: 98.6 degF are 37 Cel, which floating point would miss."""
        return float((Decimal(repr(value)) - self.zero) * self.factor / self.divisor)


class Metric(NamedTuple):
    """A metric: its key in the database, and what its values may be."""

    key: int
    name: str
    unit: str
    lowest: float
    highest: float
    scales: Mapping[str, Scale]
    """By the name or the UCUM code of each further unit."""
    is_own: bool = False
    """Whether a tenant declared it, whose word the name then is."""
    is_sum: bool = False
    """Whether it adds up, and may be counted over an interval."""
    most_per_second: float | None = None
    """Of a sum: the most that an interval may hold for each of its seconds."""
    is_whole: bool = False
    """Of a sum: whether it is counted in whole numbers."""

    @property
    def bounds(self) -> str:
        """The lowest and the highest value, in words."""
        return f"{plain(self.lowest)} and {plain(self.highest)}"

    def in_its_unit(self, value: float, unit: str) -> float:
        """Return a value in the unit of the metric; KeyError where the unit is none of its."""
        return value if unit == self.unit else self.scales[unit].convert(value)


class Registry:
    """The metrics of a tenant, by name. Units never change and bounds only widen, so a late state refuses too much."""

    def __init__(self, metrics: Mapping[str, Metric] | None = None) -> None:
        self.by_name: Mapping[str, Metric] = metrics or {}
        self.elsewhere: Mapping[str, str] = {}
        """What other systems call them, in lower case."""

    async def renew(self, patiently: bool) -> bool:
        """Read the registry again where it may have changed; return whether it was read."""
        return False

    @property
    def own_names(self) -> frozenset[str]:
        """The names that the tenant chose."""
        return frozenset(name for name, metric in self.by_name.items() if metric.is_own)

    def meant_by(self, name: str) -> str | None:
        """Return the metric, or field, that a name which is none probably means."""
        if len(name) > LONGEST_NAME:
            return None
        name = name.lower()
        if name in self.elsewhere:
            return self.elsewhere[name]
        likeness, meant = max((likeness_of(name, other), other) for other in (*self.by_name, *OTHER_FIELDS))
        return meant if likeness >= LEAST_LIKENESS else None


NO_METRICS = Registry()


def likeness_of(one: str, other: str) -> float:
    """Return the share of the pairs of neighbouring letters that two names have in common, as name_likeness.sql does.

    Its time grows with the length of the names alone, however they repeat themselves.
    """
    return 2 * (pairs(one) & pairs(other)).total() / (len(one) + len(other) + 2)


def pairs(name: str) -> Counter[tuple[str, str]]:
    """Count the pairs of neighbouring letters of a name, its ends included."""
    return Counter(zip(f" {name}", f"{name} ", strict=True))


def plain(number: float) -> str:
    """Write a number without a fraction of zero."""
    return str(int(number)) if isfinite(number) and number == int(number) else repr(number)


def metric_of(row: Mapping[str, Any]) -> Metric:
    """Read a metric from a row of sql/queries/registry.sql, or from an item of GET /v1/metrics."""
    scales: dict[str, Scale] = {}
    for unit in row["other_units"]:
        scale = Scale(*(Decimal(str(unit[part])) for part in ("zero", "factor", "divisor")))
        scales |= {unit["unit"]: scale, unit["ucum"]: scale}
    return Metric(
        row.get("metric_key", 0),
        row["name"],
        row["unit"],
        row["lowest"],
        row["highest"],
        scales,
        not row["built_in"],
        row["kind"] == "sum",
        row["most_per_second"],
        row.get("is_whole", False),
    )


def named_elsewhere(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the metrics by what other systems call them; a name that means several means none."""
    named: dict[str, set[str]] = {}
    for row in rows:
        for system in ("healthkit", "health_connect", "open_mhealth"):
            if row[system]:
                named.setdefault(row[system].lower(), set()).add(row["name"])
    return {name: meant.pop() for name, meant in named.items() if len(meant) == 1}
