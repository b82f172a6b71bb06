"""Batch readings into requests, mixed with duplicates and conflicting repeats."""

from __future__ import annotations

from random import Random

from scripts.simulate.ledger import Batch, Ledger
from scripts.simulate.physiology import HIGHEST
from scripts.simulate.reading import MICRO, Identity, Reading


def altered(reading: Reading, draw: Random, whole: bool) -> Reading:
    """Return a reading of the same identity with other values; unless `whole`, some metrics may be left out."""
    top = round(HIGHEST * MICRO)
    beats = (reading.heart_rate or 70 * MICRO) + draw.randint(1, 90) * MICRO // 10
    steps = (reading.steps or 0) + draw.randint(1, 30)
    calories = (reading.calories or 0) + draw.randint(1, 300) * MICRO // 100
    if whole:
        chosen = (reading.heart_rate is not None, reading.steps is not None, reading.calories is not None)
    else:
        picked = draw.randrange(1, 8)
        chosen = (bool(picked & 1), bool(picked & 2), bool(picked & 4))
    return Reading(
        reading.user,
        reading.device,
        reading.at,
        min(beats, top) if chosen[0] else None,
        steps if chosen[1] else None,
        calories if chosen[2] else None,
    )


class Packer:
    """Fills batches of a fixed size; repeats are due in proportion to the fresh readings."""

    def __init__(
        self, size: int, duplicates: float, conflicts: float, ledger: Ledger, draw: Random, *, whole: bool
    ) -> None:
        """`duplicates`, `conflicts`: repeats per fresh reading. `whole`: always write every metric."""
        self.size = size
        self.ledger = ledger
        self.draw = draw
        self.whole = whole
        self.shares = {"duplicate": duplicates, "conflict": conflicts}
        self.owed = dict.fromkeys(self.shares, 0.0)
        self.repeated = dict.fromkeys(self.shares, 0)
        self.pending: list[Reading] = []
        self.before: dict[Identity, Reading] = {}
        self.fresh = 0

    def add(self, reading: Reading) -> list[Batch]:
        """Add a fresh reading; return the batches that are full now."""
        self.pending.append(reading)
        self.fresh += 1
        for kind, share in self.shares.items():
            self.owed[kind] += share
        return self._full() + self.repay()

    def repay(self) -> list[Batch]:
        """Add the repeats that are due, as far as readings can be repeated; return the batches that are full now."""
        full: list[Batch] = []
        for kind in self.shares:
            while self.owed[kind] > 1 - 1e-9 and self._repeat(kind):
                self.owed[kind] -= 1
                full += self._full()
        return full

    def rest(self) -> list[Batch]:
        """Return the pending readings as a batch, full or not."""
        if not self.pending:
            return []
        batch = Batch(self.pending, self.before, self.fresh)
        self.pending, self.before, self.fresh = [], {}, 0
        return [batch]

    def _full(self) -> list[Batch]:
        return self.rest() if len(self.pending) >= self.size else []

    def _repeat(self, kind: str) -> bool:
        """Repeat a reading, sometimes of this batch, otherwise of the window; return whether there is one."""
        if self.pending and self.draw.random() < 0.5:
            first = self.draw.choice(self.pending)
        else:
            taken = self.ledger.take()
            if taken is None:
                return False
            self.before[taken.identity] = first = taken
        self.pending.append(first if kind == "duplicate" else altered(first, self.draw, self.whole))
        self.repeated[kind] += 1
        return True
