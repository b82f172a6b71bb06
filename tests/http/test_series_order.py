"""Writers that register series at the same time do so in one order, whichever way their batches take."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import psycopg
import pytest

from service.database import pool as pool_module
from service.database.pool import make_pool
from service.http.tenancy import DEFAULT_TENANT
from service.ingest.writer import Writer, running_writer
from service.model.intervals import Interval, IntervalKind
from service.model.pg_time import to_micros
from service.model.reading import Row
from service.model.timestamps import parse_timestamp
from service.settings import Settings
from tests.support.wire import PATIENCE

START = to_micros(parse_timestamp("2024-01-15T10:00:00Z"))
MINUTE = 60_000_000
DISTANCE, FLOORS = "distance", "floors"
WAITING = """
    SELECT count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()
"""


async def until(true: Callable[[], bool]) -> None:
    """Wait."""
    async with asyncio.timeout(PATIENCE):
        while not true():
            await asyncio.sleep(0.01)


@pytest.mark.native
@pytest.mark.parametrize("other", ["copies", "merges"])
def test_writers_of_new_samples_and_intervals_do_not_deadlock(
    database_url: str, db: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    monkeypatch.setattr(pool_module, "ATTEMPTS", 1)  # so that a deadlock is not made good
    keys = dict(db.execute("SELECT name, metric_key FROM core.metric WHERE name IN ('distance', 'floors')").fetchall())
    first, last = sorted(keys.values())

    def row(at: int, sampled: int, counted: int) -> Row:
        """A reading with a sample of one metric, and an interval of another."""
        interval = Interval(IntervalKind.interval, counted, at + MINUTE, 5.0)
        return Row("ada", "watch", at, samples=((sampled, 3.0),), intervals=(interval,))

    async def write(writer: Writer, *rows: Row) -> None:
        counts = await writer.write(DEFAULT_TENANT, rows)
        assert counts["inserted"] == len(rows)

    async def meet() -> None:
        settings = Settings(database_url)
        async with (
            make_pool(settings) as pool,
            running_writer(pool, 1, 1000, 30.0) as merging,
            running_writer(pool, 1, 1000, 30.0) as another,
            await psycopg.AsyncConnection.connect(database_url) as gate,
        ):
            for writer in (merging, another):
                await writer.write(DEFAULT_TENANT, [Row("ada", "watch", START + 9 * MINUTE, 60.0)])
            merging.key_cache.samples_are_known = True
            another.key_cache.samples_are_known = other == "merges"
            # The one that merges has written its sample, of the last series, and not yet its interval, of the first.
            await gate.execute("LOCK TABLE core.interval IN ACCESS EXCLUSIVE MODE")
            one = asyncio.create_task(write(merging, row(START, last, first)))
            await until(lambda: db.execute(WAITING).fetchone() == (1,))
            # The other one comes with the first series, and then the last one.
            two = asyncio.create_task(write(another, row(START + MINUTE, first, last)))
            await until(lambda: db.execute(WAITING).fetchone() == (2,))
            await gate.rollback()
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(one, two)

    asyncio.run(meet())
    assert db.execute("SELECT count(*) FROM core.sample_series").fetchone() == (2,)
    assert db.execute("SELECT (SELECT count(*) FROM core.sample), (SELECT count(*) FROM core.interval)").fetchone() == (
        2,
        2,
    )
