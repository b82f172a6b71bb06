"""How many bytes of request bodies, and of long answers, the process holds at once: bounded, so that its memory is."""

from __future__ import annotations

from service.errors import Overloaded


class MemoryBudget:
    """Counts bytes in and out; `what` they are is said where there are too many."""

    def __init__(self, most: int, what: str) -> None:
        self.most = most
        self.what = what
        self.held = 0

    def take(self, size: int, most: int | None = None) -> None:
        """Hold so many more bytes; Overloaded at once where that is too much, unless nothing else is held."""
        if self.held and self.held + size > (self.most if most is None else most):
            raise Overloaded(f"{self.what} of {self.held} bytes are held already; try again in a second.")
        self.held += size

    def give(self, size: int) -> None:
        """Let go of bytes."""
        self.held -= size
