"""A server that is the primary no longer: sessions with it are replaced, and the request succeeds on another."""

from __future__ import annotations

import asyncio
import logging

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from service.database import shard_map
from service.database.pool import Connection, FairPool, make_pool, with_connection
from service.database.shard_map import running_shard_map
from service.database.timeline import Timeline
from service.errors import Overloaded
from service.refresh.election import has_session, session
from service.settings import Settings

pytestmark = pytest.mark.native  # sessions of the embedded database share their settings

DEMOTE = "SET default_transaction_read_only = on"
LATE_SECONDS = 20.0


async def write(connection: Connection) -> int:
    """Do what a read-only session refuses; return the session."""
    await connection.execute("SELECT nextval('core.interval_version')")
    return connection.info.backend_pid


async def sessions(pool: FairPool, statement: str) -> set[int]:
    """Run a statement in both sessions of a pool at a time, and return them."""

    async def one() -> int:
        async with pool.connection() as connection:
            await both.wait()
            await connection.execute(statement.encode())
            return connection.info.backend_pid

    both = asyncio.Barrier(2)
    return set(await asyncio.gather(one(), one()))


def test_a_session_that_became_read_only_is_replaced_and_so_are_the_others(database_url: str) -> None:
    async def run() -> None:
        async with make_pool(Settings(database_url, pool_size=2)) as pool:
            before = await sessions(pool, DEMOTE)
            assert len(before) == 2
            assert await with_connection(pool, write) not in before
            assert not before & await sessions(pool, "SELECT 1")

    asyncio.run(run())


def test_a_later_timeline_replaces_all_sessions(database_url: str) -> None:
    # The same server twice, as far as libpq knows two.
    host = str(conninfo_to_dict(database_url)["host"])
    several = make_conninfo(database_url, host=f"{host},{host}")

    async def run() -> None:
        async with make_pool(Settings(several, pool_size=2)) as pool:
            before = await sessions(pool, "SELECT 1")
            assert pool.newest is not None
            pool.newest -= 1
            async with pool.connection() as connection:
                await connection.close()
            async with asyncio.timeout(LATE_SECONDS):  # until a new one has found out
                while before & await sessions(pool, "SELECT 1"):
                    await asyncio.sleep(0.01)

    asyncio.run(run())


def test_the_map_of_a_server_on_an_earlier_timeline_is_not_used(
    database_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One that stood still, and takes itself for the primary, does not know which tenants have moved since."""
    monkeypatch.setattr(shard_map, "POLL_SECONDS", 0.01)
    known = Timeline()
    known.note(0xFFFF)

    async def run() -> None:
        async with running_shard_map(database_url, known) as shards, asyncio.timeout(LATE_SECONDS):
            while "the map of tenants cannot be read: the server is on timeline" not in caplog.text:
                await asyncio.sleep(0.01)
            with pytest.raises(Overloaded):
                shards.shard_of("clinic")
            known.highest = None
            while shards.read_at < 0:
                await asyncio.sleep(0.01)
            assert shards.shard_of("clinic") == "home"

    with caplog.at_level(logging.WARNING, "hyperpulse"):
        asyncio.run(run())


def test_the_primary_has_the_session_of_a_refresher_while_it_works(database_url: str) -> None:
    settings = Settings(database_url)

    async def run() -> tuple[bool | None, bool | None]:
        async with session(settings) as own:
            pid = own.info.backend_pid
            working = asyncio.create_task(own.execute("SELECT pg_sleep(60)"))
            await asyncio.sleep(0)
            has = await has_session(settings, pid)
            working.cancel()
            await asyncio.wait({working})
            return has, await has_session(settings, pid + 1)

    assert asyncio.run(run()) == (True, False)
