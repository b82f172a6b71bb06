"""Positions in the log: their order, their text, and how they are asked for."""

from __future__ import annotations

import asyncio

import pytest

from service.database.replicas.positions import (
    MOST_TIMELINES,
    NOWHERE,
    Position,
    PrimaryLog,
    parse_position,
    unpacked,
)
from service.errors import Invalid, Overloaded

ASCENDING = [NOWHERE, Position(1, 8), Position(1, 16), Position(1, 1 << 40), Position(2, 8), Position(3, 1 << 54)]


def test_packed_positions_compare_as_positions_do() -> None:
    packed = [position.packed() for position in ASCENDING]
    assert packed == sorted(packed)
    assert [unpacked(bits) for bits in packed] == ASCENDING
    assert max(packed) < 1 << 64


def test_what_does_not_fit_is_never_earlier() -> None:
    assert unpacked(Position(1, 9).packed()) == Position(1, 16)
    assert Position(MOST_TIMELINES + 7, 8).packed() < 1 << 64


@pytest.mark.parametrize("position", ASCENDING)
def test_an_answer_says_a_position_as_a_read_is_given_it(position: Position) -> None:
    assert parse_position(str(position)) == position


@pytest.mark.parametrize("text", ["", "1", "0/16B3748", "1/0/16B3748 ", "1/0/x", "1/0/123456789", "-1/0/0", "١/0/0"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_position(text)
    assert refused.value.faults[0]["at"] == "Hyperpulse-Position"


@pytest.mark.parametrize(
    ("position", "reached", "is_within"),
    [
        (Position(1, 80), Position(1, 80), True),
        (Position(1, 88), Position(1, 80), False),
        (Position(2, 80), Position(1, 800), False),  # of another history, whatever its bytes
        (Position(1, 88), Position(2, 80), False),  # on the way, or lost with the timeline
        (Position(1, 80), Position(2, 88), True),
    ],
)
def test_a_server_has_what_is_on_its_timeline(position: Position, reached: Position, is_within: bool) -> None:
    assert position.is_within(reached) is is_within


class Log(PrimaryLog):
    """One whose primary answers when it is released, by the number of the statement."""

    def __init__(self) -> None:
        super().__init__("postgresql://nowhere")
        self.begun = 0
        self.released = asyncio.Event()
        self.is_away = False

    async def ask(self) -> Position:
        self.begun += 1
        number = self.begun
        await self.released.wait()
        if self.is_away:
            raise OSError
        return Position(1, number)


def test_who_comes_while_a_statement_runs_waits_for_the_next_one() -> None:
    async def ask() -> list[int]:
        log = Log()
        first = asyncio.create_task(log.end())
        while not log.begun:
            await asyncio.sleep(0)
        # What these committed, the statement that runs may not have seen.
        later = [asyncio.create_task(log.end()) for _ in range(3)]
        await asyncio.sleep(0)
        log.released.set()
        return [position.lsn for position in await asyncio.gather(first, *later)]

    assert asyncio.run(ask()) == [1, 2, 2, 2]


def test_without_a_primary_there_is_no_position() -> None:
    async def ask() -> None:
        log = Log()
        log.is_away = True
        log.released.set()
        with pytest.raises(Overloaded):
            await log.end()
        log.is_away = False
        assert await log.end() == Position(1, 3)

    asyncio.run(ask())
