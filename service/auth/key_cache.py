"""Keys as this process knows them: read from the database when first presented, and again every two seconds.

A key that is revoked or has expired is refused within five seconds, and what is open with it ends within that time.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections import OrderedDict, defaultdict
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from service.auth.key import Presented
from service.auth.principal import Principal
from service.database.pool import Pool, fetch_one
from service.errors import Failed, Overloaded, Problem

TRUSTED_SECONDS = 5.0
POLL_SECONDS = 2.0
IDLE_SECONDS = 60.0  # after which a key that is not presented is forgotten
MOST_UNKNOWN = 1_000  # ids that are remembered as no key
MOST_WANTED = 1_000  # ids that wait to be read
NO_KEY = ""  # an id that asks only whether there are keys
NO_DIGEST = bytes(32)


@dataclass(slots=True)
class Entry:
    """A key in force: the digest of its secret and its principal, and when it was read and presented."""

    digest: bytes
    principal: Principal
    read_at: float
    used_at: float


class KeyCache:
    """Answers whose key one is, and ends what is done with a key that is no longer in force. Times are monotonic."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.any_key = False
        self.any_key_read_at = -float("inf")
        self.entries: dict[str, Entry] = {}
        self.unknown: OrderedDict[str, float] = OrderedDict()
        self.wanted: set[str] = set()
        self.reading: asyncio.Task[None] | None = None
        self.holders: defaultdict[str, set[asyncio.Task[Any]]] = defaultdict(set)
        self.ended: set[asyncio.Task[Any]] = set()

    def is_known(self, key_id: str) -> bool:
        """Return whether an id can be answered without the database."""
        now = time.monotonic()
        entry = self.entries.get(key_id)
        read_at = self.unknown.get(key_id, -float("inf")) if entry is None else entry.read_at
        return now - read_at <= TRUSTED_SECONDS

    def principal_of(self, presented: Presented) -> Principal | None:
        """Return whose key this is, as it was read; None where it is none in force."""
        entry = self.entries.get(presented.key_id)
        # An id that is no key costs a comparison, too.
        matches = hmac.compare_digest(entry.digest if entry else NO_DIGEST, presented.digest)
        if entry is None or not matches or entry.principal.until <= time.monotonic():
            return None
        entry.used_at = time.monotonic()
        return entry.principal

    async def keys_exist(self) -> bool:
        """Return whether there was ever a key; Overloaded where the database must be asked and is away."""
        if not self.any_key and time.monotonic() - self.any_key_read_at > TRUSTED_SECONDS:
            await self.look_up(NO_KEY)
        return self.any_key

    async def look_up(self, key_id: str) -> None:
        """Read a key. One reading is under way at a time; those who come meanwhile share the next one."""
        if len(self.wanted) >= MOST_WANTED:
            raise Overloaded("Too many unknown keys are presented at once; try again in a second.")
        self.wanted.add(key_id)
        before = self.reading
        if before is not None and not before.done():
            await asyncio.wait({before})
        if self.reading is before:
            wanted, self.wanted = self.wanted, set()
            self.reading = asyncio.create_task(self.read(wanted))
        assert self.reading is not None
        try:
            await asyncio.shield(self.reading)
        except Failed:  # where migrations are pending, say
            raise Overloaded("Keys cannot be checked at the moment; try again.") from None

    async def read(self, key_ids: Collection[str], used: Collection[str] = ()) -> None:
        """Read what the database says of these ids."""
        begun = time.monotonic()
        row = await fetch_one(self.pool, "keys_in_force", wanted=list(key_ids), used=list(used))
        self.any_key, self.any_key_read_at = row["any_key"], begun
        for key_id in key_ids:
            if key_id in row["keys"]:
                before = self.entries.get(key_id)
                self.entries[key_id] = entry_of(key_id, row["keys"][key_id], begun, before.used_at if before else begun)
            else:
                self.entries.pop(key_id, None)
                self.unknown[key_id] = begun
                self.unknown.move_to_end(key_id)
        while len(self.unknown) > MOST_UNKNOWN:
            self.unknown.popitem(last=False)

    async def poll(self) -> None:
        """Keep the keys in use read, for ever."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            now = time.monotonic()
            in_use = {
                key for key, entry in self.entries.items() if key in self.holders or now - entry.used_at < IDLE_SECONDS
            }
            self.entries = {key: entry for key, entry in self.entries.items() if key in in_use}
            if not in_use:
                continue
            used = [key for key in in_use if now - self.entries[key].used_at <= 2 * POLL_SECONDS]
            try:
                await self.read(in_use, used)
            except Problem:
                continue  # what was read soon is too old to be trusted
            self.end_what_must()

    def end_what_must(self) -> None:
        """Cancel what is done with keys that are no longer in force."""
        now = time.monotonic()
        for key_id, tasks in self.holders.items():
            entry = self.entries.get(key_id)
            if entry is None or entry.principal.until <= now:
                for task in tasks - self.ended:
                    self.ended.add(task)
                    task.cancel()

    def hold(self, key_id: str, task: asyncio.Task[Any]) -> None:
        """Have a task cancelled when the key ends."""
        self.holders[key_id].add(task)

    def release(self, key_id: str, task: asyncio.Task[Any]) -> None:
        """Stop doing so."""
        self.ended.discard(task)
        tasks = self.holders[key_id]
        tasks.discard(task)
        if not tasks:
            del self.holders[key_id]


def entry_of(key_id: str, row: dict[str, Any], now: float, used_at: float) -> Entry:
    """Read what the database says of a key in force."""
    until = float("inf") if row["seconds"] is None else now + float(row["seconds"])
    return Entry(
        bytes.fromhex(row["digest"]),
        Principal(key_id, row["tenant"], frozenset(row["scopes"]), until, row["rates"]),
        now,
        used_at,
    )


@asynccontextmanager
async def running_key_cache(pool: Pool) -> AsyncIterator[KeyCache]:
    """Keep the keys in use read until the block ends."""
    keys = KeyCache(pool)
    polling = asyncio.create_task(keys.poll())
    try:
        yield keys
    finally:
        polling.cancel()
        await asyncio.wait({polling})
