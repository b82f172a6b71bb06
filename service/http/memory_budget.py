"""How many bytes of request bodies, and of long answers, the process holds at once: bounded, so that its memory is."""

from __future__ import annotations

from service.errors import Overloaded
from service.shares import PARTY, Shares


class MemoryBudget:
    """Counts bytes of the request at hand in and out; `what` they are is said where there are too many.

    A tenant has its share of them, or where that is named, at most `most_of_one`.
    """

    def __init__(self, most: int, what: str, most_of_one: int | None = None) -> None:
        self.most = most
        self.what = what
        self.shares = Shares(most, most_of_one)

    def take(self, size: int, most: int | None = None) -> None:
        """Hold so many more bytes; Overloaded at once where that is too much, of `most` if named."""
        if not self.shares.fits(PARTY.get(), size, most):
            raise Overloaded(f"{self.what} of {self.shares.held} bytes are held already; try again in a second.")
        self.shares.take(PARTY.get(), size)

    def give(self, size: int) -> None:
        """Let go of bytes."""
        self.shares.give(PARTY.get(), size)
