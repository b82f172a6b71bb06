"""What has been sent, as it goes on and in the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from scripts.bench.sustained.pace import Pace
from scripts.bench.sustained.phones import Arrival


@dataclass
class Progress:
    """Counts of what was acknowledged."""

    readings: int = 0
    new: int = 0
    """Of them those that were not there before."""
    requests: int = 0
    days: int = 0
    """Days of users that these touched below the horizon."""
    busy: int = 0
    refusal: str = ""
    """The first answer that was neither success nor busy, "" where there is none."""
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
    """How a stretch of sending is to go."""

    pace: Pace
    seconds: float
    progress: Progress
    is_over: Callable[[], bool]
    """Whether it has to end early."""


Send = Callable[[Window], None]
"""Sends until the window is over, and returns when everything is answered."""
