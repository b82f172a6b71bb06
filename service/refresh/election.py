"""Which process refreshes: of all processes on a database, the one whose session holds a claim there.

The claim ends with its session, and the server ends that within seconds of its process being gone, or at a standstill,
or out of reach. A process that is not elected needs no connection for it: it looks through the pool.
"""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

import psycopg
from psycopg.rows import dict_row
from psycopg_pool import PoolTimeout, TooManyRequests

from service.database.bounded import TCP
from service.database.pool import Connection, Pool, statement
from service.settings import Settings

POOL_SECONDS = 3.0  # that a look waits for a connection of the pool
HOST_LENGTH = 32  # a name of a session has 63 bytes


class Elected(NamedTuple):
    """The session of the elected process, and whether its database is the embedded one."""

    connection: Connection
    embedded: bool


def session_name() -> str:
    """Name this process as the sessions of its refresher do."""
    return f"hyperpulse refresher {socket.gethostname()[:HOST_LENGTH]}:{os.getpid()}"


async def somebody_is_elected(pool: Pool) -> bool:
    """Look whether a process is elected; a pool that is too busy to say counts as no."""
    try:
        async with pool.connection(POOL_SECONDS) as connection:
            row = await (await connection.execute(statement("refresher_elected"))).fetchone()
    except (PoolTimeout, TooManyRequests):
        return False
    return row is not None and bool(row["elected"])


@asynccontextmanager
async def standing_for_election(settings: Settings) -> AsyncIterator[Elected | None]:
    """Open a session and try to be elected for as long as the block lasts; None where another process is."""
    async with session(settings) as connection:
        row = await (await connection.execute(statement("elect_refresher"))).fetchone()
        assert row is not None
        yield Elected(connection, row["embedded"]) if row["elected"] else None


@asynccontextmanager
async def session(settings: Settings) -> AsyncIterator[Connection]:
    """Open a session that may work for long, and that the server ends soon after this process."""
    connection = await psycopg.AsyncConnection.connect(
        settings.session_url,
        autocommit=True,
        row_factory=dict_row,
        prepare_threshold=None,
        application_name=session_name(),
        options=f"-c timezone=UTC -c statement_timeout=0 -c lock_timeout={settings.lock_seconds}s",
        **TCP,
    )
    try:
        # A server that refuses one of them has others, and TCP's own defaults.
        with suppress(psycopg.errors.InvalidParameterValue, psycopg.errors.FeatureNotSupported):
            await connection.execute(statement("end_session_soon"))
        yield connection
    finally:
        await connection.close()
