"""Which server is admitted: none on an earlier timeline than another one before."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from service.database.timeline import Outdated, Timeline


class Server:
    """A connection to a server on a timeline."""

    def __init__(self, timeline: int) -> None:
        self.timeline = timeline

    def cursor(self, **_: object) -> Server:
        return self

    async def __aenter__(self) -> Server:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def execute(self, _: str) -> None:
        pass

    async def fetchone(self) -> tuple[str]:
        return (f"{self.timeline:08X}",)


def admit(timelines: list[int]) -> list[int]:
    async def run() -> list[int]:
        known = Timeline()
        return [await known.admit(cast(Any, Server(timeline))) for timeline in timelines]

    return asyncio.run(run())


def test_the_same_and_a_later_timeline_are_admitted() -> None:
    assert admit([3, 3, 4, 4, 16]) == [3, 3, 4, 4, 16]


def test_an_earlier_timeline_is_refused() -> None:
    with pytest.raises(Outdated, match="timeline 3, and another one on 4"):
        admit([3, 4, 3])
