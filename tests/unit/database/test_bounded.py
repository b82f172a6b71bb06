"""Connections to a server that stands still."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from service.database.bounded import BoundedConnection, names_several_hosts, patient
from tests.support.standing_still import standing_still


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
