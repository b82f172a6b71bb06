"""The lane that copies new values, and the one that merges them, leave the same behind."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import psycopg
import pytest
from psycopg.rows import dict_row

from service.ingest.fast_decoder import decode_items
from service.ingest.key_cache import KeyCache
from service.ingest.observer import Unobserved
from service.ingest.outcome import Outcome
from service.ingest.sample_lane import copy_values, merge
from service.ingest.write_queue import Batch, BatchLease, Queue, Submission
from service.model.fields import Bounds
from service.model.reading import Row
from service.model.registry import Registry, metric_of

Lane: TypeAlias = Callable[[Any, KeyCache, Batch], Awaitable[bytearray]]
TABLES = (
    "reading",
    "sample",
    "interval",
    "worn_window",
    "daily_total",
    "sample_series",
    "interval_series",
    "stale_day",
    "sample_day",
)
STATE = {
    "readings": "SELECT * FROM core.reading ORDER BY user_key, device_key, ts",
    "samples": "SELECT * FROM core.sample ORDER BY user_key, metric_key, device_key, ts",
    "intervals": """SELECT user_key, metric_key, device_key, ts, ends_at, value
                      FROM core.interval ORDER BY user_key, metric_key, device_key, version""",
    "worn": "SELECT user_key, device_key, ts, ends_at FROM core.worn_window ORDER BY 1, 2, 3",
    "totals": "SELECT user_key, metric_key, device_key, ts, ends_at, value FROM core.daily_total ORDER BY 1, 2, 3, 4",
    "series": "SELECT * FROM core.sample_series ORDER BY user_key, metric_key, device_key",
    "series of intervals": "SELECT * FROM core.interval_series ORDER BY user_key, kind, metric_key, device_key",
    "marks": """SELECT user_key, day, bit_or(quarters), bit_or(sample_quarters)
                  FROM core.stale_day GROUP BY 1, 2 ORDER BY 1, 2""",
    "days": "SELECT DISTINCT user_key, day FROM core.sample_day ORDER BY 1, 2",
}


def registry_of(db: psycopg.Connection[Any]) -> Registry:
    with db.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            """SELECT m.metric_key, m.name, m.unit, m.lowest, m.highest, m.kind, m.is_whole, m.most_per_second,
                      true AS built_in, '[]'::jsonb AS other_units FROM core.metric AS m"""
        ).fetchall()
    return Registry({row["name"]: metric_of(row) for row in rows})


def sent(chance: random.Random, now: datetime) -> list[dict[str, Any]]:
    """New readings of every kind, above the horizon, around it, and below it, in any order; some overlap."""
    readings: dict[tuple[Any, ...], dict[str, Any]] = {}
    for _ in range(60):
        hours = chance.choice([0, 1, 30, 50])
        at = now - timedelta(hours=hours, minutes=chance.randrange(200), seconds=chance.randrange(60))
        one: dict[str, Any] = {
            "user_id": chance.choice(["ada", "bob"]), "device_id": chance.choice(["watch", "phone"]),
            "timestamp": at.isoformat(),
        }  # fmt: skip
        kind = chance.randrange(7)
        if kind < 3:
            one["end"] = (at + timedelta(seconds=chance.choice([60, 600, 5000]))).isoformat()
            one |= [{"steps": 7}, {"distance": 20.5}, {"steps": 3, "distance": 2, "spo2": 97, "worn": True}][kind]
        elif kind == 3:
            one |= {"end": (at + timedelta(hours=24)).isoformat(), "steps": 900}
        else:
            one |= [{"spo2": 95}, {"heart_rate": 60, "hrv_rmssd": 30}, {"body_weight": 70, "spo2": 98}][kind - 4]
        readings.setdefault((one["user_id"], one["device_id"], at), one)
    return list(readings.values())


def left_behind(db: psycopg.Connection[Any], database_url: str, parts: list[list[Row]], lane: Lane) -> dict[str, Any]:
    """Store readings in an empty database; return what stands in it then."""
    db.execute(f"TRUNCATE {', '.join(f'core.{table}' for table in TABLES)}".encode())

    async def store() -> bytearray:
        loop = asyncio.get_running_loop()
        batch = Batch([Submission("default", rows, loop.create_future(), samples=1) for rows in parts])
        async with await psycopg.AsyncConnection.connect(database_url, autocommit=True, row_factory=dict_row) as found:
            return await lane(found, KeyCache(), batch)

    outcomes = asyncio.run(store())
    assert set(outcomes) == {Outcome.inserted}
    assert len(outcomes) == sum(map(len, parts))
    return {what: db.execute(query.encode()).fetchall() for what, query in STATE.items()}


def copied(connection: Any, key_cache: KeyCache, batch: Batch) -> Awaitable[bytearray]:
    """Store a batch by COPY, under names that are known."""

    async def store() -> bytearray:
        batch.pack(await key_cache.keys(connection, batch.parts))
        return await copy_values(connection, key_cache, Unobserved(), BatchLease(Queue(), batch))

    return store()


@pytest.mark.parametrize("seed", range(3))
def test_what_is_new_is_copied_as_it_would_be_merged(db: psycopg.Connection[Any], database_url: str, seed: int) -> None:
    db.execute("CALL api.refresh()")
    now = datetime.now(UTC)
    bounds = Bounds(now - timedelta(days=30), now + timedelta(days=2), registry_of(db))
    items = sent(random.Random(seed), now)
    samples = [one for one in items if len(one) == 4]
    intervals = [one for one in items if len(one) == 5 and "end" in one]
    for group in (samples, intervals, items):
        rows = decode_items(group, bounds)
        assert rows
        parts = [rows[: len(rows) // 2], rows[len(rows) // 2 :]]
        right = left_behind(db, database_url, parts, merge)
        assert left_behind(db, database_url, parts, copied) == right
        assert right["marks"]
