"""What tests of samples begin with: tenants of their own, samples around a noon, and questions about them."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import Any

import psycopg

from tests.support.moments import MINUTE, micros
from tests.support.samples import Question, Sample

NOON = datetime(2025, 1, 15, 12, tzinfo=UTC)
COMPRESS = "SELECT compress_chunk(c, true) FROM show_chunks('core.sample') AS c"
numbers = count(1)


def new_tenant(db: psycopg.Connection[Any]) -> str:
    """Return a tenant without samples, with a metric of its own that others have too."""
    tenant = f"tenant{next(numbers)}"
    db.execute("SELECT api.set_metric(%s, 'strain', '{score}', 'gauge', -1e6, 1e6)", [tenant])
    return tenant


def at(minutes: float) -> int:
    """Return a moment so many minutes after noon."""
    return micros(NOON) + round(minutes * MINUTE)


def sample(
    metric: str = "spo2", minutes: float = 0, value: float = 97, device: str = "watch", user: str = "ada"
) -> Sample:
    return Sample(user, device, metric, at(minutes), value)


def ask(*metrics: str, user: str = "ada", device: str | None = None, bucket: str = "1h", days: int = 1) -> Question:
    return Question(user, at(-60), at(60 + 1440 * (days - 1)), metrics, device, bucket, "UTC", 1000)


def stored(db: psycopg.Connection[Any], tenant: str) -> list[tuple[Any, ...]]:
    query = (
        "SELECT user_id, device_id, metric, unit, ts, value FROM api.samples WHERE tenant_id = %s ORDER BY ts, 1, 2, 3"
    )
    return [(*found[:4], micros(found[4]), found[5]) for found in db.execute(query, [tenant]).fetchall()]
