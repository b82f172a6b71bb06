"""Rows of a COPY as exports read them: all of them, in order, some at a time, and errors as they are."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import psycopg
import pytest
from psycopg.rows import dict_row

from service.database.copy_out import SOME, copy_out
from service.database.pool import Connection

NUMBERS = b"COPY (SELECT n FROM generate_series(1, %(last)s) AS n) TO STDOUT"


async def connect(url: str) -> Connection:
    return await psycopg.AsyncConnection.connect(url, autocommit=True, row_factory=dict_row)


def test_rows_come_some_at_a_time(database_url: str) -> None:
    async def read() -> tuple[list[int], int, int]:
        waits = longest = 0
        numbers: list[int] = []
        async with await connect(database_url) as connection:
            wait = connection.wait

            def counted(*given: object, **named: object) -> object:
                nonlocal waits
                waits += 1
                return wait(*given, **named)  # type: ignore[arg-type]

            connection.wait = counted  # type: ignore[assignment, method-assign]
            async for rows in copy_out(connection, NUMBERS, {"last": 20 * SOME}):
                longest = max(longest, len(rows))
                numbers += map(int, rows)
        return numbers, waits, longest

    numbers, waits, longest = asyncio.run(read())
    assert numbers == list(range(1, 20 * SOME + 1))
    assert longest <= SOME
    assert waits < len(numbers) / 10


def test_a_copy_that_is_left_or_fails_leaves_its_connection_usable(database_url: str) -> None:
    async def read() -> None:
        async with await connect(database_url) as connection:
            async with aclosing(copy_out(connection, NUMBERS, {"last": 10_000_000})) as copied:
                async for rows in copied:
                    assert rows[0] == b"1\n"
                    break
            with pytest.raises(psycopg.errors.DivisionByZero):
                async for _ in copy_out(connection, b"COPY (SELECT 1 / %(last)s) TO STDOUT", {"last": 0}):
                    pass
            late = b"COPY (SELECT 1 / (1000 - n) FROM generate_series(1, %(last)s) AS n) TO STDOUT"
            with pytest.raises(psycopg.errors.DivisionByZero):
                async for _ in copy_out(connection, late, {"last": 2000}):
                    pass
            assert [rows async for rows in copy_out(connection, NUMBERS, {"last": 0})] == []
            row = await (await connection.execute("SELECT 1 AS one")).fetchone()
            assert row == {"one": 1}

    asyncio.run(read())
