"""Connections to a server that stands still: a stand-in that lets clients in, and says nothing more."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest

from service.database.bounded import BoundedConnection, names_several_hosts, patient

WELCOME = b"R" + struct.pack("!ii", 8, 0) + b"Z" + struct.pack("!ic", 5, b"I")


@asynccontextmanager
async def standing_still() -> AsyncIterator[str]:
    """Accept connections, and answer no statement."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(struct.unpack("!i", await reader.readexactly(4))[0] - 4)
        writer.write(WELCOME)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"postgresql://ada@127.0.0.1:{port}/postgres?sslmode=disable&gssencmode=disable"


def test_an_exchange_ends_when_patience_does() -> None:
    async def ask() -> None:
        async with standing_still() as url:
            connection = await BoundedConnection.connect(url, autocommit=True)
            connection.patience = 0.05
            async with asyncio.timeout(5):
                with pytest.raises(psycopg.OperationalError) as caught:
                    await connection.execute("SELECT 1")
            assert caught.value.sqlstate is None  # not what a server said, so a commit is in doubt
            assert connection.stood_still
            assert connection.closed

    asyncio.run(ask())


def test_more_patience_lasts_for_a_block() -> None:
    async def ask() -> None:
        async with standing_still() as url:
            connection = await BoundedConnection.connect(url, autocommit=True)
            connection.patience = 60
            with patient(connection, 0.05), pytest.raises(psycopg.OperationalError):
                await connection.execute("SELECT 1")
            assert connection.patience == 60

    asyncio.run(ask())


@pytest.mark.parametrize(
    ("url", "several"),
    [
        ("postgresql://ada@one:5432,two:5432/health", True),
        ("host=one,two dbname=health", True),
        ("postgresql://ada@one/health", False),
        ("postgresql:///health?hostaddr=10.0.0.1,10.0.0.2", True),
        ("", False),
    ],
)
def test_several_hosts_are_told_from_one(url: str, several: bool) -> None:
    assert names_several_hosts(url) is several
