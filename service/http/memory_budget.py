"""How many bytes of request bodies the process holds at once: bounded, so that its memory is."""

from __future__ import annotations

from service.errors import Overloaded


class BodyMemoryBudget:
    """Counts bytes in and out."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.held = 0

    def take(self, size: int, most: int | None = None) -> None:
        """Hold so many more bytes; Overloaded at once where that is too much, unless nothing else is held."""
        if self.held and self.held + size > (self.most if most is None else most):
            raise Overloaded(f"Bodies of {self.held} bytes are being read already; try again in a second.")
        self.held += size

    def give(self, size: int) -> None:
        """Let go of bytes."""
        self.held -= size
