"""Work in slices: who has much to do at once lets all others have a turn after a few milliseconds of it."""

from __future__ import annotations

import asyncio
import time

SLICE_SECONDS = 0.005


class Slices:
    """What is being done, from now on. Ask `is_over` after each little bit, and give way where it is."""

    def __init__(self) -> None:
        self.before = 0.0
        self.begin()

    def begin(self) -> None:
        """Begin a slice."""
        self.until = time.monotonic() + SLICE_SECONDS
        self.began = time.thread_time()

    @property
    def spent(self) -> float:
        """Seconds of the processor so far, without what others did in their turns."""
        return self.before + time.thread_time() - self.began

    def is_over(self) -> bool:
        """Tell whether a slice has taken its time."""
        return time.monotonic() >= self.until

    async def give_way(self) -> None:
        """Let everybody else have a turn."""
        self.before = self.spent
        await asyncio.sleep(0)
        self.begin()
