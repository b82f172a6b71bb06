"""Extrapolate the cost of refreshes that recompute whole ranges of time.

The cost of such a refresh is proportional to the stored readings of the range, not to those that arrived. A run of
minutes has a few minutes' arrivals; production has hours of them. So the sustainable rate, at which a cycle takes no
longer than allowed, follows from the measured cost of a stored reading.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from scripts.bench.sustained.refresher import Cycle


def per_reading(cycles: Sequence[Cycle]) -> float | None:
    """Return the seconds of a cycle for a stored reading: of the processor, or else elapsed."""
    worked = [cycle for cycle in cycles if cycle.readings]
    seconds = sum(cycle.seconds if cycle.cpu is None else cycle.cpu for cycle in worked)
    return seconds / sum(cycle.readings for cycle in worked) if worked else None


def sustainable_rate(cycles: Sequence[Cycle], span: timedelta, most: float) -> float | None:
    """Return the readings a second at which a cycle that recomputes `span` takes `most` seconds."""
    cost = per_reading(cycles)
    return most / (cost * span.total_seconds()) if cost else None
