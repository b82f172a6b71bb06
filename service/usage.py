"""How much parties have used of late, to tell those that use more than others do."""

from __future__ import annotations

import math
from dataclasses import dataclass

ABOUT_SECONDS = 1.0
"""Who came within so many seconds counts as one who comes too."""
HALF_LIFE = 1.0
"""Seconds after which half of what was used is forgotten."""
STEADY = HALF_LIFE / math.log(2)
"""What the use of 1 a second amounts to."""


def lasting(seconds: float) -> float:
    """Return what is not forgotten now of the use of 1 a second for so long."""
    return STEADY * (1 - math.exp2(-seconds / HALF_LIFE))


@dataclass(slots=True)
class Use:
    """How much a party has used, as of a moment."""

    amount: float
    at: float

    def now(self, now: float) -> float:
        """Return what is not forgotten now."""
        return self.amount * math.exp2((self.at - now) / HALF_LIFE)


class Usage:
    """What the parties that came within the last second have used, those that came last at the end."""

    def __init__(self) -> None:
        self.of: dict[str, Use] = {}

    def note(self, party: str, now: float, amount: float = 0.0) -> None:
        """Note that a party comes, or that it has used so much: seconds, or readings."""
        use = self.of.get(party)
        if use is None:
            use = self.of[party] = Use(0.0, now)
        use.amount, use.at = use.now(now) + amount, now
        if len(self.of) > 1:
            self.of[party] = self.of.pop(party)
            while (first := next(iter(self.of))) != party and self.of[first].at < now - ABOUT_SECONDS:
                del self.of[first]

    def amount(self, party: str, now: float) -> float:
        """Return how much a party has used of late."""
        return self.of[party].now(now) if party in self.of else 0.0

    def has_others(self, party: str, now: float) -> bool:
        """Return whether other parties come, too."""
        other = next((one for one in reversed(self.of) if one != party), None)
        return other is not None and self.of[other].at >= now - ABOUT_SECONDS

    def is_heavy(self, party: str, now: float) -> bool:
        """Return whether a party uses more than an equal share of what it and others use, if others come too."""
        uses = {one: use.now(now) for one, use in self.of.items() if one == party or use.at >= now - ABOUT_SECONDS}
        return len(uses) > 1 and uses.get(party, 0.0) * len(uses) > sum(uses.values())
