"""Many requests of one tenant at once."""

from __future__ import annotations

import asyncio

from service.precedence import (
    BREATH_SECONDS,
    CROWD,
    LASTING_SECONDS,
    Precedence,
)
from tests.unit.precedence import MOST, PERCENT, Run, beside, enter, now


def test_of_a_crowd_of_requests_the_further_ones_wait(run: Run) -> None:
    """Of one that has used nothing, too, and as long as requests of others are under way, not for its own."""

    async def work() -> None:
        made = Precedence(PERCENT)
        calm = await enter(made, "calm")
        crowd = [asyncio.create_task(enter(made, "crowd")) for _ in range(CROWD + 2)]
        await asyncio.sleep(2 * BREATH_SECONDS)
        assert [task.done() for task in crowd] == [True] * CROWD + [False] * 2
        made.leave(calm)
        await asyncio.sleep(2 * BREATH_SECONDS)
        assert crowd[CROWD].done()
        made.leave(await crowd[CROWD])
        await asyncio.sleep(2 * BREATH_SECONDS)
        assert crowd[CROWD + 1].done()

    run(work())


def test_what_lasts_is_no_crowd(run: Run) -> None:
    """As WebSockets do, and slow uploads: what else their tenant sends would wait for as long as they last."""

    async def work() -> None:
        made = Precedence(PERCENT)
        lasting = [await enter(made, "clinic") for _ in range(CROWD)]
        await asyncio.sleep(LASTING_SECONDS)
        calm = await enter(made, "calm")
        began = now()
        brief = [await enter(made, "clinic") for _ in range(CROWD)]
        assert now() == began
        waiting = asyncio.create_task(enter(made, "clinic"))
        await asyncio.sleep(2 * BREATH_SECONDS)
        assert not waiting.done()
        made.leave(calm)
        for ticket in (*lasting, *brief, await waiting):
            made.leave(ticket)
        assert not made.begun

    run(work())


def test_a_crowd_of_a_tenant_alone_waits_for_nothing(run: Run) -> None:
    async def work() -> None:
        made = Precedence(PERCENT)
        began = now()
        for _ in range(10 * CROWD):
            await enter(made, "crowd")
        assert now() == began

    run(work())


def test_who_is_crowded_by_one_that_waits_is_no_crowd(run: Run) -> None:
    async def work() -> None:
        made = beside()
        visits = [await enter(made, "calm") for _ in range(CROWD)]
        waiting = asyncio.create_task(enter(made, "flood"))
        await asyncio.sleep(0)
        began = now()
        visits.append(await enter(made, "calm"))
        assert now() == began
        for visit in visits:
            made.leave(visit)
        await waiting

    run(work())


def test_what_waits_of_a_tenant_is_not_passed_by_what_does_not(run: Run) -> None:
    """Or it would wait for as long as its tenant uses all that it may by other requests."""

    async def work() -> None:
        made = Precedence(PERCENT)
        calm = await enter(made, "calm")
        crowd = [await enter(made, "flood") for _ in range(CROWD)]
        waiting = asyncio.create_task(enter(made, "flood"))
        await asyncio.sleep(0)
        made.note("flood", MOST)
        for visit in crowd:
            made.leave(visit)
        assert made.is_heavy("flood", now())
        made.leave(calm)
        await waiting

    run(work())
