"""The home database with two tenants, and clients that write to one of them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import httpx
import psycopg
import pytest

from tests.http.moves.filling import fill
from tests.http.moves.writers import Writer, wait_until
from tests.http.test_tenants import CLINIC, KEYS, LAB, ask
from tests.support.keys import add_key

NOWHERES = count()


@pytest.fixture
def home(
    db: psycopg.Connection, lake: psycopg.Connection, database_url: str, lake_url: str, monkeypatch: pytest.MonkeyPatch
) -> psycopg.Connection:
    """The home database, with keys of two tenants; commands find both databases in the environment."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("SHARD_DATABASE_URLS", f"lake={lake_url}")
    for tenant in (CLINIC, LAB):
        KEYS[tenant.name] = add_key(db, ["ingest", "read", "admin"], tenant=tenant.name)
    return db


@pytest.fixture
def filled(service: httpx.Client, home: psycopg.Connection) -> psycopg.Connection:
    """The home database with something of every kind, of two tenants under the same names, some of it rolled up."""
    have_the_map_read(service, home)
    for tenant in (LAB, CLINIC):
        fill(service, tenant)
        home.execute("SELECT api.set_goal(%s, '101', 'steps', 70000)", [tenant.name])
        home.execute("SELECT api.set_time_zone(%s, '101', 'Europe/Berlin')", [tenant.name])
    home.execute("CALL api.refresh()")
    days = [day for (day,) in home.execute("SELECT DISTINCT bucket FROM rollup.user_1d").fetchall()]
    home.execute("CALL api_internal.refresh_populations(%s)", [days])
    return home


def have_the_map_read(service: httpx.Client, home: psycopg.Connection) -> None:
    """Wait until the service knows that no tenant has moved in this test.

    It reads the map twice a second, and not while the map is emptied: then it answers 503 for a while.
    """
    nowhere = f"nowhere-{next(NOWHERES)}"
    home.execute("INSERT INTO core.tenant_shard (tenant_id, shard) VALUES ('clinic', %s)", [nowhere])
    wait_until(lambda: f"'{nowhere}'" in ask(service, CLINIC, ("GET", "/v1/users")).text)
    home.execute("DELETE FROM core.tenant_shard")
    wait_until(lambda: ask(service, CLINIC, ("GET", "/v1/users")).status_code == 200)


@pytest.fixture
def writers(service: httpx.Client, filled: psycopg.Connection) -> Iterator[list[Writer]]:
    """Three clients of the clinic that write until they are ended."""
    running = [Writer(str(service.base_url), f"writer-{number}") for number in range(3)]
    for writer in running:
        writer.start()
    try:
        yield running
    finally:
        for writer in running:
            writer.ended.set()
        for writer in running:
            writer.join()
