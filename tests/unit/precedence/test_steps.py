"""Requests of many steps, each of which waits for a gap."""

from __future__ import annotations

import asyncio

import pytest

from service.precedence import (
    BREATH_SECONDS,
    CURRENT,
    Precedence,
    Visit,
    give_way,
    is_beside_others,
    note_use,
    pause,
    take_long,
)
from service.usage import STEADY
from tests.unit.precedence import MUCH, PERCENT, Run, beside, enter, now


def test_what_is_under_way_goes_on_before_new_requests_begin(run: Run) -> None:
    order: list[str] = []

    async def begin(made: Precedence) -> None:
        visit = await enter(made, "flood")
        order.append("new")
        made.leave(visit)

    async def go_on(made: Precedence) -> None:
        visit = Visit("flood", now())
        await made.give_way(visit)
        order.append("under way")
        made.leave(visit)

    async def work() -> None:
        made = beside()
        calm = await enter(made, "calm")
        tasks = [asyncio.create_task(each(made)) for each in (begin, begin, go_on)]
        await asyncio.sleep(0)
        made.leave(calm)
        await asyncio.gather(*tasks)

    run(work())
    assert order == ["under way", "new", "new"]


def test_outside_of_requests_of_a_tenant_all_goes_on(run: Run) -> None:
    async def work() -> None:
        made = beside()
        await enter(made, "calm")
        await give_way()
        pause()
        take_long()
        note_use(60)
        assert not is_beside_others()
        CURRENT.set((made, Visit("flood", now())))
        assert is_beside_others()
        note_use(60)
        assert made.usage.amount("flood", now()) == pytest.approx(MUCH + STEADY)
        waiting = asyncio.create_task(give_way())
        await asyncio.sleep(0)
        assert made.waiting
        await waiting

    run(work())


def test_what_takes_long_waits_at_each_step(run: Run) -> None:
    """Though its tenant uses little."""

    async def work() -> None:
        made = Precedence(PERCENT)
        CURRENT.set((made, await enter(made, "clinic")))
        calm = await enter(made, "calm")
        began = now()
        await give_way()
        take_long()
        assert now() == began
        waiting = asyncio.create_task(give_way())
        await asyncio.sleep(5 * BREATH_SECONDS)
        assert not waiting.done()
        made.leave(calm)
        await asyncio.sleep(2 * BREATH_SECONDS)
        assert waiting.done()

    run(work())


def test_new_requests_wait_behind_one_step_of_what_takes_long(run: Run) -> None:
    order: list[str] = []

    async def download(made: Precedence) -> None:
        CURRENT.set((made, Visit("flood", now())))
        take_long()
        for _ in range(3):
            await give_way()
            order.append("page")
            pause()

    async def ask(made: Precedence) -> None:
        visit = await enter(made, "flood")
        order.append("new")
        made.leave(visit)

    async def work() -> None:
        made = beside()
        calm = await enter(made, "calm")
        tasks = [asyncio.create_task(each(made)) for each in (download, ask, ask)]
        await asyncio.sleep(0)
        made.leave(calm)
        await asyncio.gather(*tasks)

    run(work())
    assert order == ["page", "new", "new", "page", "page"]
