"""A tenant that takes what it gets leaves room to others: of downloads, live clients, connections to the database."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from psycopg_pool import PoolTimeout

from service.database.pool import FairPool, make_pool
from service.settings import Settings
from service.shares import PARTY
from tests.support.keys import add_key, bearer
from tests.support.live_clients import EVENTS, streaming
from tests.support.service_process import running_service
from tests.support.wire import reading, refused

LONG = 100_000  # readings, 11 MB of NDJSON: more than sockets buffer
EXPORT = "/v1/users/ada/export"


@contextmanager
def stalled(url: str, headers: dict[str, str]) -> Iterator[None]:
    """Ask for an export and take only the first bytes of the answer."""
    parts = urlsplit(url)
    lines = [
        f"GET {EXPORT} HTTP/1.1",
        f"Host: {parts.netloc}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.settimeout(30)
        line.connect((parts.hostname, parts.port))
        line.sendall("\r\n".join([*lines, "", ""]).encode())
        assert line.recv(12) == b"HTTP/1.1 200"
        yield


def test_a_tenant_leaves_downloads_and_live_clients_to_others(database_url: str, db: psycopg.Connection) -> None:
    clinic, lab = (bearer(add_key(db, ["read", "ingest"], tenant)) for tenant in ("clinic", "lab"))
    with running_service(database_url, AUTH="keys", MAX_STREAMS="2", MAX_LIVE_CLIENTS="2") as url:
        for headers in (clinic, lab):
            assert httpx.post(f"{url}/v1/readings", json=reading(), headers=headers).status_code == 200
        db.execute(
            "INSERT INTO core.reading (user_key, device_key, ts, steps) SELECT r.user_key, r.device_key, "
            "r.ts + n * INTERVAL '1 second', 1 FROM core.reading AS r, generate_series(1, %s) AS n "
            "WHERE r.user_key = api_internal.find_user('clinic', 'ada')",
            [LONG],
        )
        with stalled(url, clinic):
            refused(httpx.get(url + EXPORT, headers=clinic), 503)
            assert httpx.get(url + EXPORT, headers=lab).text.count("\n") == 2
        with streaming(url, headers=clinic):
            refused(httpx.get(f"{url}/v1/live", headers=EVENTS | clinic), 503)
            with streaming(url, headers=lab):
                pass


def test_a_tenant_leaves_connections_to_others(database_url: str) -> None:
    async def ask(pool: FairPool, party: str | None) -> None:
        PARTY.set(party)
        async with pool.connection(0.5) as connection:
            await connection.execute("SELECT 1")

    async def flood() -> None:
        PARTY.set("clinic")
        async with make_pool(Settings(database_url, pool_size=4)) as pool:
            async with pool.connection(), pool.connection():
                with pytest.raises(PoolTimeout, match="tenant"):
                    await asyncio.create_task(ask(pool, "clinic"))
                await asyncio.create_task(ask(pool, "lab"))
                await asyncio.create_task(ask(pool, None))
            await asyncio.create_task(ask(pool, "clinic"))
            assert not pool.turns.shares.held

    asyncio.run(flood())
