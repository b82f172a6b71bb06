"""The refresher's own decisions: when it refreshes again, and what it says of failures."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, cast

import psycopg
import pytest

from service.refresh.failure_log import Complaints
from service.refresh.refresher import FAILURE_SECONDS, refreshing, rest
from service.settings import Settings


@pytest.mark.parametrize(
    ("more", "embedded", "seconds"), [(False, False, 2.0), (False, True, 2.0), (True, False, 0.0), (True, True, 0.3)]
)
def test_it_goes_on_at_once_while_there_is_more(more: bool, embedded: bool, seconds: float) -> None:
    assert rest(2.0, 0.3, more, embedded) == seconds


def test_it_waits_after_a_failure() -> None:
    assert rest(60.0, None, True, False) == FAILURE_SECONDS


def test_switched_off_it_does_nothing() -> None:
    async def tasks() -> int:
        async with refreshing(Settings("postgresql://nowhere", refresh_seconds=None), cast(Any, None)):
            return len(asyncio.all_tasks())

    assert asyncio.run(tasks()) == 1


def test_each_kind_of_failure_is_said_once_until_it_goes_well(caplog: pytest.LogCaptureFixture) -> None:
    complaints = Complaints()
    away, full = psycopg.OperationalError("away\nmore"), psycopg.errors.DiskFull("full")
    with caplog.at_level(logging.WARNING, "hyperpulse"):
        for error in (away, full, away, full):
            complaints.say("it failed", error)
        complaints.forget()
        complaints.say("it failed", away)
    assert caplog.messages == ["it failed: away", "it failed: full", "it failed: away"]


def test_a_surprise_is_said_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    Complaints().say("it failed", KeyError("name"))
    assert caplog.records[0].exc_info is not None
