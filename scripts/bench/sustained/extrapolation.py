"""What refreshes of whole ranges of time come to, where more and more people's readings are in them.

A refresher that recomputes for everybody what one late upload touches costs what is there, not what came. A run of
minutes holds a few minutes' arrivals; in use there are those of hours, for ever. So the rate at which its cycle takes
no longer than it may follows from what it costs for a reading that is there, as measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from scripts.bench.sustained.refresher import Cycle


def per_reading(cycles: Sequence[Cycle]) -> float | None:
    """Return the seconds of a cycle for a reading that is there: of the processor, or else of the clock."""
    worked = [cycle for cycle in cycles if cycle.readings]
    seconds = sum(cycle.seconds if cycle.cpu is None else cycle.cpu for cycle in worked)
    return seconds / sum(cycle.readings for cycle in worked) if worked else None


def rate_for_ever(cycles: Sequence[Cycle], span: timedelta, most: float) -> float | None:
    """Return the readings a second at which a cycle takes `most` seconds, where those of `span` are recomputed."""
    cost = per_reading(cycles)
    return most / (cost * span.total_seconds()) if cost else None
