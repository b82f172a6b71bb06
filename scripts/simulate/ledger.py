"""Which readings are open to be written again, and what has been acknowledged.

The order of two writes of one identity decides what the service holds, so only one of them is ever under way: a
reading is taken out of the window before it is sent again, and comes back when that is acknowledged. One whose
request may still be at work somewhere in the service, because an answer was lost, never comes back: a late
arrival of it must not undo a later write.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from scripts.simulate.model import Model
from scripts.simulate.reading import Identity, Reading, fold


class Batch(NamedTuple):
    """The readings of one request, in order, and the acknowledged state of those that were sent before."""

    readings: list[Reading]
    before: dict[Identity, Reading]
    fresh: int
    """How many are sent for the first time."""


class Ledger:
    """A bounded window of acknowledged readings; what leaves it settles in the model."""

    def __init__(self, model: Model, draw: Random, window: int) -> None:
        self.model = model
        self.draw = draw
        self.window = window
        self.open: list[Reading] = []
        self.uncertain: set[str] = set()
        """Users of whom a write was refused or has an unknown outcome."""

    def take(self) -> Reading | None:
        """Take out a reading that may be sent again; nobody else gets it meanwhile."""
        return self._pop() if self.open else None

    def acknowledge(self, batch: Batch, in_doubt: bool) -> None:
        """Take in that the service has committed a batch; `in_doubt` when an earlier attempt may still arrive."""
        state = dict(batch.before)
        for reading in batch.readings:
            state[reading.identity] = fold(state.get(reading.identity), reading)
        for reading in state.values():
            if in_doubt or not self.window:
                self.model.settle(reading)
            else:
                self._put(reading)

    def lose(self, batch: Batch) -> None:
        """Take in that a batch was refused, or that nobody knows what became of it."""
        self.uncertain.update(reading.user for reading in batch.readings)

    def close(self) -> None:
        """Settle what is open: nothing will be sent any more."""
        while self.open:
            self.model.settle(self.open.pop())

    def _pop(self) -> Reading:
        index = self.draw.randrange(len(self.open))
        self.open[index], self.open[-1] = self.open[-1], self.open[index]
        return self.open.pop()

    def _put(self, reading: Reading) -> None:
        self.open.append(reading)
        if len(self.open) > self.window:
            self.model.settle(self._pop())
