"""Metrics that an answer is asked for by name (`metrics=`), and what it says of each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, NamedTuple

from pydantic import Field, PlainValidator, WithJsonSchema

from service.model.fields import without_nul
from service.model.timestamps import format_timestamp

MOST_METRICS = 100
LONGEST_NAME = 127  # characters: two words of 63, and a colon
EVERYTHING = "all"
# The metrics of readings, in the order of the registry, and their units there; answers have them anyway, as fields.
UNITS = {"heart_rate": "/min", "steps": "{steps}", "calories": "kcal"}
WORD = "[a-z][a-z0-9_]{0,62}"
NAME = f"({WORD}:)?{WORD}"


class MetricsAsked(NamedTuple):
    """The names of metrics, each once; None for all metrics that there are values of."""

    names: tuple[str, ...] | None

    @property
    def of_readings(self) -> list[str]:
        """The metrics of readings that are asked for."""
        return [name for name in UNITS if self.names is None or name in self.names]

    @property
    def others(self) -> list[str] | None:
        """The other metrics that are asked for; None for all."""
        return None if self.names is None else [name for name in self.names if name not in UNITS]

    def answer(self, found: Iterable[tuple[str, dict[str, Any] | None]]) -> dict[str, dict[str, Any] | None]:
        """Return what was found of each metric; None where nothing was, which is left out where all are asked for."""
        return {name: said for name, said in found if said is not None or self.names is not None}


def read_names(value: object) -> MetricsAsked:
    """Read names with commas between them, or the word for all of them."""
    assert isinstance(value, str)
    if value == EVERYTHING:
        return MetricsAsked(None)
    names = tuple(dict.fromkeys(without_nul(value).split(",")))
    if "" in names:
        raise ValueError("must be names of metrics with commas between them, or all")
    if len(names) > MOST_METRICS:
        raise ValueError(f"must have at most {MOST_METRICS} names")
    if any(len(name) > LONGEST_NAME for name in names):
        raise ValueError(f"must have names of at most {LONGEST_NAME} characters")
    return MetricsAsked(names)


# Which metrics there are, the database knows: api_internal.find_metrics.
Metrics = Annotated[
    MetricsAsked | None,
    PlainValidator(read_names),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "pattern": f"^{NAME}(,{NAME}){{0,{MOST_METRICS - 1}}}$"}, {"type": "null"}]}
    ),
    Field(
        description="The answer has `metrics` with these, names of GET /v1/metrics with commas between them; or `all`.",
        examples=["spo2,body_weight"],
    ),
]


def heart_rate_of(row: dict[str, Any]) -> dict[str, Any] | None:
    """Return the four figures of heart rate; None where it was not measured."""
    if not row["heart_rate_count"]:
        return None
    return {name: row[f"heart_rate_{name}"] for name in ("count", "avg", "min", "max")}


def readings_figures(row: dict[str, Any], name: str) -> dict[str, Any] | None:
    """Return the figures of a metric of readings, of a summary or a bucket; None where it was not measured."""
    if name == "heart_rate":
        figures = heart_rate_of(row)
        return figures and {**figures, "unit": UNITS[name]}
    return None if row[name] is None else {"total": row[name], "unit": UNITS[name]}


def sample_figures(row: dict[str, Any]) -> dict[str, Any] | None:
    """Return the figures of another metric, which depend on its kind; None where it was not measured."""
    # Of a sum, no value need lie in the range: an interval reaches beyond where it begins.
    is_measured = row.get("total") is not None if row.get("kind") == "sum" else row.get("count")
    if not is_measured:
        return None
    match row["kind"]:
        case "gauge":
            figures = {name: row[name] for name in ("count", "avg", "min", "max")}
        case "sum":
            figures = {"total": row["total"]}
        case _:
            figures = {"last": row["last_value"]}
            if "last_ts" in row:
                figures["timestamp"] = format_timestamp(row["last_ts"])
    return {**figures, "unit": row["unit"]}
