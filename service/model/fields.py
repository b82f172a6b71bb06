"""The kinds of value that inputs are made of, and what each accepts."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, StringConstraints, WithJsonSchema
from pydantic_core.core_schema import ValidationInfo

from service.model.limits import RANGES
from service.model.registry import NO_METRICS, Registry
from service.model.timestamps import format_timestamp, parse_timestamp

NAME_LENGTH = 128
EXACT = 2.0**53  # up to here a JSON number with a fraction of zero names one whole number
DIGITS = re.compile(r"-?[0-9]+")  # int() takes 3_03, +3 and the digits of other scripts, too


class Bounds(NamedTuple):
    """The earliest and the latest timestamp that a write may carry, and the metrics that a reading may."""

    oldest: datetime
    newest: datetime
    registry: Registry = NO_METRICS


def within_bounds(value: object, info: ValidationInfo) -> datetime:
    """Read a timestamp and refuse one outside the Bounds given as validation context."""
    moment = parse_timestamp(value)
    bounds = info.context
    assert isinstance(bounds, Bounds)
    if moment < bounds.oldest:
        raise ValueError(f"is older than what is accepted, {format_timestamp(bounds.oldest)}")
    require_past(moment, bounds)
    return moment


def end_within_bounds(value: object, info: ValidationInfo) -> datetime:
    """Read the end of an interval, which begins at a timestamp that is judged by itself."""
    moment = parse_timestamp(value)
    assert isinstance(info.context, Bounds)
    require_past(moment, info.context)
    return moment


def require_past(moment: datetime, bounds: Bounds) -> None:
    """Refuse a moment further ahead than what is accepted."""
    if moment > bounds.newest:
        raise ValueError(f"is further in the future than what is accepted, {format_timestamp(bounds.newest)}")


def whole(value: object) -> object:
    """Read 72.0 as 72, as which many tools write a whole number of a column that has gaps."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def as_decimal_text(value: object) -> object:
    """Read a JSON integer as its decimal text."""
    if isinstance(value, float) and abs(value) <= EXACT:
        value = whole(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def whole_number_text(value: object) -> str:
    """Read an integer as its decimal text, and refuse everything else."""
    text = as_decimal_text(value)
    if isinstance(value, str) or not isinstance(text, str):
        raise ValueError("must be a whole number")
    return text


def digits(value: object) -> str:
    """Read the decimal text of an integer, as a query string carries it, in its one plain form."""
    if isinstance(value, str) and len(value) <= NAME_LENGTH and DIGITS.fullmatch(value):
        return str(int(value))
    raise ValueError("must be a whole number, in digits")


def without_nul(text: str) -> str:
    """Refuse the one character that PostgreSQL cannot store, and what UTF-8 cannot write."""
    if "\x00" in text:
        raise ValueError("must not contain the character NUL")
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        raise ValueError("must not contain half of a surrogate pair")
    return text


def between(name: str) -> Any:
    """Give the range of that name in RANGES."""
    low, high = RANGES[name]
    return Field(ge=low, le=high, allow_inf_nan=False) if name in ("heart_rate", "calories") else Field(ge=low, le=high)


INSTANT: dict[str, Any] = {"type": "string", "format": "date-time", "examples": ["2024-01-15T10:00:00Z"]}
Name = Annotated[str, StringConstraints(min_length=1, max_length=NAME_LENGTH), AfterValidator(without_nul)]
UserId = Annotated[
    Name,
    BeforeValidator(as_decimal_text),
    WithJsonSchema(
        {
            "anyOf": [{"type": "string", "minLength": 1, "maxLength": NAME_LENGTH}, {"type": "integer"}],
            "description": "A string, or an integer that means its decimal text.",
            "examples": ["user_123"],
        }
    ),
]
WholeUserId = Annotated[
    Name, BeforeValidator(whole_number_text), WithJsonSchema({"type": "integer", "examples": [303]})
]
Timestamp = Annotated[datetime, PlainValidator(parse_timestamp), WithJsonSchema(INSTANT)]
WrittenTimestamp = Annotated[datetime, PlainValidator(within_bounds), WithJsonSchema(INSTANT)]
End = Annotated[
    datetime,
    PlainValidator(end_within_bounds),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2024-01-15T10:10:00Z"]}),
    Field(
        description="Makes an interval, from `timestamp` up to here, of the metrics that add up: `steps` are those of "
        "this time. Other metrics are of the moment of `timestamp`. At most 24 hours after it, 25 for a daily total."
    ),
]
Worn = Annotated[
    bool,
    Field(description="Whether the device was worn from `timestamp` to `end`: what it did not count then, was zero."),
]
DailyTotal = Annotated[
    bool,
    Field(
        description="Whether the sums are the total of a day, from `timestamp` to `end`, which counts where nothing "
        "finer is known. What is at least 23 hours long always is."
    ),
]
HeartRate = Annotated[float, between("heart_rate"), Field(description="Beats per minute.", examples=[75])]
Steps = Annotated[
    int,
    between("steps"),
    BeforeValidator(whole),
    Field(description="Steps since the previous reading; `72.0` is 72.", examples=[400]),
]
Calories = Annotated[float, between("calories"), Field(description="Kilocalories burnt.", examples=[15.2])]
