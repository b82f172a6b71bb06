"""The state of everyone says whether it is complete: whether there are no more users than it may name."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import psycopg
import pytest

from service.database.pool import make_pool
from service.http.tenancy import DEFAULT_TENANT
from service.live import snapshots
from service.settings import Settings

MOST = 3


def state(url: str) -> dict[str, Any]:
    """Ask for the state of everyone."""

    async def ask() -> dict[str, Any]:
        async with make_pool(Settings(url)) as pool:
            message = await snapshots.snapshot_of_everyone(pool, DEFAULT_TENANT)
            (text,) = message.texts
            return dict(json.loads(text))

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("people", "measured"), [(0, 0), (MOST, MOST), (MOST, 1), (MOST, 0), (MOST + 1, MOST + 1), (MOST + 1, 0)]
)
def test_a_state_is_complete_where_there_are_no_more_users_than_it_may_name(
    monkeypatch: pytest.MonkeyPatch, database_url: str, db: psycopg.Connection, people: int, measured: int
) -> None:
    monkeypatch.setattr(snapshots, "MAX_USERS", MOST)
    db.execute(
        "INSERT INTO api.readings (user_id, ts, steps)"
        " SELECT 'user_' || n, '2024-01-15 10:00Z', n FROM generate_series(1, %s) AS n",
        [people],
    )
    # Whoever is registered stays so.
    db.execute("DELETE FROM api.readings WHERE steps > %s", [measured])
    told = state(database_url)
    assert len(told["users"]) == min(measured, MOST)
    assert all(user["latest"]["steps"]["value"] for user in told["users"])
    assert told["complete"] is (people <= MOST)
