"""The rate at which readings are offered."""

from __future__ import annotations

import math
import time

SLACK_SECONDS = 1.0
"""Requests that were due longer ago are skipped: a window that begins late does not begin with a flood."""


class Pace:
    """Schedules requests at a rate; without a rate they are always due."""

    def __init__(self, rate: float | None) -> None:
        self.rate = rate
        self.due = time.perf_counter()

    def wait(self) -> float:
        """Return the seconds until the next request is due; 0 or less if it is."""
        return -math.inf if self.rate is None else self.due - time.perf_counter()

    def take(self, readings: int) -> float:
        """Begin a request of `readings` readings; return when it was due, on the performance counter."""
        now = time.perf_counter()
        if self.rate is None:
            return now
        due = max(self.due, now - SLACK_SECONDS)
        self.due = due + readings / self.rate
        return due
