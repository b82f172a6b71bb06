"""COPY TO STDOUT, some rows at a time.

psycopg's own way waits for each row by itself, which takes three times as much of the event loop.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import generators
from psycopg.pq import ExecStatus
from psycopg.waiting import Ready, Wait

from service.database.copy_in import accepted
from service.event_loop import checkpoint

if TYPE_CHECKING:
    from psycopg.abc import PQGen
    from psycopg.pq.abc import PGconn

    from service.database.pool import Connection

SOME = 500  # rows: less than a millisecond


async def copy_out(connection: Connection, query: bytes, parameters: dict[str, Any]) -> AsyncGenerator[list[bytes]]:
    """Run a COPY and yield its rows as they come, never none and never more than SOME; others run in between."""
    cursor = psycopg.AsyncClientCursor(connection)
    async with cursor.copy(query, parameters):  # which cancels it where this is left early
        is_over = False
        while not is_over:
            rows, is_over = await connection.wait(some(connection.pgconn))
            if rows:
                yield rows
            await checkpoint()


def some(pgconn: PGconn) -> PQGen[tuple[list[bytes], bool]]:
    """Return rows that are there, once there are any, and whether the COPY is over; raise what the database says."""
    rows: list[bytes] = []
    while len(rows) < SOME:
        length, row = pgconn.get_copy_data(1)
        if length > 0:
            rows.append(bytes(row))
        elif length < 0:
            accepted((yield from generators.fetch_many(pgconn)), ExecStatus.COMMAND_OK)
            return rows, True
        elif rows:
            break
        else:
            while not (yield Wait.R) & Ready.R:
                pass
            pgconn.consume_input()
    return rows, False
