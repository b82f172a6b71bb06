"""Sessions of the refresher with a server that stands still, or is the primary no longer: they are given up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any, cast

import psycopg
import pytest
from psycopg.rows import DictRow, dict_row

from service.database.bounded import BoundedConnection
from service.refresh import election, upkeep
from service.refresh.election import Elected, has_session, session, watch
from service.refresh.failure_log import Complaints
from service.refresh.refresher import refresh
from service.refresh.upkeep import Upkeep
from service.settings import Settings
from tests.support.standing_still import standing_still

LONG = 5.0  # seconds, within which everything here ends


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have patience for a moment only."""
    monkeypatch.setattr(election, "patience", lambda settings: 0.05)


def say(monkeypatch: pytest.MonkeyPatch, *answers: bool | None) -> Iterator[bool | None]:
    """Have looks at the primary answered so, in turn; returns the answers that are left."""
    left = iter(answers)

    async def look(settings: Settings, pid: int) -> bool | None:
        return next(left)

    monkeypatch.setattr(election, "has_session", look)
    return left


class Session:
    """A session that is given up or not."""

    def __init__(self) -> None:
        self.info = self
        self.backend_pid = 1
        self.given_up = False

    def give_up(self) -> None:
        self.given_up = True


@pytest.mark.parametrize(
    "answers",
    [
        (False,),  # another server is the primary
        (None, None),
        (True, True, None, True, None, None),
        (True, False),
    ],
)
def test_a_session_is_given_up_that_no_primary_has(
    monkeypatch: pytest.MonkeyPatch, answers: tuple[bool | None, ...]
) -> None:
    monkeypatch.setattr(election, "patience", lambda settings: 0.0)
    left = say(monkeypatch, *answers)

    async def run() -> bool:
        given = Session()
        async with asyncio.timeout(LONG):
            await watch(Settings("postgresql://nowhere"), cast(Any, given))
        return given.given_up

    assert asyncio.run(run())
    assert not list(left)


def test_a_primary_that_stands_still_does_not_answer() -> None:
    async def ask() -> bool | None:
        async with standing_still() as url, asyncio.timeout(LONG):
            return await has_session(Settings(url), 1)

    assert asyncio.run(ask()) is None


def test_a_session_does_not_begin_with_a_server_that_stands_still() -> None:
    async def begin() -> None:
        async with standing_still() as url, asyncio.timeout(LONG), session(Settings(url)):
            pass

    with pytest.raises(psycopg.OperationalError):
        asyncio.run(begin())


async def elected_by(url: str) -> Elected:
    """What is elected, by a server that stands still since."""
    connection = await BoundedConnection[DictRow].connect(url, autocommit=True, row_factory=dict_row)
    return Elected(connection, False)


def test_a_refresh_ends_where_its_server_is_the_primary_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    say(monkeypatch, False)

    async def run() -> None:
        async with standing_still() as url, asyncio.timeout(LONG):
            await refresh(Settings(url), await elected_by(url), Complaints())

    with pytest.raises(psycopg.OperationalError):
        asyncio.run(run())


def test_so_does_an_upkeep(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    say(monkeypatch, False)

    async def run() -> None:
        async with standing_still() as url:
            elected = await elected_by(url)
            monkeypatch.setattr(upkeep, "session", lambda settings: elected.connection)
            async with asyncio.timeout(LONG):
                await Upkeep(Settings(url), elected).run()

    with caplog.at_level(logging.WARNING, "hyperpulse"):
        asyncio.run(run())
    assert "the upkeep failed and is tried again" in caplog.text
