"""Administration: erasing a user, or a range of a user's readings, setting a device, and declaring a metric.

Any of these may take longer than a question is allowed to.
"""

from __future__ import annotations

from typing import Any

from psycopg.rows import DictRow

from service.database.bounded import GRACE_SECONDS, patient
from service.database.pool import Connection, Pool, committing, statement, with_connection
from service.database.replicas.written import note_tenant

LONGEST_SECONDS = 600  # it waits for a refresh, and years of readings take seconds each
LONGEST = f"SET LOCAL statement_timeout = '{LONGEST_SECONDS}s'"
KEY = "SELECT set_config('hyperpulse.key_id', %s, true)"


async def erase_user(pool: Pool, key_id: str | None, tenant_id: str, user_id: str) -> list[DictRow]:
    """Erase a user in one transaction; return a row for each place: its name, and how many rows were erased there."""
    return await act(pool, "erase_user", key_id, {"tenant_id": tenant_id, "user_id": user_id})


async def delete_readings(pool: Pool, key_id: str | None, which: dict[str, Any]) -> DictRow:
    """Delete readings in one transaction; return how many, and the timestamps of the first and the last."""
    (row,) = await act(pool, "delete_readings", key_id, which)
    return row


async def set_device(pool: Pool, key_id: str | None, which: dict[str, Any]) -> None:
    """Name a device and set its priorities, in one transaction."""
    await act(pool, "set_device", key_id, which)


async def set_metric(pool: Pool, key_id: str | None, which: dict[str, Any]) -> None:
    """Declare a metric of a tenant's own, or change it, in one transaction."""
    await act(pool, "set_metric", key_id, which)


async def act(pool: Pool, query_name: str, key_id: str | None, parameters: dict[str, Any]) -> list[DictRow]:
    """Run sql/queries/NAME.sql in a transaction for as long as it takes, and return its rows.

    The database notes in its audit which key it was for; None where there was none.
    """
    note_tenant(parameters["tenant_id"])

    async def run(connection: Connection) -> list[DictRow]:
        with committing(), patient(connection, LONGEST_SECONDS + GRACE_SECONDS):
            async with connection.transaction():
                await connection.execute(LONGEST.encode())
                await connection.execute(KEY, [key_id or ""])
                cursor = await connection.execute(statement(query_name), parameters)
                return await cursor.fetchall()

    return await with_connection(pool, run)
