"""Keeps the rollups fresh and the database in order: the elected process calls api.refresh and api.upkeep.

Several at once would do no harm, so an election may be wrong for a moment; the database's own jobs do the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

import psycopg

from service.database.pool import Connection, Pool, statement
from service.refresh.election import Elected, somebody_is_elected, standing_for_election, working_for_long
from service.refresh.failure_log import Complaints, note_failure
from service.refresh.upkeep import Upkeep, stop
from service.settings import Settings

LOOK_SECONDS = 2.0  # between looks at whether a process is elected
SIGN_SECONDS = 2.0  # between signs of life of the elected session, see sql/queries/end_session_soon.sql
FAILURE_SECONDS = 5.0  # before a refresh that failed is tried again
BUDGET = "2 seconds"  # of one call of api.refresh
EMBEDDED_BUDGET = "200 ms"  # its one backend answers requests between two calls only


@asynccontextmanager
async def refreshing(settings: Settings, pool: Pool) -> AsyncIterator[None]:
    """Stand for election, and refresh while elected, until the block ends."""
    if settings.refresh_seconds is None:
        yield
        return
    task = asyncio.create_task(run(settings, pool, settings.refresh_seconds))
    try:
        yield
    finally:
        await stop(task)


async def run(settings: Settings, pool: Pool, every: float) -> None:
    """Refresh whenever no other process does; wait while the database is away."""
    complaints = Complaints()
    while True:
        try:
            if await somebody_is_elected(pool):
                complaints.forget()
            else:
                async with standing_for_election(settings) as elected:
                    if elected is not None:
                        await serve(settings, elected, every, complaints)
        except Exception as error:
            # No failure ends the refreshing of a process that keeps serving.
            complaints.say("refreshing is interrupted, and begins again", error)
        await asyncio.sleep(LOOK_SECONDS)


async def serve(settings: Settings, elected: Elected, every: float, complaints: Complaints) -> None:
    """Refresh, and keep the database in order beside it, until the session is lost."""
    upkeep = Upkeep(settings, elected)
    runs = -1
    try:
        while True:
            took = await refresh(settings, elected, complaints)
            row = await (await elected.connection.execute(statement("refresh_next"))).fetchone()
            assert row is not None
            if row["upkeep_due"]:
                upkeep.begin()
            # A call that did nothing leaves what is stale to others that hold it.
            more, runs = row["stale"] and row["runs"] != runs, row["runs"]
            await pause(elected.connection, rest(every, took, more, elected.embedded))
    finally:
        await upkeep.stop()


async def refresh(settings: Settings, elected: Elected, complaints: Complaints) -> float | None:
    """Refresh once; return how long that took in seconds, or None where it failed and the session is still usable."""
    budget = EMBEDDED_BUDGET if elected.embedded else BUDGET
    begun = monotonic()
    try:
        # It may take longer than its budget, to count many events.
        async with working_for_long(settings, elected.connection, embedded=elected.embedded):
            await elected.connection.execute(statement("refresh"), {"budget": budget})
    except psycopg.Error as error:
        if elected.connection.closed:
            raise
        complaints.say("the refresh failed and is tried again", error)
        await note_failure(elected.connection, "refresh", error)
        return None
    complaints.forget()
    return monotonic() - begun


def rest(every: float, took: float | None, more: bool, embedded: bool) -> float:
    """Return the seconds until the next call; with more to do, none, or as long as requests waited for this one."""
    if took is None:
        return FAILURE_SECONDS
    if not more:
        return every
    return took if embedded else 0.0


async def pause(connection: Connection, seconds: float) -> None:
    """Let time pass, with a sign of life every other second, without which the server ends the session."""
    until = monotonic() + seconds
    while (left := until - monotonic()) > 0:
        await asyncio.sleep(min(left, SIGN_SECONDS))
        if left > SIGN_SECONDS:
            await connection.execute("SELECT")
