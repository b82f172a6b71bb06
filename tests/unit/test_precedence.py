"""Precedence: a tenant that uses much works in the gaps between the requests of others, and goes on all the same."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from service import precedence
from service.errors import Overloaded
from service.precedence import (
    BREATH_SECONDS,
    CROWD,
    CURRENT,
    GAP_SECONDS,
    LASTING_SECONDS,
    LONG_SECONDS,
    PATIENCE_SECONDS,
    Precedence,
    Visit,
    give_way,
    is_beside_others,
    note_use,
    pause,
    take_long,
)
from service.usage import HALF_LIFE, STEADY

PERCENT = 50
MOST = PERCENT / 100 * STEADY
MUCH = 0.9 * MOST


class Timeless(selectors.SelectSelector):
    """Waits for nothing: what would be waited for is added to `now`."""

    now = 1000.0

    def select(self, timeout: float | None = None) -> list[Any]:
        found = super().select(0)
        self.now += 0.0 if found else (timeout or 0.0)
        return found


Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Run on a loop whose clock goes when nothing is left to do."""
    clock = Timeless()
    loop = asyncio.SelectorEventLoop(clock)
    monkeypatch.setattr(loop, "time", lambda: clock.now)
    monkeypatch.setattr(precedence, "monotonic", lambda: clock.now)
    yield loop.run_until_complete
    loop.close()


def now() -> float:
    return asyncio.get_running_loop().time()


def beside(calm: float = 0.0) -> Precedence:
    """Return the precedence of a tenant that has used little over one that is held, and may use a little more."""
    made = Precedence(PERCENT)
    made.note("flood", MUCH)
    made.held.add("flood")
    made.note("calm", calm)
    return made


def test_alone_it_waits_for_nothing(run: Run) -> None:
    async def work() -> None:
        alone = Precedence(PERCENT)
        alone.note("flood", MUCH)
        began = now()
        for _ in range(100):
            visit = await alone.enter("flood")
            await alone.give_way(visit)
            alone.leave(visit)
        assert now() == began

    run(work())


def test_who_uses_little_waits_for_nothing(run: Run) -> None:
    """Even if it uses more than the others do."""

    async def work() -> None:
        made = Precedence(PERCENT)
        made.note("calm", MUCH)
        made.note("other", 0.0)
        other = await made.enter("other")
        began = now()
        for _ in range(100):
            made.leave(await made.enter("calm"))
        assert now() == began
        made.leave(other)

    run(work())


def test_its_work_begins_when_no_request_of_others_is_under_way(run: Run) -> None:
    async def work() -> None:
        made = beside()
        calm = await made.enter("calm")
        waiting = asyncio.create_task(made.enter("flood"))
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
            made.leave(await made.enter("flood"))

        await asyncio.gather(*(ask() for _ in range(11)))
        assert now() - began == pytest.approx(10 * BREATH_SECONDS)

    run(work())


def test_it_goes_on_however_many_requests_of_others_follow_each_other(run: Run) -> None:
    async def work() -> None:
        made = beside()
        done: list[float] = []

        async def flood() -> None:
            while True:
                made.leave(await made.enter("flood"))
                done.append(now())
                await asyncio.sleep(0.0001)  # or a flood that is not held would be all that the loop runs

        flooding = asyncio.create_task(flood())
        until = now() + 1
        while now() < until:
            calm = await made.enter("calm")
            await asyncio.sleep(0.005)
            made.leave(calm)
            made.note("flood", 0.002)
        flooding.cancel()
        assert 0.8 / GAP_SECONDS <= len(done) <= 1.2 / GAP_SECONDS

    run(work())


def test_of_a_crowd_of_requests_the_further_ones_wait(run: Run) -> None:
    """Of one that has used nothing, too, and as long as requests of others are under way, not for its own."""

    async def work() -> None:
        made = Precedence(PERCENT)
        calm = await made.enter("calm")
        crowd = [asyncio.create_task(made.enter("crowd")) for _ in range(CROWD + 2)]
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
        lasting = [await made.enter("clinic") for _ in range(CROWD)]
        await asyncio.sleep(LASTING_SECONDS)
        calm = await made.enter("calm")
        began = now()
        brief = [await made.enter("clinic") for _ in range(CROWD)]
        assert now() == began
        waiting = asyncio.create_task(made.enter("clinic"))
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
            await made.enter("crowd")
        assert now() == began

    run(work())


def test_it_waits_until_it_has_used_no_more_than_it_may(run: Run) -> None:
    async def work() -> None:
        made = beside()
        made.note("flood", 2 * MOST - MUCH)
        waiting = asyncio.create_task(made.enter("flood"))
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
            visit = await made.enter("flood")
            made.note("flood", 0.01)
            made.leave(visit)
            used += 0.01
        assert used == pytest.approx(10 * PERCENT / 100, rel=0.1)

    run(work())


def test_a_long_request_of_others_is_not_waited_for(run: Run) -> None:
    async def work() -> None:
        made = beside()
        await made.enter("calm")
        await asyncio.sleep(LONG_SECONDS)
        began = now()
        await made.enter("flood")
        assert now() == began

    run(work())


def test_what_is_under_way_goes_on_before_new_requests_begin(run: Run) -> None:
    order: list[str] = []

    async def begin(made: Precedence) -> None:
        visit = await made.enter("flood")
        order.append("new")
        made.leave(visit)

    async def go_on(made: Precedence) -> None:
        visit = Visit("flood", now())
        await made.give_way(visit)
        order.append("under way")
        made.leave(visit)

    async def work() -> None:
        made = beside()
        calm = await made.enter("calm")
        tasks = [asyncio.create_task(each(made)) for each in (begin, begin, go_on)]
        await asyncio.sleep(0)
        made.leave(calm)
        await asyncio.gather(*tasks)

    run(work())
    assert order == ["under way", "new", "new"]


def test_two_that_flood_take_turns(run: Run) -> None:
    order: list[str] = []

    async def enter(made: Precedence, party: str) -> None:
        visit = await made.enter(party)
        order.append(party)
        made.leave(visit)

    async def work() -> None:
        made = beside()
        made.note("flood too", MUCH + 0.01)
        made.held.add("flood too")
        calm = await made.enter("calm")
        parties = ("flood",) * 3 + ("flood too",) * 2
        tasks = [asyncio.create_task(enter(made, party)) for party in parties]
        await asyncio.sleep(0)
        made.leave(calm)
        await asyncio.gather(*tasks)

    run(work())
    assert order == ["flood", "flood too"] * 2 + ["flood"]


def test_who_waits_counts_as_using_more_than_others(run: Run) -> None:
    """Otherwise these would wait, too, as it uses less while it waits."""

    async def work() -> None:
        made = beside()
        made.note("idle", 0.0)
        calm = await made.enter("calm")
        waiting = asyncio.create_task(made.enter("flood"))
        await asyncio.sleep(0)
        made.note("flood", MOST)
        made.note("calm", 1.5 * MOST)
        assert made.usage.is_heavy("calm", now())
        assert not made.is_heavy("calm", now())
        assert made.is_heavy("flood", now())
        made.leave(calm)
        await waiting

    run(work())


def test_patience_ends(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precedence, "GAP_SECONDS", 2 * PATIENCE_SECONDS)
    monkeypatch.setattr(precedence, "LONG_SECONDS", 2 * PATIENCE_SECONDS)

    async def work() -> None:
        made = beside()
        await made.enter("calm")
        began = now()
        with pytest.raises(Overloaded, match="beside others"):
            await made.enter("flood")
        assert now() - began == pytest.approx(PATIENCE_SECONDS)

    run(work())


def test_who_gives_up_takes_no_turn(run: Run) -> None:
    async def work() -> None:
        made = beside()
        calm = await made.enter("calm")
        given_up, waiting = (asyncio.create_task(made.enter("flood")) for _ in range(2))
        await asyncio.sleep(0)
        given_up.cancel()
        made.leave(calm)
        await asyncio.sleep(1.5 * BREATH_SECONDS)
        assert waiting.done()
        assert not made.waiting

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


def test_outside_of_requests_of_a_tenant_all_goes_on(run: Run) -> None:
    async def work() -> None:
        made = beside()
        await made.enter("calm")
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
        CURRENT.set((made, await made.enter("clinic")))
        calm = await made.enter("calm")
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
        visit = await made.enter("flood")
        order.append("new")
        made.leave(visit)

    async def work() -> None:
        made = beside()
        calm = await made.enter("calm")
        tasks = [asyncio.create_task(each(made)) for each in (download, ask, ask)]
        await asyncio.sleep(0)
        made.leave(calm)
        await asyncio.gather(*tasks)

    run(work())
    assert order == ["page", "new", "new", "page", "page"]


def test_a_piece_begins_when_the_one_before_is_over(run: Run) -> None:
    """Or takes long, so that one that never ends stops nothing."""

    async def work() -> None:
        made = beside()
        first = await made.enter("flood")
        began = now()
        second = await made.enter("flood")
        assert now() - began == pytest.approx(GAP_SECONDS, abs=2 * BREATH_SECONDS)
        waiting = asyncio.create_task(made.enter("flood"))
        made.leave(first)
        await asyncio.sleep(5 * BREATH_SECONDS)
        assert not waiting.done()
        made.end_piece(second)
        await asyncio.sleep(2 * BREATH_SECONDS)
        assert waiting.done()

    run(work())


def test_who_is_crowded_by_one_that_waits_is_no_crowd(run: Run) -> None:
    async def work() -> None:
        made = beside()
        visits = [await made.enter("calm") for _ in range(CROWD)]
        waiting = asyncio.create_task(made.enter("flood"))
        await asyncio.sleep(0)
        began = now()
        visits.append(await made.enter("calm"))
        assert now() == began
        for visit in visits:
            made.leave(visit)
        await waiting

    run(work())


def test_what_waits_of_a_tenant_is_not_passed_by_what_does_not(run: Run) -> None:
    """Or it would wait for as long as its tenant uses all that it may by other requests."""

    async def work() -> None:
        made = Precedence(PERCENT)
        calm = await made.enter("calm")
        crowd = [await made.enter("flood") for _ in range(CROWD)]
        waiting = asyncio.create_task(made.enter("flood"))
        await asyncio.sleep(0)
        made.note("flood", MOST)
        for visit in crowd:
            made.leave(visit)
        assert made.is_heavy("flood", now())
        made.leave(calm)
        await waiting

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
