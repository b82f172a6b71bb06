"""Erasing a user, or a range of a user's readings, which may take longer than any question is allowed to."""

from __future__ import annotations

from typing import Any

from psycopg.rows import DictRow

from service.database.pool import Connection, Pool, committing, statement, with_connection

LONGEST = "SET LOCAL statement_timeout = '10min'"  # it waits for a refresh, and years of readings take seconds each


async def erase_user(pool: Pool, tenant_id: str, user_id: str) -> list[DictRow]:
    """Erase a user in one transaction; return a row for each place: its name, and how many rows were erased there."""
    return await patiently(pool, "erase_user", {"tenant_id": tenant_id, "user_id": user_id})


async def delete_readings(pool: Pool, which: dict[str, Any]) -> DictRow:
    """Delete readings in one transaction; return how many, and the timestamps of the first and the last."""
    (row,) = await patiently(pool, "delete_readings", which)
    return row


async def patiently(pool: Pool, query_name: str, parameters: dict[str, Any]) -> list[DictRow]:
    """Run sql/queries/NAME.sql in a transaction for as long as it takes, and return its rows."""

    async def run(connection: Connection) -> list[DictRow]:
        with committing():
            async with connection.transaction():
                await connection.execute(LONGEST)
                cursor = await connection.execute(statement(query_name), parameters)
                return await cursor.fetchall()

    return await with_connection(pool, run)
