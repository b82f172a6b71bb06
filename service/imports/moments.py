"""Moments as files write them, and as a reading has them: ISO 8601 in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from service.imports.adapter import ImportContext
from service.model.timestamps import format_timestamp, parse_timestamp

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WITHOUT_OFFSET = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?", re.ASCII)


def of_epoch(number: int, per_second: int = 1) -> datetime:
    """Return the moment that lies so many seconds, or parts of one, after 1970; ValueError where there is none.

    What is finer than a microsecond is cut off.
    """
    try:
        return EPOCH + timedelta(microseconds=number * 1_000_000 // per_second)
    except OverflowError:
        raise ValueError("is not a moment of the calendar") from None


def written(moment: datetime) -> str:
    """Write a moment as a reading has it."""
    return format_timestamp(moment)


def moment_of(text: object, context: ImportContext) -> datetime:
    """Read ISO 8601; without an offset by the clock of the context. ValueError where it is none."""
    if isinstance(text, str) and WITHOUT_OFFSET.fullmatch(text):
        return parse_timestamp(context.of_clock(datetime.fromisoformat(text)))
    return parse_timestamp(text)
