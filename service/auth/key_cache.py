"""Keys and sessions as this process knows them: read when first presented, and again every two seconds.

One that is revoked or has expired is refused within five seconds, and what is open with it ends within that time.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.auth.key import Presented
from service.auth.principal import Principal
from service.auth.shared_task import begin_for_all
from service.database.pool import Pool, fetch_one
from service.errors import Failed, Overloaded, Problem

TRUSTED_SECONDS = 5.0
POLL_SECONDS = 2.0
IDLE_SECONDS = 60.0  # after which one that is not presented is forgotten
MOST_UNKNOWN = 1_000  # ids that are remembered as no key
MOST_WANTED = 1_000  # ids that wait to be read
NO_KEY = ""  # an id that asks only whether there are keys
NO_DIGEST = bytes(32)


@dataclass(slots=True)
class Entry:
    """A key or session in force: the digest of its secret, its principal, and when it was read and presented."""

    digest: bytes
    principal: Principal
    read_at: float
    used_at: float


class KeyCache:
    """Answers whose key or session one is, and ends what is done with one no longer in force. Times are monotonic.

    A key and a session have ids of different lengths, and are treated alike.
    """

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.any_key = False
        self.any_key_read_at = -float("inf")
        self.entries: dict[str, Entry] = {}
        self.unknown: OrderedDict[str, float] = OrderedDict()
        self.wanted: set[str] = set()
        self.reading: asyncio.Task[None] | None = None
        self.held: dict[asyncio.Task[Any], str] = {}
        """What is done with keys and sessions, and the id of each one's."""
        self.ended: set[asyncio.Task[Any]] = set()

    def is_known(self, credential: str) -> bool:
        """Return whether an id can be answered without the database."""
        now = time.monotonic()
        entry = self.entries.get(credential)
        read_at = self.unknown.get(credential, -float("inf")) if entry is None else entry.read_at
        return now - read_at <= TRUSTED_SECONDS

    def principal_of(self, presented: Presented) -> Principal | None:
        """Return whose key this is, as it was read; None where it is none in force."""
        entry = self.entries.get(presented.id)
        # An id that is no key costs a comparison, too.
        matches = hmac.compare_digest(entry.digest if entry else NO_DIGEST, presented.digest)
        return self.principal_by_id(presented.id) if matches else None

    def principal_by_id(self, credential: str) -> Principal | None:
        """Return the same where the secret need not be checked."""
        entry = self.entries.get(credential)
        if entry is None or entry.principal.until <= time.monotonic():
            return None
        entry.used_at = time.monotonic()
        return entry.principal

    async def keys_exist(self) -> bool:
        """Return whether there was ever a key; Overloaded where the database must be asked and is away."""
        if not self.any_key and time.monotonic() - self.any_key_read_at > TRUSTED_SECONDS:
            await self.look_up(NO_KEY)
        return self.any_key

    async def look_up(self, credential: str) -> None:
        """Read a key or session. One reading is under way at a time; those who come meanwhile share the next one."""
        if len(self.wanted) >= MOST_WANTED:
            raise Overloaded("Too many unknown keys are presented at once; try again in a second.")
        self.wanted.add(credential)
        before = self.reading
        if before is not None and not before.done():
            await asyncio.wait({before})
        if self.reading is before:
            wanted, self.wanted = self.wanted, set()
            self.reading = begin_for_all(self.read(wanted))
        assert self.reading is not None
        try:
            await asyncio.shield(self.reading)
        except Failed:  # where migrations are pending, say
            raise Overloaded("Keys cannot be checked at the moment; try again.") from None

    async def read(self, ids: Collection[str], used: Collection[str] = ()) -> None:
        """Read what the database says of these ids."""
        begun = time.monotonic()
        row = await fetch_one(self.pool, "keys_in_force", wanted=list(ids), used=list(used))
        self.any_key, self.any_key_read_at = row["any_key"], begun
        for credential in ids:
            if credential in row["keys"]:
                before = self.entries.get(credential)
                self.entries[credential] = entry_of(
                    credential, row["keys"][credential], begun, before.used_at if before else begun
                )
            else:
                self.forget(credential, begun)

    def forget(self, credential: str, now: float) -> None:
        """Know that an id is none in force."""
        self.entries.pop(credential, None)
        self.unknown[credential] = now
        self.unknown.move_to_end(credential)
        while len(self.unknown) > MOST_UNKNOWN:
            self.unknown.popitem(last=False)

    def end(self, credential: str) -> None:
        """Know that a session was ended, and end what is done with it."""
        self.forget(credential, time.monotonic())
        self.end_what_must()

    async def poll(self) -> None:
        """Keep the keys in use read, for ever."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            now = time.monotonic()
            in_use = set(self.held.values())
            in_use |= {key for key, entry in self.entries.items() if now - entry.used_at < IDLE_SECONDS}
            in_use &= self.entries.keys()
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
        for task, credential in self.held.items():
            entry = self.entries.get(credential)
            if (entry is None or entry.principal.until <= now) and task not in self.ended:
                self.ended.add(task)
                task.cancel()

    def hold(self, credential: str, task: asyncio.Task[Any]) -> None:
        """Have a task cancelled when the key ends."""
        self.held[task] = credential

    def release(self, task: asyncio.Task[Any]) -> None:
        """Stop doing so."""
        self.ended.discard(task)
        del self.held[task]


def entry_of(credential: str, row: dict[str, Any], now: float, used_at: float) -> Entry:
    """Read what the database says of a key or session in force."""
    principal = Principal(
        key_id=row["key_id"],
        tenant=row["tenant"],
        scopes=frozenset(row["scopes"]),
        until=float("inf") if row["seconds"] is None else now + float(row["seconds"]),
        credential=credential,
        name=row["name"],
        expires_at=None if row["expires_at"] is None else datetime.fromisoformat(row["expires_at"]),
        rates=row["rates"],
    )
    return Entry(bytes.fromhex(row["digest"]), principal, now, used_at)


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
