"""Counts of a run, for the display and the exit status."""

from __future__ import annotations

import math
import time
from collections import Counter, deque

GROWTH = math.log(1.02)
"""Latencies are counted in steps of 2 %."""


class Latencies:
    """A histogram of seconds, of bounded size."""

    def __init__(self) -> None:
        self.counts: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        """Count one request."""
        self.counts[round(math.log(max(seconds, 1e-5)) / GROWTH)] += 1

    def quantile(self, share: float) -> float | None:
        """Return the quantile of the latencies in seconds."""
        left = share * self.counts.total()
        for step in sorted(self.counts):
            left -= self.counts[step]
            if left <= 0:
                return math.exp(step * GROWTH)
        return None


class Tally:
    """Counts of the requests and readings so far."""

    def __init__(self) -> None:
        self.start()
        self.sent = 0
        """Readings in requests that were sent, each request counted once."""
        self.accepted = 0
        self.fresh = 0
        """Accepted readings that were not repeats."""
        self.late = 0
        self.requests = 0
        self.retries: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
        """The description of the first error of each kind."""
        self.latencies = Latencies()

    def start(self) -> None:
        """Start the clock."""
        self.started = time.monotonic()
        self.recent: deque[tuple[float, int]] = deque([(self.started, 0)])

    def error(self, kind: str, words: str) -> None:
        """Count an error that a retry does not resolve."""
        self.errors[kind] += 1
        self.examples.setdefault(kind, words)

    def mean_rate(self) -> float:
        """Return accepted readings per second since the start."""
        return self.accepted / max(time.monotonic() - self.started, 1e-9)

    def rate_now(self, span: float = 5.0) -> float:
        """Return accepted readings per second over the last `span` seconds; call it regularly."""
        now = time.monotonic()
        self.recent.append((now, self.accepted))
        while len(self.recent) > 1 and self.recent[1][0] <= now - span:
            self.recent.popleft()
        then, accepted = self.recent[0]
        return (self.accepted - accepted) / (now - then) if now > then else 0.0
