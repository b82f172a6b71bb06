"""Shares of what has room for so much: a tenant that wants everything leaves some of it to others, before they ask."""

from __future__ import annotations

from contextvars import ContextVar

# The tenant that the request at hand is bound to; None where it is bound to none, and outside of requests.
PARTY: ContextVar[str | None] = ContextVar("party", default=None)


class Shares:
    """What has room for `most`: how much is held, and by whom.

    A party may take what brings it to no more than is free at that moment: alone to a half, and where two want
    everything, to a third each. So one that comes finds room. `most_of_one` is another bound in place of that. None is
    no party, and may hold everything.
    """

    def __init__(self, most: int, most_of_one: int | None = None) -> None:
        self.most = most
        self.most_of_one = most_of_one
        self.held = 0
        self.of: dict[str, int] = {}

    def fits(self, party: str | None, size: int = 1, most: int | None = None) -> bool:
        """Return whether a party may take so much more, of `most` if named; where nothing is held, any amount."""
        free = (self.most if most is None else most) - self.held
        if not self.held or size > free or party is None:
            return not self.held or size <= free
        return self.of.get(party, 0) + size <= (self.most_of_one if self.most_of_one and most is None else free)

    def take(self, party: str | None, size: int = 1) -> None:
        """Count in."""
        self.held += size
        if party is not None:
            self.of[party] = self.of.get(party, 0) + size

    def give(self, party: str | None, size: int = 1) -> None:
        """Count out."""
        self.held -= size
        if party is not None:
            left = self.of.get(party, 0) - size
            if left:
                self.of[party] = left
            else:
                self.of.pop(party, None)
