"""Turns of parties that wait for their share of what has room for so many."""

from __future__ import annotations

import asyncio
from collections import deque
from time import monotonic

from service.shares import Shares
from service.usage import Usage

LONG_SECONDS = 1.0
"""A turn that has lasted so long does not keep out more of its party."""


class Turns:
    """Lets parties in as far as their shares go; where several wait, one request of each after the other.

    `most_of_heavy` is how many turns at once a party has that uses more than others do, while these come too: what is
    behind the turns, such as the processors of a database, has less room than there are turns. None is no bound. Where
    its turns are long, one more begins each second, so that a long question does not refuse all others of its party.
    """

    def __init__(self, most: int, most_of_heavy: int | None = None) -> None:
        self.shares = Shares(most)
        self.most_of_heavy = most_of_heavy
        self.usage = Usage()
        self.begun: dict[str, float] = {}
        """When the last turn of a party that has any began."""
        self.waiting: dict[str | None, deque[asyncio.Future[float]]] = {}

    def fits(self, party: str | None) -> bool:
        """Return whether a party may have one more turn now."""
        if not self.shares.fits(party):
            return False
        if self.most_of_heavy is None or party is None or self.shares.of.get(party, 0) < self.most_of_heavy:
            return True
        now = monotonic()
        return now - self.begun[party] >= LONG_SECONDS or not self.usage.is_heavy(party, now)

    async def enter(self, party: str | None, seconds: float | None = None) -> float:
        """Wait for a turn, which lasts until `leave`, and return when it began; TimeoutError after so many seconds."""
        now = monotonic()
        if party is not None:
            self.usage.note(party, now)
        if party not in self.waiting and self.fits(party):
            self.take(party, now)
            return now
        turn: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.waiting.setdefault(party, deque()).append(turn)
        if self.most_of_heavy is not None:
            asyncio.get_running_loop().call_later(LONG_SECONDS, self.let_in)
        try:
            async with asyncio.timeout(seconds):
                return await turn
        except BaseException:
            self.give_up(party, turn)
            raise

    def leave(self, party: str | None, began: float | None = None) -> None:
        """End a turn, and let in what has room now; a party that comes in stands behind the others then."""
        self.shares.give(party)
        if party is not None:
            now = monotonic()
            self.usage.note(party, now, 0.0 if began is None else now - began)
            if party not in self.shares.of:
                del self.begun[party]
        if self.waiting:
            self.let_in()

    def let_in(self) -> None:
        """Let in what has room now."""
        now = monotonic()
        for waiting in list(self.waiting):
            while waiting in self.waiting and self.fits(waiting):
                line = self.waiting.pop(waiting)
                turn = line.popleft()
                if line:
                    self.waiting[waiting] = line
                if not turn.done():  # one that was cancelled is about to be taken back
                    self.take(waiting, now)
                    turn.set_result(now)

    def take(self, party: str | None, now: float) -> None:
        """Begin a turn."""
        self.shares.take(party)
        if party is not None:
            self.begun[party] = now

    def give_up(self, party: str | None, turn: asyncio.Future[float]) -> None:
        """Take back a request that no longer waits; its turn may have come at this very moment."""
        line = self.waiting.get(party, deque())
        if turn.done() and not turn.cancelled():
            self.leave(party)
        elif turn in line:
            line.remove(turn)
            if not line:
                del self.waiting[party]
