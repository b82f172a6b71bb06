"""Turns: a party that floods waits for itself, and one that comes does not."""

from __future__ import annotations

import asyncio
import random

import pytest

from service.database.turns import Turns

PATIENCE = 60.0  # seconds


def test_one_that_comes_need_not_wait() -> None:
    async def flood() -> None:
        turns = Turns(8)
        waiting = [asyncio.create_task(turns.enter("flood", PATIENCE)) for _ in range(100)]
        await asyncio.sleep(0)
        assert turns.shares.of["flood"] == 4
        async with asyncio.timeout(0):
            await turns.enter("late", PATIENCE)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert not turns.waiting

    asyncio.run(flood())


def test_those_that_wait_come_in_by_turns() -> None:
    order: list[str] = []

    async def work(turns: Turns, party: str) -> None:
        await turns.enter(party, PATIENCE)
        order.append(party)
        await asyncio.sleep(0)
        turns.leave(party)

    async def all_at_once() -> None:
        turns = Turns(1)
        await asyncio.gather(*(work(turns, party) for party in ("a",) * 4 + ("b",) * 4 + ("c",)))
        assert not turns.waiting
        assert not turns.shares.held

    asyncio.run(all_at_once())
    assert "".join(order) == "aabcababb"


def test_patience_ends() -> None:
    async def wait() -> None:
        turns = Turns(1)
        await turns.enter("a", PATIENCE)
        with pytest.raises(TimeoutError):
            await turns.enter("a", 0.01)
        assert not turns.waiting
        turns.leave("a")
        assert not turns.shares.held

    asyncio.run(wait())


@pytest.mark.parametrize("seed", range(20))
def test_no_turn_is_lost(seed: int) -> None:
    """Requests that are given up, before or while they come in, take no room, and keep none from others."""
    chance = random.Random(seed)

    async def work(turns: Turns, party: str, pause: int) -> None:
        await turns.enter(party, PATIENCE)
        try:
            for _ in range(pause):
                await asyncio.sleep(0)
        finally:
            turns.leave(party)

    async def many() -> None:
        turns = Turns(3)
        tasks = []
        for _ in range(200):
            tasks.append(asyncio.create_task(work(turns, chance.choice("abc"), chance.randrange(3))))
            if chance.random() < 0.5:
                chance.choice(tasks).cancel()
            if chance.random() < 0.5:
                await asyncio.sleep(0)
        async with asyncio.timeout(10):
            await asyncio.gather(*tasks, return_exceptions=True)
        assert not turns.waiting
        assert not turns.shares.held

    asyncio.run(many())


def test_who_uses_more_than_others_has_fewer_turns_while_they_come() -> None:
    """Alone it has half; beside another one that uses less, one; and half again once that one stays away."""

    async def work(turns: Turns, party: str, counts: list[int]) -> None:
        began = await turns.enter(party)
        counts.append(turns.shares.of[party])
        await asyncio.sleep(0.01)
        turns.leave(party, began)

    async def run() -> None:
        turns = Turns(8, 1)
        alone: list[int] = []
        await asyncio.gather(*(work(turns, "flood", alone) for _ in range(20)))
        assert max(alone) == 4
        beside: list[int] = []
        calm: list[int] = []
        await asyncio.gather(work(turns, "calm", calm), *(work(turns, "flood", beside) for _ in range(10)))
        assert max(beside[1:]) == 1
        await asyncio.gather(*(work(turns, "calm", calm) for _ in range(3)))
        assert max(calm) == 3
        turns.usage.of["calm"].at -= 2
        again: list[int] = []
        await asyncio.gather(*(work(turns, "flood", again) for _ in range(20)))
        assert max(again) == 4

    asyncio.run(run())


def test_long_turns_do_not_keep_out_their_party(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.database.turns.LONG_SECONDS", 0.05)

    async def run() -> None:
        turns = Turns(8, 1)
        began = await turns.enter("flood")
        turns.usage.note("flood", began, 1.0)
        turns.usage.note("calm", began)
        with pytest.raises(TimeoutError):
            await turns.enter("flood", 0.02)
        await turns.enter("flood", 1)
        assert turns.shares.of["flood"] == 2
        assert asyncio.get_running_loop().time() - began > 0.04

    asyncio.run(run())
