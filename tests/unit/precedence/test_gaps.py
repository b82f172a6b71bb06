"""When the work of a tenant that uses much begins, beside requests of others."""

from __future__ import annotations

import asyncio

import pytest

from service import precedence
from service.errors import Overloaded
from service.precedence import (
    BREATH_SECONDS,
    GAP_SECONDS,
    LONG_SECONDS,
    PATIENCE_SECONDS,
    Precedence,
)
from tests.unit.precedence import MUCH, PERCENT, Run, beside, enter, now


def test_alone_it_waits_for_nothing(run: Run) -> None:
    async def work() -> None:
        alone = Precedence(PERCENT)
        alone.note("flood", MUCH)
        began = now()
        for _ in range(100):
            visit = await enter(alone, "flood")
            await alone.give_way(visit)
            alone.leave(visit)
        assert now() == began

    run(work())


def test_its_work_begins_when_no_request_of_others_is_under_way(run: Run) -> None:
    async def work() -> None:
        made = beside()
        calm = await enter(made, "calm")
        waiting = asyncio.create_task(enter(made, "flood"))
        await asyncio.sleep(5 * BREATH_SECONDS)
        assert not waiting.done()
        made.leave(calm)
        await asyncio.sleep(2 * BREATH_SECONDS)
        assert (await waiting).in_gaps

    run(work())


def test_one_piece_begins_after_the_other(run: Run) -> None:
    """The loop hears of requests of others meanwhile."""

    async def work() -> None:
        made = beside()
        began = now()

        async def ask() -> None:
            made.leave(await enter(made, "flood"))

        await asyncio.gather(*(ask() for _ in range(11)))
        assert now() - began == pytest.approx(10 * BREATH_SECONDS)

    run(work())


def test_it_goes_on_however_many_requests_of_others_follow_each_other(run: Run) -> None:
    async def work() -> None:
        made = beside()
        done: list[float] = []

        async def flood() -> None:
            while True:
                made.leave(await enter(made, "flood"))
                done.append(now())
                await asyncio.sleep(0.0001)  # or a flood that is not held would be all that the loop runs

        flooding = asyncio.create_task(flood())
        until = now() + 1
        while now() < until:
            calm = await enter(made, "calm")
            await asyncio.sleep(0.005)
            made.leave(calm)
            made.note("flood", 0.002)
        flooding.cancel()
        assert 0.8 / GAP_SECONDS <= len(done) <= 1.2 / GAP_SECONDS

    run(work())


def test_a_long_request_of_others_is_not_waited_for(run: Run) -> None:
    async def work() -> None:
        made = beside()
        await enter(made, "calm")
        await asyncio.sleep(LONG_SECONDS)
        began = now()
        await enter(made, "flood")
        assert now() == began

    run(work())


def test_two_that_flood_take_turns(run: Run) -> None:
    order: list[str] = []

    async def pass_through(made: Precedence, party: str) -> None:
        visit = await enter(made, party)
        order.append(party)
        made.leave(visit)

    async def work() -> None:
        made = beside()
        made.note("flood too", MUCH + 0.01)
        made.held.add("flood too")
        calm = await enter(made, "calm")
        parties = ("flood",) * 3 + ("flood too",) * 2
        tasks = [asyncio.create_task(pass_through(made, party)) for party in parties]
        await asyncio.sleep(0)
        made.leave(calm)
        await asyncio.gather(*tasks)

    run(work())
    assert order == ["flood", "flood too"] * 2 + ["flood"]


def test_patience_ends(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precedence, "GAP_SECONDS", 2 * PATIENCE_SECONDS)
    monkeypatch.setattr(precedence, "LONG_SECONDS", 2 * PATIENCE_SECONDS)

    async def work() -> None:
        made = beside()
        await enter(made, "calm")
        began = now()
        with pytest.raises(Overloaded, match="beside others"):
            await enter(made, "flood")
        assert now() - began == pytest.approx(PATIENCE_SECONDS)

    run(work())


def test_who_gives_up_takes_no_turn(run: Run) -> None:
    async def work() -> None:
        made = beside()
        calm = await enter(made, "calm")
        given_up, waiting = (asyncio.create_task(enter(made, "flood")) for _ in range(2))
        await asyncio.sleep(0)
        given_up.cancel()
        made.leave(calm)
        await asyncio.sleep(1.5 * BREATH_SECONDS)
        assert waiting.done()
        assert not made.waiting

    run(work())


def test_a_piece_begins_when_the_one_before_is_over(run: Run) -> None:
    """Or takes long, so that one that never ends stops nothing."""

    async def work() -> None:
        made = beside()
        first = await enter(made, "flood")
        began = now()
        second = await enter(made, "flood")
        assert now() - began == pytest.approx(GAP_SECONDS, abs=2 * BREATH_SECONDS)
        waiting = asyncio.create_task(enter(made, "flood"))
        made.leave(first)
        await asyncio.sleep(5 * BREATH_SECONDS)
        assert not waiting.done()
        made.end_piece(second)
        await asyncio.sleep(2 * BREATH_SECONDS)
        assert waiting.done()

    run(work())
