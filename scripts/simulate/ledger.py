"""The readings that may be written again, and those that are acknowledged.

The order of two writes of one identity decides which is stored, so only one of them is under way at a time: a reading
is taken out of the window before it is sent again, and returns when that is acknowledged. A reading whose request may
still be running in the service, because its answer was lost, does not return: it must not overwrite a later write.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from scripts.simulate.model import Model
from scripts.simulate.reading import Identity, Reading, fold


class Batch(NamedTuple):
    """The readings of one request, in order, and the acknowledged state of repeated ones."""

    readings: list[Reading]
    before: dict[Identity, Reading]
    fresh: int
    """Number of readings that are sent for the first time."""


class Ledger:
    """A bounded window of acknowledged readings; those that leave it settle in the model."""

    def __init__(self, model: Model, draw: Random, window: int) -> None:
        self.model = model
        self.draw = draw
        self.window = window
        self.open: list[Reading] = []
        self.uncertain: set[str] = set()
        """Users with a write that was refused or has an unknown outcome."""

    def take(self) -> Reading | None:
        """Take a reading that may be sent again out of the window."""
        return self._pop() if self.open else None

    def acknowledge(self, batch: Batch, in_doubt: bool) -> None:
        """Record that the service has committed a batch; `in_doubt` if an earlier attempt may still arrive."""
        state = dict(batch.before)
        for reading in batch.readings:
            state[reading.identity] = fold(state.get(reading.identity), reading)
        for reading in state.values():
            if in_doubt or not self.window:
                self.model.settle(reading)
            else:
                self._put(reading)

    def lose(self, batch: Batch) -> None:
        """Record that a batch was refused or that its outcome is unknown."""
        self.uncertain.update(reading.user for reading in batch.readings)

    def close(self) -> None:
        """Settle all open readings at the end of the run."""
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
