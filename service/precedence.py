"""Precedence: a tenant that uses more of the processors than others do works in the gaps between their requests.

What a request waits for is work that was begun before it, of whichever tenant. So a heavy tenant's work is let in piece
by piece: while no request of the others is under way, or after a while all the same, so that it goes on.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Generator
from contextvars import ContextVar
from itertools import count, islice
from time import monotonic, perf_counter
from types import coroutine
from typing import Any, TypeAlias

from service.errors import Overloaded
from service.shares import PARTY
from service.usage import STEADY, Usage, lasting

BREATH_SECONDS = 0.001
"""Between two pieces of work, in which the loop hears of requests that have come."""
GAP_SECONDS = 0.02
"""After so long a piece is let in though requests of others are under way."""
LONG_SECONDS = 0.1
"""A request of others that takes longer is not waited for."""
CROWD = 4
"""With so many requests under way, a tenant's further ones wait for gaps, too, whatever it uses."""
LASTING_SECONDS = 1.0
"""A request that takes longer is of no crowd: it waits for its client, as WebSockets and slow uploads do, or is known
by what it uses."""
NOTED_SECONDS = 0.005
"""What a request uses is noted by so much, and at its end."""
PATIENCE_SECONDS = 5.0
"""That a request waits before it begins."""


Ticket: TypeAlias = int
"""Of a request that began at once; a later one is greater."""
WAITED: Ticket = 0
"""Of one that waited for a gap."""


class Precedence:
    """Who uses how much, whose requests are under way, and what waits for a gap between them."""

    def __init__(self, percent: int) -> None:
        """Let a heavy tenant use `percent` of a processor; one that uses less than half of that is not heavy."""
        self.most = percent / 100 * STEADY
        self.usage = Usage()
        """Seconds of the event loop and of statements."""
        self.begun: dict[str, dict[Ticket, float]] = {}
        """When the requests of tenants began that are under way, the latest last, but those that waited for a gap."""
        self.tickets = count(WAITED + 1)
        self.waiting: dict[str, deque[asyncio.Future[None]]] = {}
        """By heavy tenant, the one whose turn is next first."""
        self.let_in_at = 0.0
        """When the last piece of work was let in, or the first that waits came."""

    def is_heavy(self, party: str, now: float) -> bool:
        """Return whether a tenant uses much, and more than its share, while others ask, too."""
        amount = self.usage.amount(party, now)
        if amount <= self.most / 2:
            return False
        if party in self.waiting:
            return True
        # Who waits would use more.
        waiting = max((self.usage.amount(other, now) for other in self.waiting), default=0.0)
        return amount > waiting and self.usage.is_heavy(party, now)

    def is_crowd(self, party: str, now: float) -> bool:
        """Return whether a tenant sends many requests at once, while others ask, too."""
        if party not in self.begun or len(self.usage.of) <= 1:
            return False
        latest = list(islice(reversed(self.begun[party].values()), CROWD))
        return len(latest) == CROWD and now - latest[-1] < LASTING_SECONDS

    def is_gap(self, party: str, now: float) -> bool:
        """Return whether no request of other tenants is under way that is worth waiting for."""
        return not any(
            other != party and now - next(reversed(begun.values())) < LONG_SECONDS
            for other, begun in self.begun.items()
        )

    def may_use_more(self, party: str, now: float) -> bool:
        """Return whether a tenant has not used what it may."""
        return self.usage.amount(party, now) < self.most

    async def give_way(self, party: str) -> None:
        """Wait until a request that is under way may go on."""
        now = monotonic()
        if self.is_heavy(party, now):
            await self.wait(party, now, is_new=False)

    async def enter(self, party: str) -> Ticket:
        """Wait until a request may begin, and return what it leaves with. Overloaded after a while."""
        now = monotonic()
        self.usage.note(party, now)
        if not self.is_heavy(party, now) and not self.is_crowd(party, now):
            ticket = next(self.tickets)
            self.begun.setdefault(party, {})[ticket] = now
            return ticket
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self.wait(party, now, is_new=True)
        except TimeoutError:
            raise Overloaded("The tenant sends more than there is room for beside others; try again.") from None
        return WAITED

    def leave(self, party: str, ticket: Ticket) -> None:
        """Note that a request has ended."""
        if ticket != WAITED:
            begun = self.begun[party]
            del begun[ticket]
            if not begun:
                del self.begun[party]

    @coroutine
    def metered(self, party: str, work: Awaitable[None]) -> Generator[Any, Any, None]:
        """Await some work, and note for how long it runs."""
        steps = work.__await__()
        step, given, seconds = steps.send, None, 0.0
        try:
            while True:
                began = perf_counter()
                try:
                    awaited = step(given)
                except StopIteration:
                    return
                finally:
                    seconds += perf_counter() - began
                if seconds > NOTED_SECONDS:
                    self.note(party, seconds)
                    seconds = 0.0
                try:
                    step, given = steps.send, (yield awaited)
                except GeneratorExit:
                    steps.close()
                    raise
                except BaseException as error:
                    step, given = steps.throw, error
        finally:
            self.note(party, seconds)

    def note(self, party: str, seconds: float) -> None:
        """Note what a tenant has used."""
        self.usage.note(party, monotonic(), seconds)

    async def wait(self, party: str, now: float, *, is_new: bool) -> None:
        """Wait for a gap, new requests of a tenant behind those that are under way."""
        is_breath = not self.waiting and now - self.let_in_at >= BREATH_SECONDS
        if is_breath and self.is_gap(party, now) and self.may_use_more(party, now):
            self.let_in_at = now
            return
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        if not self.waiting:
            self.let_in_at = now
            loop.call_later(BREATH_SECONDS, self.look)
        line = self.waiting.setdefault(party, deque())
        if is_new:
            line.append(turn)
        else:
            line.appendleft(turn)
        await turn  # one that is cancelled is passed over

    def look(self) -> None:
        """Let one in if there is a gap, and look again soon while others wait."""
        now = monotonic()
        is_overdue = now - self.let_in_at >= GAP_SECONDS
        for party in self.waiting:
            if self.may_use_more(party, now) and (is_overdue or self.is_gap(party, now)):
                self.let_in(party, now)
                break
        if self.waiting:
            asyncio.get_running_loop().call_later(BREATH_SECONDS, self.look)

    def let_in(self, party: str, now: float) -> None:
        """Let in what is next of a tenant, which stands behind the others then."""
        line = self.waiting.pop(party)
        turn = line.popleft()
        while turn.done() and line:
            turn = line.popleft()
        if line:
            self.waiting[party] = line
        if not turn.done():
            self.let_in_at = now
            turn.set_result(None)


CURRENT: ContextVar[Precedence | None] = ContextVar("precedence", default=None)


async def give_way() -> None:
    """Wait until the tenant of the request at hand may go on with it."""
    if (precedence := CURRENT.get()) is not None and (party := PARTY.get()) is not None:
        await precedence.give_way(party)


def is_held() -> bool:
    """Return whether the tenant of the request at hand works in gaps, so that what it does is better divided."""
    precedence, party = CURRENT.get(), PARTY.get()
    return precedence is not None and party is not None and precedence.is_heavy(party, monotonic())


def note_use(seconds: float) -> None:
    """Note that the tenant of the request at hand has used a processor beside the loop, for so long until now."""
    if (precedence := CURRENT.get()) is not None and (party := PARTY.get()) is not None:
        precedence.note(party, lasting(seconds))
