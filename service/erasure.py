"""Erasing a user, which may take longer than any question is allowed to."""

from __future__ import annotations

from psycopg.rows import DictRow

from service.database import Connection, Pool, committing, statement, with_connection

LONGEST = "SET LOCAL statement_timeout = '10min'"  # it waits for a refresh, and years of readings take seconds each


async def erase_user(pool: Pool, tenant_id: str, user_id: str) -> list[DictRow]:
    """Erase a user in one transaction; return a row for each place: its name, and how many rows were erased there."""

    async def erase(connection: Connection) -> list[DictRow]:
        with committing():
            async with connection.transaction():
                await connection.execute(LONGEST)
                cursor = await connection.execute(statement("erase_user"), {"tenant_id": tenant_id, "user_id": user_id})
                return await cursor.fetchall()

    return await with_connection(pool, erase)
