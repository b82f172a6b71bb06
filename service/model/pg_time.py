"""Moments as PostgreSQL counts them: whole microseconds since 2000-01-01T00:00Z."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from service.model.timestamps import format_timestamp

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
UNIX_EPOCH = 946_684_800_000_000  # from 1970 to there
MICROSECOND = timedelta(microseconds=1)
QUARTER = 900_000_000
DAY = 96 * QUARTER


def to_micros(moment: datetime) -> int:
    """Count the microseconds from the epoch to a moment."""
    return (moment - EPOCH) // MICROSECOND


@lru_cache(4096)
def format_micros(micros: int) -> str:
    """Write the moment so many microseconds after the epoch."""
    return format_timestamp(EPOCH + micros * MICROSECOND)
