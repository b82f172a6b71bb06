"""Which tenant is held back, by what it uses, and for how long."""

from __future__ import annotations

import asyncio

import pytest

from service import precedence
from service.precedence import (
    BREATH_SECONDS,
    Precedence,
)
from service.usage import HALF_LIFE
from tests.unit.precedence import MOST, MUCH, PERCENT, Run, beside, enter, now


def test_who_uses_little_waits_for_nothing(run: Run) -> None:
    """Even if it uses more than the others do."""

    async def work() -> None:
        made = Precedence(PERCENT)
        made.note("calm", MUCH)
        made.note("other", 0.0)
        other = await enter(made, "other")
        began = now()
        for _ in range(100):
            made.leave(await enter(made, "calm"))
        assert now() == began
        made.leave(other)

    run(work())


def test_it_waits_until_it_has_used_no_more_than_it_may(run: Run) -> None:
    async def work() -> None:
        made = beside()
        made.note("flood", 2 * MOST - MUCH)
        waiting = asyncio.create_task(enter(made, "flood"))
        until = now() + HALF_LIFE
        while now() < until - 0.1:
            made.note("calm", 0.0)
            await asyncio.sleep(0.01)
        assert not waiting.done()
        await asyncio.sleep(0.1 + 2 * BREATH_SECONDS)
        assert waiting.done()

    run(work())


def test_it_has_its_share_of_a_processor(run: Run) -> None:
    async def work() -> None:
        made = beside()
        used = 0.0
        until = now() + 10
        while now() < until:
            made.note("calm", 0.0)
            visit = await enter(made, "flood")
            made.note("flood", 0.01)
            made.leave(visit)
            used += 0.01
        assert used == pytest.approx(10 * PERCENT / 100, rel=0.1)

    run(work())


def test_who_waits_counts_as_using_more_than_others(run: Run) -> None:
    """Otherwise these would wait, too, as it uses less while it waits."""

    async def work() -> None:
        made = beside()
        made.note("idle", 0.0)
        calm = await enter(made, "calm")
        waiting = asyncio.create_task(enter(made, "flood"))
        await asyncio.sleep(0)
        made.note("flood", MOST)
        made.note("calm", 1.5 * MOST)
        assert made.usage.is_heavy("calm", now())
        assert not made.is_heavy("calm", now())
        assert made.is_heavy("flood", now())
        made.leave(calm)
        await waiting

    run(work())


def test_what_runs_is_measured_and_what_waits_is_not(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(precedence, "perf_counter", lambda: clock[0])

    async def request() -> None:
        clock[0] += 0.5
        await asyncio.sleep(0)
        clock[0] += 0.25

    async def fails() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            clock[0] += 1.0

    async def work() -> None:
        made = Precedence(PERCENT)
        await made.metered("flood", request())
        assert made.usage.of["flood"].amount == pytest.approx(0.75)
        task = asyncio.create_task(made.metered("calm", fails()))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        clock[0] += 7.0
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert made.usage.of["calm"].amount == pytest.approx(1.0)
        with pytest.raises(KeyError):
            await made.metered("calm", raises())

    async def raises() -> None:
        raise KeyError

    run(work())


def test_one_that_uses_what_others_use_honestly_is_not_held(run: Run) -> None:
    """Beside a flood within its limits, which uses less; and it is held no more when it uses half of what it may."""

    async def work() -> None:
        made = Precedence(PERCENT)
        made.note("flood", MOST / 10)
        made.note("calm", MUCH)
        assert made.usage.is_heavy("calm", now())
        assert not made.is_heavy("calm", now())
        made.note("calm", MOST)
        assert made.is_heavy("calm", now())
        await asyncio.sleep(HALF_LIFE * 0.9)
        made.note("flood", 0.0)
        assert made.is_heavy("calm", now())
        await asyncio.sleep(HALF_LIFE * 1.1)
        made.note("flood", 0.0)
        assert not made.is_heavy("calm", now())
        made.note("calm", MOST / 2)
        assert not made.is_heavy("calm", now())

    run(work())
