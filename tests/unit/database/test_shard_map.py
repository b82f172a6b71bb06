"""The map of tenants as a process knows it: for how long it is used, and what ends when a tenant moves."""

from __future__ import annotations

import asyncio
import time

import pytest

from service.database import shard_map
from service.database.shard_map import TRUSTED_SECONDS, ShardMap
from service.errors import Overloaded
from tests.support.standing_still import standing_still


def test_a_tenant_that_the_map_does_not_name_is_at_home() -> None:
    shards = ShardMap()
    shards.learn({"clinic": "eu"}, time.monotonic())
    assert [shards.shard_of(tenant) for tenant in ("clinic", "lab")] == ["eu", "home"]


def test_a_map_that_was_not_read_lately_says_nothing() -> None:
    shards = ShardMap()
    with pytest.raises(Overloaded):
        shards.shard_of("clinic")
    shards.learn({}, time.monotonic() - TRUSTED_SECONDS - 1)
    with pytest.raises(Overloaded):
        shards.shard_of("clinic")


async def wait_for_ever(shards: ShardMap, tenant_id: str) -> str:
    """What a request does that is ended: it says so."""
    task = asyncio.current_task()
    assert task is not None
    with shards.holding(tenant_id, task):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            assert task in shards.ended
            task.uncancel()
            return "ended"
    return "never"


def test_what_is_under_way_ends_where_its_tenant_moves_only() -> None:
    async def move() -> None:
        shards = ShardMap()
        shards.learn({"lab": "eu"}, time.monotonic())
        tasks = [asyncio.create_task(wait_for_ever(shards, tenant)) for tenant in ("clinic", "lab")]
        await asyncio.sleep(0)
        shards.learn({"lab": "eu"}, time.monotonic())
        await asyncio.sleep(0)
        assert not any(task.done() for task in tasks)
        shards.learn({"lab": "eu", "clinic": "eu"}, time.monotonic())
        assert await tasks[0] == "ended"
        assert not tasks[1].done()
        shards.learn({"clinic": "eu"}, time.monotonic())
        assert await tasks[1] == "ended"
        assert not shards.holders
        assert not shards.ended

    asyncio.run(move())


def test_a_server_that_stands_still_is_left_for_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which another host may be by then, so the connection is not waited for."""
    monkeypatch.setattr(shard_map, "TRUSTED_SECONDS", 0.05)
    monkeypatch.setattr(shard_map, "POLL_SECONDS", 0.0)

    async def read() -> None:
        sessions = asyncio.Semaphore(0)
        async with standing_still(sessions) as url:
            reading = asyncio.create_task(ShardMap().keep_reading(url))
            async with asyncio.timeout(4):
                await sessions.acquire()
                await sessions.acquire()
            reading.cancel()
            await asyncio.wait({reading})

    asyncio.run(read())
