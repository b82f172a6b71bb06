"""The refresher's own decisions: when it refreshes again."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

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
