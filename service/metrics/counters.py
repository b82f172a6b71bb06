"""What a process has counted since it started: requests by route, and items by what became of them.

Plain dictionaries: everything here happens on one event loop, so that nothing needs a lock.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Container, Sequence
from typing import Final, NamedTuple

from service.errors import Fault
from service.metrics.rejections import Rejections

BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds


class RequestKey(NamedTuple):
    """What requests are counted by; the route is a template, empty where no route matched."""

    method: str
    route: str
    status: int


class Timing:
    """How long requests took until their answers began: how many fell under each bound, and all seconds together."""

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0

    def observe(self, seconds: float) -> None:
        """Count one request."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds

    def add(self, counts: Sequence[int], seconds: float) -> None:
        """Add the requests of another timing."""
        self.counts = [one + other for one, other in zip(self.counts, counts, strict=True)]
        self.seconds += seconds


class Counters:
    """The counts of one process, and the kinds of fault that it saw last."""

    def __init__(self) -> None:
        self.requests: defaultdict[RequestKey, Timing] = defaultdict(Timing)
        self.items: Counter[tuple[str, str]] = Counter()  # of ("readings" or "events", outcome)
        self.rejections = Rejections()

    def count_items(self, kind: str, **outcomes: int) -> None:
        """Count readings or events by what became of them."""
        for outcome, number in outcomes.items():
            self.items[kind, outcome] += number

    def count_rejected(self, kind: str, faults: Sequence[Fault], private: Container[str] = ()) -> None:
        """Count a reading or an event that is invalid, and what is wrong with it, but for the names `private`."""
        self.count_items(kind, rejected=1)
        self.rejections.note(faults, private)
