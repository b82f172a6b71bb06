"""Load shedding: while the write load is high, readings of users whom no client names are skipped.

| mode | event | next mode |
| --- | --- | --- |
| NORMAL | clients subscribe to everyone, and the load is high or was within CALM_SECONDS | SKIPPING |
| SKIPPING | the load has not been high for CALM_SECONDS, or no client subscribes to everyone any longer | NORMAL |

Clients that subscribe to everyone get a snapshot in place of the updates that were skipped, at intervals, since its
query may take long. So the writers pay nothing for each reading, and the latest values of these users are not known.
"""

from __future__ import annotations

import time
from enum import Enum, auto

from service.ingest.write_load import WriteLoad
from service.live import pacing

CALM_SECONDS = 5.0  # without a high load; afterwards each of these users is queried once, which may take long
MAX_SNAPSHOT_INTERVAL = 5.0  # seconds


class Mode(Enum):
    """What happens to readings of users whom no client names, while clients subscribe to everyone."""

    NORMAL = auto()
    """They are applied and delivered."""
    SKIPPING = auto()
    """They are counted."""


class LoadShedding:
    """The mode, how many readings were skipped since the last snapshot, and when the next snapshot is due."""

    def __init__(self, write_load: WriteLoad) -> None:
        self.write_load = write_load
        self.mode = Mode.NORMAL
        self.skipped = 0
        self.calm_at = 0.0
        self.snapshot_at = 0.0

    @property
    def is_skipping(self) -> bool:
        """Whether readings are skipped."""
        return self.mode is Mode.SKIPPING

    def update(self, has_subscribers: bool) -> bool:
        """Update the mode, for clients that subscribe to everyone if there are any; return whether skipping begins."""
        now, before = time.monotonic(), self.mode
        if self.write_load.is_high():
            self.calm_at = now + CALM_SECONDS
        if not has_subscribers:
            self.skipped = 0
        self.mode = Mode.SKIPPING if has_subscribers and now < self.calm_at else Mode.NORMAL
        return self.is_skipping and before is Mode.NORMAL

    def take_skipped(self) -> int:
        """Return how many readings were skipped, and count from zero."""
        skipped, self.skipped = self.skipped, 0
        return skipped

    def reset(self) -> None:
        """Count from zero, and let a snapshot be due at once."""
        self.skipped, self.snapshot_at = 0, 0.0

    def schedule_snapshot(self, took: float) -> None:
        """Let the next snapshot be due some time after one that took so many seconds."""
        interval = max(pacing.MAX_PAUSE_UNDER_LOAD, took / pacing.CPU_SHARE_UNDER_LOAD)
        self.snapshot_at = time.monotonic() + min(MAX_SNAPSHOT_INTERVAL, interval)
