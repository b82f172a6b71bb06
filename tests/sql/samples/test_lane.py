"""What is taken into a transaction of readings with samples, and in which order it holds what it writes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from service.ingest.key_cache import KeyCache
from service.ingest.observer import Unobserved
from service.ingest.outcome import Outcome
from service.ingest.store import store
from service.ingest.write_queue import Batch, BatchLease, Queue, Submission
from service.model.intervals import Interval, IntervalKind
from service.model.pg_time import to_micros
from service.model.reading import Row, count_samples

SPO2, HRV, STEPS = 9, 7, 2
NOW = to_micros(datetime.now(UTC))
MINUTE = 60_000_000


def sample(minute: int, user_id: str = "ada", metric_key: int = SPO2, **fields: Any) -> Row:
    return Row(user_id, "watch", NOW + minute * MINUTE, samples=((metric_key, 97.0),), **fields)


def submission(*rows: Row) -> Submission:
    return Submission("default", rows, asyncio.get_running_loop().create_future(), samples=count_samples(rows))


async def connected(database_url: str) -> Any:
    return await psycopg.AsyncConnection.connect(database_url, autocommit=True, row_factory=dict_row)


class LateArrivals(BatchLease):
    """A lease of a queue in which something arrives just before the batch is taken."""

    def __init__(self, queue: Queue, later: Sequence[Sequence[Row]]) -> None:
        super().__init__(queue)
        self.later = later

    def take(self) -> Batch:
        for rows in self.later:
            self.queue.add(submission(*rows))
        self.later = ()
        return super().take()


async def stored(connection: Any, key_cache: KeyCache, first: Sequence[Row], *later: Sequence[Row]) -> list[int]:
    """Store what waits, and what arrives while the transaction begins; return how many readings each batch has."""
    queue = Queue()
    queue.add(submission(*first))
    sizes = []
    while queue.arrival.is_set():
        async with LateArrivals(queue, later) as lease:
            later = ()
            outcomes = await store(connection, key_cache, Unobserved(), lease, False)
            assert set(outcomes) == {Outcome.inserted}
            assert len(outcomes) == len(lease.take().rows)
            sizes.append(len(outcomes))
    return sizes


@pytest.mark.parametrize(
    ("waits", "arrives"),
    [
        ([sample(1)], [[sample(2)], [sample(3)]]),
        ([sample(1)], [[sample(2, heart_rate=60.0)], [sample(3)]]),
        ([sample(1)], [[sample(2, metric_key=HRV)]]),
        ([sample(1)], [[sample(2, user_id="bob")]]),
        ([sample(1)], [[sample(2, user_id="bob", intervals=(Interval(IntervalKind.worn, 0, NOW + 5 * MINUTE, 0.0),))]]),
        ([sample(1, metric_key=HRV)], [[sample(2)]]),
        ([sample(1, user_id="bob", heart_rate=60.0)], [[sample(2)]]),
    ],
    ids=["alike", "of the three", "of another series", "of an unknown user", "worn", "known ones", "none of the three"],
)
def test_what_arrives_while_a_transaction_begins_shares_its_commit(
    db: psycopg.Connection[Any], database_url: str, waits: list[Row], arrives: list[list[Row]]
) -> None:
    async def run() -> None:
        async with await connected(database_url) as connection:
            key_cache = KeyCache()
            assert await stored(connection, key_cache, [sample(0)]) == [1]
            assert await stored(connection, key_cache, waits, *arrives) == [1 + len(arrives)]

    asyncio.run(run())
    count = "SELECT count(*), count(DISTINCT xmin::text) FROM core.sample"
    assert db.execute(count).fetchone() == (2 + len(arrives), 2)


def test_what_arrives_of_the_other_lane_waits(db: psycopg.Connection[Any], database_url: str) -> None:
    async def run() -> None:
        async with await connected(database_url) as connection:
            key_cache = KeyCache()
            await stored(connection, key_cache, [sample(0)])
            assert await stored(connection, key_cache, [sample(1)], [Row("ada", "watch", NOW, 60.0)]) == [1, 1]

    asyncio.run(run())
    assert db.execute("SELECT (SELECT count(*) FROM core.sample), (SELECT count(*) FROM core.reading)").fetchone() == (
        2,
        1,
    )


@pytest.mark.native
def test_intervals_and_what_is_worn_are_held_in_one_order(db: psycopg.Connection[Any], database_url: str) -> None:
    """While one waits for the first series, it holds none that follows it, of whatever kind."""
    end = NOW + 9 * MINUTE
    worn = Row("ada", "watch", NOW, samples=(), intervals=(Interval(IntervalKind.worn, 0, end, 0.0),))
    steps = Row("bob", "watch", NOW, samples=(), intervals=(Interval(IntervalKind.interval, STEPS, end, 5.0),))
    moved = [Row(row.user_id, "watch", NOW + MINUTE, samples=(), intervals=row.intervals) for row in (worn, steps)]
    held = "SELECT s.kind FROM core.interval_series AS s ORDER BY s.kind FOR NO KEY UPDATE SKIP LOCKED"

    async def run() -> list[Any]:
        async with await connected(database_url) as connection, await connected(database_url) as other:
            key_cache = KeyCache()
            await stored(connection, key_cache, [worn, steps])
            async with other.transaction():
                await other.execute("SELECT FROM core.interval_series WHERE kind = 1 FOR NO KEY UPDATE")
                storing = asyncio.create_task(stored(connection, key_cache, moved))
                blocked = "SELECT cardinality(pg_blocking_pids(%s)) AS count"
                while not (await (await other.execute(blocked, [connection.info.backend_pid])).fetchone())["count"]:
                    await asyncio.sleep(0.01)
                free = await (await other.execute(held)).fetchall()
            assert await storing == [2]
            return [row["kind"] for row in free]

    assert asyncio.run(run()) == [0, 1]
