"""COPY FROM STDIN, and what stands before and after it, in as few exchanges with the database as there can be.

psycopg's own way asks for a turn of the event loop with each statement, and hands data over by a task of its own. While
many requests are read, each turn costs as long as a hundred readings take to store. Here the statements that stand
before a COPY go along with it, the data follows at once, and so do the statements that stand after it, without the
bookkeeping of a pipeline.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from psycopg import errors, generators
from psycopg.pq import ExecStatus
from psycopg.waiting import Ready, Wait

if TYPE_CHECKING:
    from psycopg.abc import PQGen
    from psycopg.pq.abc import PGconn, PGresult

    from service.database.pool import Connection

PIECE = 128 * 1024  # bytes: libpq slows down where it is given more at once


async def open_copy(connection: Connection, query: bytes) -> list[list[bytes | None]]:
    """Run statements of which the last is a COPY FROM STDIN, and return the first row of each that has one, as text."""
    results = await connection.wait(running(connection.pgconn, query, ExecStatus.COPY_IN))
    return [[row.get_value(0, column) for column in range(row.nfields)] for row in results if row.ntuples]


async def fill_copy(connection: Connection, data: bytes) -> None:
    """Hand everything to the COPY that is open, and end it; what the database refuses is raised."""
    await connection.wait(filling(connection.pgconn, data))


async def run_plainly(connection: Connection, query: bytes) -> None:
    """Run statements of which the last returns no rows; what the database refuses is raised."""
    await connection.wait(running(connection.pgconn, query, ExecStatus.COMMAND_OK))


async def break_off(connection: Connection, why: bytes) -> None:
    """Let the COPY that is open fail."""
    with suppress(errors.QueryCanceled):  # that is what it fails with
        await connection.wait(ending(connection.pgconn, why))


def running(pgconn: PGconn, query: bytes, last: ExecStatus) -> PQGen[Sequence[PGresult]]:
    """Send statements, and wait until the last one has come to what is expected of it."""
    pgconn.send_query(query)
    return accepted((yield from generators.execute(pgconn)), last)


def filling(pgconn: PGconn, data: bytes) -> PQGen[None]:
    """Send data, and end the COPY."""
    for start in range(0, len(data), PIECE):
        while pgconn.put_copy_data(data[start : start + PIECE]) == 0:
            yield Wait.W
        yield from flushing(pgconn)
    yield from ending(pgconn, None)


def ending(pgconn: PGconn, why: bytes | None) -> PQGen[None]:
    """End a COPY, well or because of something, and wait for what the database says."""
    while pgconn.put_copy_end(why) == 0:
        yield Wait.W
    yield from flushing(pgconn)
    accepted((yield from generators.fetch_many(pgconn)), ExecStatus.COMMAND_OK)


def flushing(pgconn: PGconn) -> PQGen[None]:
    """Wait until the kernel has everything."""
    while pgconn.flush():
        ready = yield Wait.RW
        if ready and ready & Ready.R:  # nothing is ready where the wait was cancelled
            pgconn.consume_input()


def accepted(results: Sequence[PGresult], last: ExecStatus) -> Sequence[PGresult]:
    """Return results of which the last is as expected; raise what the database says otherwise."""
    for result in results:
        if result.status == ExecStatus.FATAL_ERROR:
            raise errors.error_from_result(result)
    if not results or results[-1].status != last:
        raise errors.ProtocolViolation("the database answered with something else than was expected")
    return results
