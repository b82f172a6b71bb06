"""Which process refreshes: of all processes on a database, the one whose session holds a claim there.

The claim ends with its session, and the server ends that within seconds of its process being gone, or at a standstill,
or out of reach. A process that is not elected needs no connection for it: it looks through the pool.

The elected process, for its part, gives a session up whose server stands still, or is the primary no longer: what
lasts longer than a statement may is waited for only as long as the primary has its session.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg_pool import PoolTimeout, TooManyRequests

from service.database.bounded import GRACE_SECONDS, TCP, BoundedConnection, connect, patient
from service.database.pool import Pool, statement
from service.settings import Settings

POOL_SECONDS = 3.0  # that a look waits for a connection of the pool
HOST_LENGTH = 32  # a name of a session has 63 bytes
CONNECT_SECONDS = 7.0  # that a look at a session may take to connect, to one of several hosts
UNANSWERED = 2  # looks, after which a session is given up


class Elected(NamedTuple):
    """The session of the elected process, and whether its database is the embedded one."""

    connection: BoundedConnection[DictRow]
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
async def session(settings: Settings) -> AsyncIterator[BoundedConnection[DictRow]]:
    """Open a session that the server ends soon after this process, and of which each exchange is bounded."""
    connection = await BoundedConnection[DictRow].connect(
        settings.session_url,
        autocommit=True,
        row_factory=dict_row,
        prepare_threshold=None,
        application_name=session_name(),
        options=f"-c timezone=UTC -c statement_timeout=0 -c lock_timeout={settings.lock_seconds}s",
        **TCP,
    )
    connection.patience = patience(settings)
    try:
        # A server that refuses one of them has others, and TCP's own defaults.
        with suppress(psycopg.errors.InvalidParameterValue, psycopg.errors.FeatureNotSupported):
            await connection.execute(statement("end_session_soon"))
        yield connection
    finally:
        await connection.close()


def patience(settings: Settings) -> float:
    """Return for how many seconds an exchange with the server may last."""
    return settings.statement_seconds + GRACE_SECONDS


@asynccontextmanager
async def working_for_long(
    settings: Settings, connection: BoundedConnection[DictRow], *, embedded: bool
) -> AsyncIterator[None]:
    """Wait within the block for as long as the primary has the session.

    The embedded database is a process of this machine, and answers no question while it works.
    """
    with patient(connection, None):
        if embedded:
            yield
            return
        watching = asyncio.create_task(watch(settings, connection))
        try:
            yield
        finally:
            watching.cancel()


async def watch(settings: Settings, connection: BoundedConnection[DictRow]) -> None:
    """Give a session up once the primary does not have it, or does not answer either, look after look."""
    unanswered = 0
    while unanswered < UNANSWERED:
        await asyncio.sleep(patience(settings))
        is_there = await has_session(settings, connection.info.backend_pid)
        if is_there is False:
            break
        unanswered = 0 if is_there else unanswered + 1
    connection.give_up()


async def has_session(settings: Settings, pid: int) -> bool | None:
    """Return whether the primary of this moment has a session of this process; None where it does not answer."""
    try:
        async with await connect(settings.session_url, CONNECT_SECONDS, patience(settings)) as other:
            cursor = await other.execute(statement("refresher_session"), {"pid": pid, "name": session_name()})
            row = await cursor.fetchone()
    except (psycopg.Error, OSError, TimeoutError):
        return None
    return row is not None and bool(row["is_there"])
