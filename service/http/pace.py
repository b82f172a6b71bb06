"""Whether the other side of a connection keeps up: by how much it moves, not by how rarely it moves nothing."""

from __future__ import annotations


class Pace:
    """Bytes a second that are expected, with a pause of `patience` seconds, taken at once or little by little.

    Someone slower uses the pause up, however often a byte moves; bytes beyond the rate restore it.
    """

    def __init__(self, rate: int, patience: float) -> None:
        self.rate = rate
        self.patience = patience
        self.left = patience
        """Seconds that may pass until something moves."""

    def move(self, size: int, seconds: float) -> None:
        """Count so many bytes that moved, after so many seconds."""
        self.left = min(self.patience, self.left - seconds + size / self.rate)

    @property
    def is_too_slow(self) -> bool:
        """Whether the pause is used up."""
        return self.left <= 0
