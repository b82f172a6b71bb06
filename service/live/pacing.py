"""Pacing: how far apart broadcasts are.

The longer a broadcast takes, the more the next one gathers. Delivery takes a small share of a core, and a smaller one
under load, for it is taken from the writers.
"""

from __future__ import annotations

import asyncio
import time

from service.ingest.write_load import WriteLoad

MIN_PAUSE = 0.05  # seconds between two broadcasts
MAX_PAUSE = 0.15  # seconds: with what a broadcast takes, still under a quarter of a second
CPU_SHARE = 1 / 10  # of a core, for delivery
HIGH_LOAD = 1.0  # writes in flight, on average
MAX_PAUSE_UNDER_LOAD = 2.0  # seconds
CPU_SHARE_UNDER_LOAD = 1 / 80


def pause(took: float, cpu_seconds: float, load: float) -> float:
    """Return the seconds to wait after a broadcast.

    `took` are its seconds, `cpu_seconds` those of the processor for delivery, `load` the writes in flight on average.
    """
    share, longest = (CPU_SHARE_UNDER_LOAD, MAX_PAUSE_UNDER_LOAD) if load >= HIGH_LOAD else (CPU_SHARE, MAX_PAUSE)
    return max(MIN_PAUSE, min(longest, max(took / 2, cpu_seconds / share)))


def pause_of_queries(took: float, cpu_seconds: float) -> float:
    """Return the seconds to wait after a query and delivery for clients that ask for metrics; both may take long."""
    return min(MAX_PAUSE_UNDER_LOAD, max(took, cpu_seconds / CPU_SHARE))


class Pacer:
    """Measures a broadcast, and waits until the next one. The broadcast adds to `cpu_seconds`."""

    def __init__(self, write_load: WriteLoad) -> None:
        self.write_load = write_load
        self.begin()

    def begin(self) -> None:
        """Begin to measure."""
        self.began = time.monotonic()
        self.write_seconds = self.write_load.write_seconds()
        self.cpu_seconds = 0.0

    def load(self, now: float) -> float:
        """Return the writes in flight since the broadcast began, on average."""
        return (self.write_load.write_seconds() - self.write_seconds) / (now - self.began)

    async def wait(self) -> None:
        """Wait until it is time for the next broadcast."""
        ended = time.monotonic()
        while True:
            await asyncio.sleep(MIN_PAUSE)
            now = time.monotonic()
            if now - ended >= pause(ended - self.began, self.cpu_seconds, self.load(now)):
                return
