"""Answers through a replica equal brute force over what was sent up to a moment: that which the replica has come to.

A history is played on the primary while the replica stands still, and goes on, at random. What the service's router
reads for somebody who wrote nothing is exact as of the moment at which it stands; for a writer it has all that was
written.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Any, NamedTuple

import psycopg
import pytest

from scripts.bench.overload.standby import Standby, standby
from service.database.pool import fetch_all, fetch_one, make_pool
from service.database.replicas.positions import NOWHERE
from service.database.replicas.reads import BoundReads, Replicas, running_replicas
from service.settings import Settings
from tests.exactness.conftest import quiet
from tests.exactness.histories import Ask, Clock, Storyteller, Upkeep, today
from tests.exactness.player import play
from tests.support import sql_client
from tests.support.answers import Point, Summary
from tests.support.moments import DAY, auto_bucket, micros, moment
from tests.support.reference_model import Model
from tests.support.replicas import execute, needs_cluster, running_primary

pytestmark = needs_cluster
STEPS = 60
SEEDS = (3, 7)


class Pair(NamedTuple):
    primary: str
    replica: Standby


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("replica")
    with running_primary(folder) as primary, standby(primary, folder / "replica.log") as replica:
        yield Pair(primary.url, replica)


async def stand_still(replica: Standby) -> None:
    await asyncio.to_thread(execute, replica.url, "SELECT pg_wal_replay_pause()")
    state: list[tuple[object, ...]] = []
    while state != [("paused",)]:
        state = await asyncio.to_thread(execute, replica.url, "SELECT pg_get_wal_replay_pause_state()")


async def go_on(replicas: Replicas, replica: Standby) -> None:
    await asyncio.to_thread(execute, replica.url, "SELECT pg_wal_replay_resume()")
    assert await replicas.replicas[0].reach(await replicas.log.end(), 30)


async def summary(reads: BoundReads, ask: Ask) -> Summary:
    row = await fetch_one(
        reads,
        "summary",
        tenant_id=ask.tenant,
        user_id=ask.user,
        start=moment(ask.start),
        end=moment(ask.end),
        device_id=ask.device,
    )
    names = ("heart_rate_count", "heart_rate_avg", "heart_rate_min", "heart_rate_max", "steps", "calories")
    ends = (sql_client.maybe_micros(row[name]) for name in ("first", "last"))
    return Summary(*(row[name] for name in names), *ends)


async def series(reads: BoundReads, ask: Ask) -> list[Point]:
    rows = await fetch_all(
        reads,
        "series",
        tenant_id=ask.tenant,
        user_id=ask.user,
        start=moment(ask.start),
        end=moment(ask.end),
        bucket=bucket_of(ask),
        tz=ask.tz,
        device_id=ask.device,
        max_points=ask.max_points,
        fill=False,
        limit=1_000_000,
    )
    return [Point(micros(row["t"]), *list(row.values())[1:8]) for row in rows]


def whole(ask: Ask, story: Storyteller) -> Ask:
    """Return the question for all of the history of a user."""
    return replace(ask, start=story.middle - 5 * DAY, end=story.middle + 6 * DAY, device=None, bucket="1d")


def bucket_of(ask: Ask) -> str:
    return auto_bucket(ask.start, ask.end, ask.max_points) if ask.bucket == "auto" else ask.bucket


def expected(model: Model, ask: Ask) -> tuple[Summary, list[Point]]:
    question = (ask.tenant, ask.user, ask.start, ask.end)
    points = model.series(*question, bucket_of(ask), ask.tz, ask.device)
    return model.summary(*question, ask.device), points


async def answers(reads: BoundReads, ask: Ask) -> tuple[Summary, list[Point]]:
    return await summary(reads, ask), await series(reads, ask)


@pytest.mark.parametrize("seed", SEEDS)
def test_answers_are_exact_as_of_a_moment(pair: Pair, seed: int) -> None:
    async def main(db: psycopg.Connection[Any]) -> None:
        settings = Settings(pair.primary, read_database_url=(pair.replica.url,), replica_max_lag_seconds=600)
        random, story = Random(seed), Storyteller(seed, today())
        sql_client.place_horizon(db, story.horizon)
        model, then, asked = Model(), Model(), 0
        async with make_pool(settings) as pool, running_replicas(settings, pool) as replicas:
            assert replicas is not None
            while not replicas.is_usable(replicas.replicas[0]):
                await asyncio.sleep(0.02)
            name, stands_still = replicas.replicas[0].name, False
            for step in story.tell(STEPS):
                if isinstance(step, Upkeep | Clock):
                    continue
                if not isinstance(step, Ask):
                    assert await asyncio.to_thread(play, db, model, step) is None
                    continue
                if stands_still:
                    for ask in (step, whole(step, story)):
                        # Of who wrote nothing: by the replica, as of the moment at which it stands.
                        before = replicas.counts[name]
                        assert await answers(replicas.reads([("nobody",)], NOWHERE), ask) == expected(then, ask)
                        assert replicas.counts[name] == before + 2
                        # Of a writer: at or after what was written.
                        position = await replicas.log.end()
                        assert await answers(replicas.reads([("nobody",)], position), ask) == expected(model, ask)
                        asked += expected(then, ask) != expected(model, ask)
                if random.random() < 0.5:
                    await go_on(replicas, pair.replica)
                    position = await replicas.log.end()
                    before = replicas.counts[name]
                    assert await answers(replicas.reads([("nobody",)], position), step) == expected(model, step)
                    assert replicas.counts[name] == before + 2
                    await stand_still(pair.replica)
                    then, stands_still = copy.deepcopy(model), True
            await go_on(replicas, pair.replica)
        assert asked, "the replica was never behind in what was asked for"

    with psycopg.connect(pair.primary, autocommit=True, options="-c timezone=UTC") as db, quiet(db):
        asyncio.run(main(db))
