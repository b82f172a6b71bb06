"""Which database a tenant is in: the map in the home database, as this process last read it.

What is known is used for a few seconds only, so that a move can wait until no process sends anything to the old
database any more. That no write is lost even so is up to the database, see sql/api_internal/shards/require_open.sql.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import psycopg

from service.database.bounded import connect
from service.database.pool import Connection, statement
from service.database.timeline import Timeline
from service.errors import Overloaded
from service.settings import HOME

POLL_SECONDS = 0.5
TRUSTED_SECONDS = 2.0
CONNECT_SECONDS = 5.0

log = logging.getLogger("hyperpulse")


class ShardMap:
    """Answers in which database a tenant is, and ends what is under way for a tenant in the database that it left."""

    def __init__(self, timeline: Timeline | None = None) -> None:
        """`timeline` is that of the home database, where it names several servers, of which one is the primary."""
        self.timeline = timeline
        self.shards: Mapping[str, str] = {}
        self.read_at = -float("inf")
        self.holders: defaultdict[str, set[asyncio.Task[Any]]] = defaultdict(set)
        self.ended: set[asyncio.Task[Any]] = set()

    def shard_of(self, tenant_id: str) -> str:
        """Return the name of a tenant's database; Overloaded where that was not read lately."""
        if time.monotonic() - self.read_at > TRUSTED_SECONDS:
            raise Overloaded("It is not known at the moment which database the tenant is in; try again.")
        return self.shards.get(tenant_id, HOME)

    def learn(self, shards: Mapping[str, str], read_at: float) -> None:
        """Take in the map as it was at a moment of time.monotonic, and end what is under way for tenants that left."""
        for tenant_id in list(self.holders):
            if shards.get(tenant_id, HOME) != self.shards.get(tenant_id, HOME):
                for task in self.holders[tenant_id] - self.ended:
                    self.ended.add(task)
                    task.cancel()
        self.shards, self.read_at = shards, read_at

    @contextmanager
    def holding(self, tenant_id: str, task: asyncio.Task[Any]) -> Iterator[None]:
        """Have a task cancelled, and noted in `ended`, where the tenant leaves its database within the block."""
        self.holders[tenant_id].add(task)
        try:
            yield
        finally:
            self.ended.discard(task)
            tasks = self.holders[tenant_id]
            tasks.discard(task)
            if not tasks:
                del self.holders[tenant_id]

    async def keep_reading(self, database_url: str) -> None:
        """Read the map twice a second, on a connection of its own, which waits for no request."""
        complained = False
        while True:
            connection: Connection | None = None
            try:
                connection = await connect(database_url, CONNECT_SECONDS, TRUSTED_SECONDS)
                while True:
                    begun = time.monotonic()
                    row = await (await connection.execute(statement("tenant_shards"))).fetchone()
                    assert row is not None
                    if self.timeline is not None:
                        self.timeline.note(int(row["timeline"], 16))
                    self.learn(row["shards"], begun)
                    complained = False
                    await asyncio.sleep(POLL_SECONDS)
            except (psycopg.Error, OSError, TimeoutError) as error:
                if not complained:
                    log.warning("the map of tenants cannot be read: %s", str(error).strip().split("\n")[0])
                complained = True
            finally:
                if connection is not None:
                    await connection.close()
            await asyncio.sleep(POLL_SECONDS)


@asynccontextmanager
async def running_shard_map(database_url: str, timeline: Timeline | None) -> AsyncIterator[ShardMap]:
    """Keep the map read until the block ends."""
    shard_map = ShardMap(timeline)
    reading = asyncio.create_task(shard_map.keep_reading(database_url))
    try:
        yield shard_map
    finally:
        reading.cancel()
        await asyncio.wait({reading})
