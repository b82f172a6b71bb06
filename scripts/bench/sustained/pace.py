"""How many readings a second are offered."""

from __future__ import annotations

import math
import time

SLACK_SECONDS = 1.0
"""What was due longer ago is not made up for: a window that begins late does not begin with a flood."""


class Pace:
    """Tells when the next request is due; without a rate it always is."""

    def __init__(self, rate: float | None) -> None:
        self.rate = rate
        self.due = time.perf_counter()

    def wait(self) -> float:
        """Return the seconds until the next request may begin, 0 or less when it may."""
        return -math.inf if self.rate is None else self.due - time.perf_counter()

    def take(self, readings: int) -> float:
        """Begin a request of so many readings; return when it was due, of the performance counter."""
        now = time.perf_counter()
        if self.rate is None:
            return now
        due = max(self.due, now - SLACK_SECONDS)
        self.due = due + readings / self.rate
        return due
