"""Long work shares the event loop."""

from __future__ import annotations

import asyncio
import time

from service.event_loop import SLICE_SECONDS, FairGate, TimeSlice


def test_other_tasks_run_between_two_pieces_of_work() -> None:
    async def work() -> list[str]:
        gate, done = FairGate(), list[str]()

        async def piece(name: str) -> None:
            await gate.enter()
            done.append(name)

        async def others() -> None:
            while len(done) < 6:
                done.append("others")
                await asyncio.sleep(0)

        await asyncio.gather(piece("first"), piece("second"), piece("third"), others())
        return done

    done = asyncio.run(work())
    assert [name for name in done if name != "others"] == ["first", "second", "third"]
    assert "others" in done[done.index("first") : done.index("second")]
    assert "others" in done[done.index("second") : done.index("third")]


def test_a_slice_that_is_over_lets_other_tasks_run_and_counts_its_own_time_only() -> None:
    runs = 0

    async def others() -> None:
        nonlocal runs
        while True:
            runs += 1
            spin(SLICE_SECONDS)
            await asyncio.sleep(0)

    async def work() -> TimeSlice:
        task = asyncio.create_task(others())
        time_slice = TimeSlice()
        await time_slice.checkpoint()
        assert runs == 0, "it has just begun"
        for number in range(1, 4):
            spin(SLICE_SECONDS)
            await time_slice.checkpoint()
            assert runs == number
        task.cancel()
        return time_slice

    assert 0 < asyncio.run(work()).cpu_seconds < 5 * SLICE_SECONDS


def spin(seconds: float) -> None:
    """Keep the processor busy."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass
