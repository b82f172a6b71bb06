"""The budget of restarts: what ends again and again is not started for ever."""

from __future__ import annotations

import time
from collections import deque

MOST_RESTARTS = 10
WITHIN_SECONDS = 10.0


class RestartBudget:
    """Allows at most MOST_RESTARTS restarts within WITHIN_SECONDS."""

    def __init__(self) -> None:
        self.times: deque[float] = deque(maxlen=MOST_RESTARTS)

    def spend(self) -> bool:
        """Return whether another restart is allowed now, and count it."""
        now = time.monotonic()
        if len(self.times) == MOST_RESTARTS and now - self.times[0] < WITHIN_SECONDS:
            return False
        self.times.append(now)
        return True
