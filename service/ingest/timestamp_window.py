"""Which timestamps a write may carry, as the settings in the database say."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from service.database.pool import Pool, fetch_one
from service.model.fields import Bounds
from service.model.registry import NO_METRICS, Registry

FRESH_SECONDS = 60


class TimestampWindow:
    """Reads the settings when they are first needed, and again when they are a minute old."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.read_at = -float("inf")
        self.oldest = datetime.max.replace(tzinfo=UTC)
        self.tolerance = timedelta()

    async def now(self, registry: Registry = NO_METRICS) -> Bounds:
        """Return the earliest and the latest timestamp accepted at this moment, beside the metrics that are."""
        if time.monotonic() - self.read_at > FRESH_SECONDS:
            row = await fetch_one(self.pool, "timestamp_bounds")
            self.oldest, self.tolerance = row["oldest"], row["future_tolerance"]
            self.read_at = time.monotonic()
        return Bounds(self.oldest, datetime.now(UTC) + self.tolerance, registry)
