"""Precedence: a tenant that uses more of the processors than others do works in the gaps between their requests.

What a request waits for is work that was begun before it, of whichever tenant. So a heavy tenant's work, what it sends
beyond a few requests at once, and what takes long are let in piece by piece, one after the other: while no request of
the others is under way, or after a while all the same, so that they go on.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Generator
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import islice
from time import monotonic, perf_counter
from types import coroutine
from typing import Any

from service.errors import Overloaded
from service.usage import STEADY, Usage, lasting

BREATH_SECONDS = 0.001
"""Between two pieces of work, in which the loop hears of requests that have come."""
GAP_SECONDS = 0.02
"""After so long a piece is let in though the last one, or requests of others, are under way."""
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


@dataclass(slots=True, eq=False)
class Visit:
    """A request that is under way."""

    party: str
    began: float
    in_gaps: bool = False
    """Whether it began in a gap, so that each step of it waits for one while others ask, too."""
    is_long: bool = False
    """Whether each step waits, of which there may be many, so that new requests wait behind no more than one."""


class Precedence:
    """Who uses how much, whose requests are under way, and what waits for a gap between them."""

    def __init__(self, percent: int) -> None:
        """Let a tenant use `percent` of a processor before it is heavy, and no more then."""
        self.most = percent / 100 * STEADY
        self.usage = Usage()
        """Seconds of the event loop and of statements."""
        self.held: set[str] = set()
        """Heavy tenants: until they use half of what they may, or no more than an equal share."""
        self.begun: dict[str, dict[Visit, None]] = {}
        """The requests of tenants that are under way, the latest last, but those that began in a gap."""
        self.waiting: dict[str, deque[tuple[Visit, asyncio.Future[None]]]] = {}
        """By tenant, the one whose turn is next first."""
        self.at_work: Visit | None = None
        """Whose piece of work was let in last, if it is not over."""
        self.let_in_at = 0.0
        """When the last piece of work was let in, or the first that waits came."""

    def is_heavy(self, party: str, now: float) -> bool:
        """Return whether a tenant uses much, and more than its share, while others ask, too."""
        amount = self.usage.amount(party, now)
        if party not in self.held and (amount < self.most or self.uses_less_than_one_that_waits(party, now)):
            return False
        if amount > self.most / 2 and self.usage.is_heavy(party, now):
            self.held.add(party)
        else:
            self.held.discard(party)
        return party in self.held

    def uses_less_than_one_that_waits(self, party: str, now: float) -> bool:
        """Return whether another tenant waits that uses more, and would use more still if it did not wait."""
        amount = self.usage.amount(party, now)
        return any(other != party and self.usage.amount(other, now) >= amount for other in self.waiting)

    def is_crowd(self, party: str, now: float) -> bool:
        """Return whether a tenant sends many requests at once, while others ask, too, of whom none waits."""
        if party not in self.begun or not self.usage.has_others(party, now):
            return False
        if any(other != party for other in self.waiting):
            return False
        latest = list(islice(reversed(self.begun[party]), CROWD))
        return len(latest) == CROWD and now - latest[-1].began < LASTING_SECONDS

    def is_gap(self, party: str, now: float) -> bool:
        """Return whether no request of other tenants is under way that is worth waiting for."""
        return not any(
            other != party and now - next(reversed(begun)).began < LONG_SECONDS for other, begun in self.begun.items()
        )

    def may_use_more(self, party: str, now: float) -> bool:
        """Return whether a tenant has not used what it may."""
        return self.usage.amount(party, now) < self.most

    def come(self, party: str) -> Visit:
        """Return what a request leaves with. It has begun, or is to wait where it begins in a gap."""
        now = monotonic()
        self.usage.note(party, now)
        visit = Visit(party, now, in_gaps=self.is_heavy(party, now) or self.is_crowd(party, now))
        if not visit.in_gaps:
            self.begun.setdefault(party, {})[visit] = None
        return visit

    async def wait_to_begin(self, visit: Visit) -> None:
        """Wait until a request may begin in a gap; Overloaded after a while."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self.wait(visit, visit.began, is_new=True)
        except BaseException as error:
            self.end_piece(visit)
            if not isinstance(error, TimeoutError):
                raise
            raise Overloaded("The tenant sends more than there is room for beside others; try again.") from None

    async def give_way(self, visit: Visit) -> None:
        """Wait until a request that is under way may go on."""
        self.end_piece(visit)
        now = monotonic()
        if ((visit.in_gaps or visit.is_long) and self.usage.has_others(visit.party, now)) or self.is_heavy(
            visit.party, now
        ):
            await self.wait(visit, now, is_new=False)

    def leave(self, visit: Visit) -> None:
        """Note that a request has ended."""
        self.end_piece(visit)
        begun = self.begun.get(visit.party, {})
        if visit in begun:
            del begun[visit]
            if not begun:
                del self.begun[visit.party]

    def end_piece(self, visit: Visit) -> None:
        """Note that the piece of work of a request that was let in is over."""
        if self.at_work is visit:
            self.at_work = None

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

    async def wait(self, visit: Visit, now: float, *, is_new: bool) -> None:
        """Wait for a gap, behind all that waits of a tenant, or before it where an answer of some steps is begun."""
        party = visit.party
        is_breath = not self.waiting and now - self.let_in_at >= BREATH_SECONDS
        if is_breath and self.at_work is None and self.is_gap(party, now) and self.may_use_more(party, now):
            self.begin_piece(visit, now)
            return
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        if not self.waiting:
            self.let_in_at = now
            loop.call_later(BREATH_SECONDS, self.look)
        line = self.waiting.setdefault(party, deque())
        if is_new or visit.is_long:
            line.append((visit, turn))
        else:
            line.appendleft((visit, turn))
        await turn  # one that is cancelled is passed over

    def look(self) -> None:
        """Let one in if there is a gap, and look again soon while others wait."""
        now = monotonic()
        is_overdue = now - self.let_in_at >= GAP_SECONDS
        for party in self.waiting:
            is_next = is_overdue or (self.at_work is None and self.is_gap(party, now))
            if is_next and self.may_use_more(party, now):
                self.let_in(party, now)
                break
        if self.waiting:
            asyncio.get_running_loop().call_later(BREATH_SECONDS, self.look)

    def let_in(self, party: str, now: float) -> None:
        """Let in what is next of a tenant, which stands behind the others then."""
        line = self.waiting.pop(party)
        visit, turn = line.popleft()
        while turn.done() and line:
            visit, turn = line.popleft()
        if line:
            self.waiting[party] = line
        if not turn.done():
            self.begin_piece(visit, now)
            turn.set_result(None)

    def begin_piece(self, visit: Visit, now: float) -> None:
        """Note that a request works now that waited, or would have."""
        self.at_work = visit
        self.let_in_at = now


CURRENT: ContextVar[tuple[Precedence, Visit] | None] = ContextVar("precedence", default=None)


async def give_way() -> None:
    """Wait until the request at hand may go on, where its tenant or the request itself gives way to others."""
    if (current := CURRENT.get()) is not None:
        precedence, visit = current
        await precedence.give_way(visit)


def pause() -> None:
    """Note that the request at hand works no more for a while, but waits for something else than a gap."""
    if (current := CURRENT.get()) is not None:
        precedence, visit = current
        precedence.end_piece(visit)


def take_long() -> None:
    """Let each step of the request at hand wait for a gap from now on, while others ask, too."""
    if (current := CURRENT.get()) is not None:
        current[1].is_long = True


def is_beside_others() -> bool:
    """Return whether others than the tenant of the request at hand ask, too, so that long work is better divided."""
    if (current := CURRENT.get()) is None:
        return False
    precedence, visit = current
    return precedence.usage.has_others(visit.party, monotonic())


def note_use(seconds: float) -> None:
    """Note that the tenant of the request at hand has used a processor beside the loop, for so long until now."""
    if (current := CURRENT.get()) is not None:
        precedence, visit = current
        precedence.note(visit.party, lasting(seconds))
