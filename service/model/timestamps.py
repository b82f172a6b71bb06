"""Timestamps: read strictly, written one way."""

from __future__ import annotations

import re
from datetime import UTC, datetime

# ISO 8601 calendar form; the offset is optional here, so that its absence gets an error of its own.
SHAPE = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?)\s?([Zz]|[+-]\d\d(?::?\d\d)?)?", re.ASCII
)

UTC_OFFSET = "+00:00"


def parse_timestamp(text: object) -> datetime:
    """Read an ISO 8601 timestamp with `Z` or an offset as UTC, to the microsecond; ValueError says what is wrong."""
    if not isinstance(text, str):
        raise ValueError("must be a string: an ISO 8601 timestamp such as 2024-01-15T10:00:00Z")
    match = SHAPE.fullmatch(restore_plus(text))
    if match is None:
        raise ValueError("must be an ISO 8601 timestamp such as 2024-01-15T10:00:00Z")
    date, clock, offset = match.groups()
    if offset is None:
        raise ValueError("has no offset, so it names no moment; add Z or one such as +02:00")
    try:
        moment = datetime.fromisoformat(f"{date}T{clock}{offset.upper()}")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("is not a moment of the calendar") from None


def restore_plus(text: str) -> str:
    """Read the space that an unescaped `+` of an offset turns into in a query string as `+`."""
    return re.sub(r" (\d\d:?\d\d)$", r"+\1", text) if len(text) > 16 and " " in text[16:] else text


def format_timestamp(moment: datetime) -> str:
    """Write a moment as UTC with Z: whole seconds without a fraction, otherwise without trailing zeros."""
    text = moment.isoformat()
    text = (text if text.endswith(UTC_OFFSET) else moment.astimezone(UTC).isoformat()).removesuffix(UTC_OFFSET)
    return (text.rstrip("0") if moment.microsecond else text) + "Z"
