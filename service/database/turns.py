"""Turns of parties that wait for their share of what has room for so many."""

from __future__ import annotations

import asyncio
from collections import deque

from service.shares import Shares


class Turns:
    """Lets parties in as far as their shares go; where several wait, one request of each after the other."""

    def __init__(self, most: int) -> None:
        self.shares = Shares(most)
        self.waiting: dict[str | None, deque[asyncio.Future[None]]] = {}

    async def enter(self, party: str | None, seconds: float | None = None) -> None:
        """Wait for a turn, which lasts until `leave`; TimeoutError after so many seconds, if any."""
        if party not in self.waiting and self.shares.fits(party):
            self.shares.take(party)
            return
        turn = asyncio.get_running_loop().create_future()
        self.waiting.setdefault(party, deque()).append(turn)
        try:
            async with asyncio.timeout(seconds):
                await turn
        except BaseException:
            self.give_up(party, turn)
            raise

    def leave(self, party: str | None) -> None:
        """End a turn, and let in what has room now; a party that comes in stands behind the others then."""
        self.shares.give(party)
        for waiting in list(self.waiting):
            while waiting in self.waiting and self.shares.fits(waiting):
                line = self.waiting.pop(waiting)
                turn = line.popleft()
                if line:
                    self.waiting[waiting] = line
                if not turn.done():  # one that was cancelled is about to be taken back
                    self.shares.take(waiting)
                    turn.set_result(None)

    def give_up(self, party: str | None, turn: asyncio.Future[None]) -> None:
        """Take back a request that no longer waits; its turn may have come at this very moment."""
        line = self.waiting.get(party, deque())
        if turn.done() and not turn.cancelled():
            self.leave(party)
        elif turn in line:
            line.remove(turn)
            if not line:
                del self.waiting[party]
