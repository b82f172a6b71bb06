"""Counts of what was sent, updated during a window."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from scripts.bench.sustained.pace import Pace
from scripts.bench.sustained.phones import Arrival


@dataclass
class Progress:
    """Counts of acknowledged requests."""

    readings: int = 0
    new: int = 0
    """Readings that were not stored before."""
    requests: int = 0
    days: int = 0
    """User-days below the horizon that the readings touch."""
    busy: int = 0
    refusal: str = ""
    """The first answer that was neither success nor busy, "" for none."""
    latencies: list[float] = field(default_factory=list)
    """Seconds, from when a request was due."""

    def take(self, arrival: Arrival, seconds: float) -> None:
        """Count a success."""
        upload = arrival.upload
        self.readings += upload.readings
        self.new += 0 if arrival.is_again else upload.readings
        self.days += upload.days
        self.requests += 1
        self.latencies.append(seconds)


class Window(NamedTuple):
    """A period of sending."""

    pace: Pace
    seconds: float
    progress: Progress
    is_over: Callable[[], bool]
    """Whether the window must end early."""


Send = Callable[[Window], None]
"""Sends until the window is over, and returns when all requests are answered."""
