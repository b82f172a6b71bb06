"""Cooperation on the event loop: long work lets other tasks run.

Three ways, by what is known of the work:

- `checkpoint` between parts that each take some milliseconds;
- `TimeSlice` in a loop of many small steps: other tasks run whenever a few milliseconds have passed;
- `FairGate` before a piece of work that cannot be divided: one piece in each iteration of the loop.
"""

from __future__ import annotations

import asyncio
import time

SLICE_SECONDS = 0.005


async def checkpoint() -> None:
    """Let other tasks run."""
    await asyncio.sleep(0)


class TimeSlice:
    """A few milliseconds of work from now on, followed by another slice once other tasks have run."""

    def __init__(self) -> None:
        self.seconds_before = 0.0
        self.begin()

    def begin(self) -> None:
        """Begin a slice."""
        self.until = time.monotonic() + SLICE_SECONDS
        self.began = time.thread_time()

    @property
    def cpu_seconds(self) -> float:
        """Processor time of all slices so far, without that of other tasks between them."""
        return self.seconds_before + time.thread_time() - self.began

    async def checkpoint(self) -> None:
        """Let other tasks run if the slice is over."""
        if time.monotonic() >= self.until:
            self.seconds_before = self.cpu_seconds
            await checkpoint()
            self.begin()


class FairGate:
    """Admits one piece of work in each iteration of the event loop, in the order of arrival.

    So the loop reads the sockets of clients and of the database between two pieces, rather than after all that wait.
    """

    def __init__(self) -> None:
        self.lock = asyncio.Lock()

    async def enter(self) -> None:
        """Wait to be admitted; the next piece of work is admitted in the next iteration."""
        await self.lock.acquire()
        asyncio.get_running_loop().call_soon(self.lock.release)
