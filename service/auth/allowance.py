"""What keys with limits may still send: token buckets in the database, for all processes together.

A process admits requests by what a key had left half a second ago, less what the process admitted since. What several
processes admit beyond that is charged all the same, so that the limits hold over seconds; the database has the balance,
so that they hold across restarts.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final, Protocol, TypeVar

from starlette.types import Message, Receive, Scope

from service.auth.principal import Principal
from service.auth.shared_task import begin_for_all
from service.database.pool import Pool, fetch_all
from service.errors import Problem, RateLimited

CHARGE_SECONDS = 0.5
IDLE_SECONDS = 10.0
KINDS: Final = ("requests", "readings", "bytes")
ROWS = 1000  # of a stream, which cost as much as a request
ALLOWANCE = "hyperpulse.allowance"  # of an ASGI scope
TALLY = "hyperpulse.tally"


class Allowance:
    """What a key had left when it was last charged, and what this process admitted since.

    `rates` are its limits per second, by kind; a kind without a limit is missing.
    """

    def __init__(self, rates: Mapping[str, float]) -> None:
        self.rates = rates
        self.left: dict[str, float] = {}
        self.reading: asyncio.Task[None] | None = None  # of what is left, for the first time
        self.used: Counter[str] = Counter()
        self.used_at = time.monotonic()

    def admit(self) -> None:
        """Count a request; RateLimited where the key has sent what it may."""
        for kind, rate in self.rates.items():
            missing = self.used[kind] - self.left[kind]
            if missing >= 0:
                wait = max(1, math.ceil(missing / rate + CHARGE_SECONDS))
                raise RateLimited(f"The key has sent the {kind} that it may; try again in {wait} s.", retry_after=wait)
        self.used["requests"] += 1
        self.used_at = time.monotonic()

    def words(self) -> str:
        """Return the value of the header RateLimit: what is left of each limit."""
        left = {kind: max(0, math.floor(self.left[kind] - self.used[kind])) for kind in self.rates}
        return ", ".join(f'"{kind}";r={amount}' for kind, amount in left.items())

    def counted(self, receive: Receive) -> Receive:
        """Return a receive that counts the bytes of the body."""

        async def count() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                self.used["bytes"] += len(message.get("body", b""))
            return message

        return count


class Allowances:
    """The allowances of the keys with limits that are in use."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.of_key: dict[str, Allowance] = {}
        self.charging = asyncio.Lock()

    async def of(self, principal: Principal) -> Allowance:
        """Return the allowance of a key with limits; Overloaded where the database must be asked and is away."""
        assert principal.key_id is not None
        allowance = self.of_key.get(principal.key_id)
        if allowance is None or allowance.rates != principal.rates:
            allowance = self.of_key[principal.key_id] = Allowance(principal.rates)
        if not allowance.left:
            if allowance.reading is None or allowance.reading.done():
                allowance.reading = begin_for_all(self.charge())
            await asyncio.shield(allowance.reading)
        return allowance

    async def charge(self) -> None:
        """Charge the keys for what was used, and learn what they have left."""
        async with self.charging:
            now = time.monotonic()
            kept = {
                key: of for key, of in self.of_key.items() if any(of.used.values()) or now - of.used_at < IDLE_SECONDS
            }
            self.of_key = kept
            charged = {key_id: Counter(allowance.used) for key_id, allowance in kept.items()}
            if not charged:
                return
            amounts = {kind: [used[kind] for used in charged.values()] for kind in KINDS}
            for row in await fetch_all(self.pool, "charge_keys", key_ids=list(charged), **amounts):
                allowance = kept[row["key_id"]]
                allowance.used -= charged[row["key_id"]]
                allowance.left = {kind: row[kind] for kind in allowance.rates}

    async def charge_for_ever(self) -> None:
        """Charge twice a second."""
        while True:
            await asyncio.sleep(CHARGE_SECONDS)
            try:
                await self.charge()
            except Problem:
                continue  # the pool has logged it; what was used is charged later


class Received(Protocol):
    """What counts the readings or events of a request as they come."""

    received: int


Counting = TypeVar("Counting", bound=Received)


def charge_for(scope: Scope, count: int) -> None:
    """Charge the key of a request for so many readings or events."""
    allowance: Allowance | None = scope.get(ALLOWANCE)
    if allowance is not None:
        allowance.used["readings"] += count


def charge_rows(scope: Scope, count: int) -> None:
    """Charge the key of a request for so many rows of a stream: as for pages of JSON that would hold them."""
    allowance: Allowance | None = scope.get(ALLOWANCE)
    if allowance is not None:
        allowance.used["requests"] += count // ROWS


def charge_by(scope: Scope, tally: Counting) -> Counting:
    """Have the key of a request charged, at its end, for what `tally` has counted by then."""
    scope[TALLY] = tally
    return tally


@asynccontextmanager
async def running_allowances(pool: Pool) -> AsyncIterator[Allowances]:
    """Charge keys until the block ends, and once more then."""
    allowances = Allowances(pool)
    charging = asyncio.create_task(allowances.charge_for_ever())
    try:
        yield allowances
    finally:
        charging.cancel()
        await asyncio.wait({charging})
        with suppress(Problem):
            await allowances.charge()
