"""The fair pool: how long a tenant waits for a connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from psycopg_pool import AsyncConnectionPool

from service.database.pool import make_pool
from service.settings import Settings
from service.shares import PARTY

PATIENCE, TURN = 10.0, 0.2  # seconds: until the wait ends, and until the turn comes


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """How long each request may wait for a connection once its turn has come; none connects."""
    seen: list[float | None] = []

    @asynccontextmanager
    async def connection(_: object, timeout: float | None = None) -> AsyncIterator[None]:
        seen.append(timeout)
        yield

    monkeypatch.setattr(AsyncConnectionPool, "connection", connection)
    return seen


@pytest.mark.parametrize("is_named", [True, False])
def test_the_wait_for_a_turn_counts_for_that_for_a_connection(waits: list[float | None], is_named: bool) -> None:
    async def ask() -> None:
        pool = make_pool(Settings("", pool_size=1))
        pool.timeout = PATIENCE
        PARTY.set("clinic")
        await pool.turns.enter("clinic")
        asyncio.get_running_loop().call_later(TURN, pool.turns.leave, "clinic")
        async with pool.connection(PATIENCE if is_named else None):
            pass
        assert not pool.turns.shares.held

    asyncio.run(ask())
    (left,) = waits
    assert left is not None
    assert 0 < left < PATIENCE - TURN / 2


def test_what_works_for_no_tenant_waits_for_a_connection_only(waits: list[float | None]) -> None:
    async def ask() -> None:
        async with make_pool(Settings("", pool_size=1)).connection(PATIENCE):
            pass

    asyncio.run(ask())
    assert waits == [PATIENCE]
