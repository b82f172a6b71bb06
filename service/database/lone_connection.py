"""A connection by the side of the pools, which is never waited for without bound."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import dup

import psycopg
from psycopg.rows import dict_row

from service.database.pool import Connection


async def connect(url: str, seconds: float) -> Connection:
    """Connect within so many seconds, and two for each host; TimeoutError or an error of psycopg otherwise."""
    async with asyncio.timeout(seconds):
        return await psycopg.AsyncConnection.connect(
            url, autocommit=True, row_factory=dict_row, connect_timeout=2, prepare_threshold=None
        )


@contextmanager
def patient(connection: Connection, seconds: float) -> Iterator[None]:
    """Have what waits for the server within fail after so many seconds.

    To cancel it would take longer: a server that stands still does not hear of that either.
    """
    end = asyncio.get_running_loop().call_later(seconds, hang_up, connection)
    try:
        yield
    finally:
        end.cancel()


def hang_up(connection: Connection) -> None:
    """Have what waits for an answer on a connection fail at once."""
    with suppress(psycopg.Error, OSError), socket.socket(fileno=dup(connection.pgconn.socket)) as line:
        line.shutdown(socket.SHUT_RDWR)
