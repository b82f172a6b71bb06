"""What a reading is: the models that validate it, and the row that it becomes."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Annotated, Any, NotRequired

import msgspec
from pydantic import ConfigDict, TypeAdapter, WithJsonSchema, WrapValidator, with_config
from typing_extensions import TypedDict

from service.model.fields import (
    Calories,
    DailyTotal,
    End,
    HeartRate,
    Name,
    Steps,
    UserId,
    WholeUserId,
    Worn,
    WrittenTimestamp,
)
from service.model.intervals import Interval
from service.model.other_metrics import TOGETHER, with_other_metrics
from service.model.pg_time import to_micros
from service.model.quantities import QUANTITY_SCHEMA

DEFAULT_DEVICE = "default"
METRICS = frozenset(("heart_rate", "steps", "calories"))
SAMPLES_OF_A_READING = 4  # that take as much of memory, and of a transaction, as a reading
MetricsTogether = Annotated[
    dict[str, Any],
    WithJsonSchema(
        {
            "type": "object",
            "additionalProperties": QUANTITY_SCHEMA,
            "description": "Metrics by name, as answers have them; the same as fields of these names.",
        }
    ),
]


class Row(msgspec.Struct, gc=False):
    """A reading on its way to the database: a moment in microseconds since 2000, None where nothing was measured."""

    user_id: str
    device_id: str
    timestamp: int
    heart_rate: float | None = None
    steps: int | None = None
    calories: float | None = None
    samples: tuple[tuple[int, float], ...] | None = None
    """The key of every other metric that was measured, each once, and its value in the unit of the metric.

    None where there are neither samples nor intervals.
    """
    intervals: tuple[Interval, ...] = ()
    """What was counted from the moment to an end, each metric once, and whether the device was worn."""

    @property
    def is_of_samples(self) -> bool:
        """Whether none of the three was measured at the moment."""
        return self.heart_rate is None and self.steps is None and self.calories is None

    @property
    def value_count(self) -> int:
        """How many values of other metrics than the three, or of intervals, there are."""
        return 0 if self.samples is None else len(self.samples) + len(self.intervals)


moment_of = attrgetter("timestamp")  # of a row


def count_samples(rows: Sequence[Row]) -> int:
    """Count the values of other metrics than the three, and those of intervals."""
    return sum([row.value_count for row in rows])


def weight_of(readings: int, samples: int) -> int:
    """Return as how many readings so many count where memory is short: a sample takes a quarter of one."""
    return readings + samples // SAMPLES_OF_A_READING


@with_config(
    ConfigDict(
        strict=True, extra="forbid", title="Reading", json_schema_extra={"additionalProperties": QUANTITY_SCHEMA}
    )
)
class ReadingFields(TypedDict):
    """What a device measured for a user at a moment, or counted from there to an end.

    At least one metric, which may be any that is registered, or that the device was worn.
    """

    user_id: UserId
    device_id: NotRequired[Name | None]
    timestamp: WrittenTimestamp
    end: NotRequired[End | None]
    worn: NotRequired[Worn | None]
    daily_total: NotRequired[DailyTotal | None]
    heart_rate: NotRequired[HeartRate | None]
    steps: NotRequired[Steps | None]
    calories: NotRequired[Calories | None]
    metrics: NotRequired[MetricsTogether | None]


@with_config(ConfigDict(strict=True, title="IngestItem"))
class IngestItem(TypedDict):
    """A reading as `POST /ingest` takes it: an integer user_id and all three metrics."""

    user_id: WholeUserId
    timestamp: WrittenTimestamp
    heart_rate: HeartRate
    steps: Steps
    calories: Calories


@with_config(ConfigDict(strict=True, title="HeartRateReading"))
class HeartRateReading(TypedDict):
    """A reading as `POST /metrics/heart-rate` takes it."""

    device_id: Name
    user_id: UserId
    timestamp: WrittenTimestamp
    heart_rate: HeartRate


Reading = Annotated[ReadingFields, WrapValidator(with_other_metrics)]
READING: TypeAdapter[Any] = TypeAdapter(Reading)
COLUMNS = tuple(name for name in ReadingFields.__annotations__ if name != TOGETHER)
"""The fields of a reading that are columns of CSV, besides those of other metrics."""
INGEST_ITEM: TypeAdapter[Any] = TypeAdapter(IngestItem)
HEART_RATE_READING: TypeAdapter[Any] = TypeAdapter(HeartRateReading)


def to_row(reading: Any) -> Row:
    """Turn any of the three validated forms into a row."""
    return Row(
        reading["user_id"],
        reading.get("device_id") or DEFAULT_DEVICE,
        to_micros(reading["timestamp"]),
        reading.get("heart_rate"),
        reading.get("steps"),
        reading.get("calories"),
        reading.get("samples"),
        reading.get("intervals", ()),
    )
