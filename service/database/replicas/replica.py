"""A replica: how far it has come, whether it is used, and its connections."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from time import monotonic
from typing import NamedTuple
from weakref import WeakKeyDictionary

import psycopg
from psycopg.conninfo import conninfo_to_dict

from service.database.bounded import connect, hang_up
from service.database.pool import Connection, FairPool, statement
from service.database.replicas.positions import NOWHERE, Position

LOOK_SECONDS = 1.0  # between two looks, while no read waits
POLL_SECONDS = 0.005  # while somebody does
PATIENCE_SECONDS = 2.0  # for which a look may last
CONNECTION_SECONDS = 1.0  # for which a read waits for a connection until it goes to the primary

log = logging.getLogger("hyperpulse")


class Look(NamedTuple):
    """What a server says of itself; `at` is the moment of time.monotonic when it was asked."""

    at: float
    in_recovery: bool
    reached: Position
    system: int


class Replica:
    """A server that reads may go to. It is looked at once a second, and more often while a read waits for it."""

    def __init__(self, url: str, pool: FairPool) -> None:
        self.url = url
        self.name = name_of(url)
        self.pool = pool
        self.look: Look | None = None
        """The last one; None while the server does not answer."""
        self.failures = 0
        self.waiting: list[tuple[Position, asyncio.Future[None]]] = []
        self.asked = asyncio.Event()
        self.seen: WeakKeyDictionary[Connection, Position] = WeakKeyDictionary()
        """How far the server of each connection had come when it was asked."""
        self.reading: set[Connection] = set()

    @property
    def reached(self) -> Position:
        """How far it had come at the last look."""
        return NOWHERE if self.look is None else self.look.reached

    async def watch(self) -> None:
        """Look at it, until cancelled."""
        connection: Connection | None = None
        try:
            while True:
                try:
                    if connection is None:
                        connection = await connect(self.url, PATIENCE_SECONDS, PATIENCE_SECONDS)
                    look = await look_at(connection)
                    if self.look is None:
                        await self.come_back()
                    self.look = look
                    self.failures = 0
                    self.let_go()
                except (psycopg.Error, OSError, TimeoutError) as error:
                    self.miss(error)
                    if connection is not None:
                        await connection.close()
                    connection = None
                await self.pause()
        finally:
            if connection is not None:
                await connection.close()

    async def come_back(self) -> None:
        """Replace connections from before it went, which are of no use."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self.pool.check()
        log.info("the replica %s answers", self.name)

    def miss(self, error: Exception) -> None:
        """Leave it alone from now on; where it stays away, reads under way are given up, too."""
        if self.look is not None:
            log.warning("the replica %s is left alone: %s", self.name, str(error).strip().split("\n")[0] or "silence")
        self.look = None
        self.failures += 1
        if self.failures == 2:
            for connection in self.reading:
                hang_up(connection)

    def let_go(self) -> None:
        """Let reads go on that wait for what it has by now."""
        for position, waiter in self.waiting:
            if position.is_within(self.reached) and not waiter.done():
                waiter.set_result(None)

    async def pause(self) -> None:
        """Wait until the next look."""
        if self.look is None:
            await asyncio.sleep(LOOK_SECONDS)
        elif self.waiting:
            await asyncio.sleep(POLL_SECONDS)
        else:
            self.asked.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self.asked.wait()

    async def reach(self, position: Position, seconds: float) -> bool:
        """Wait until it has come so far, at most so long; return whether it has."""
        entry = (position, asyncio.get_running_loop().create_future())
        self.waiting.append(entry)
        self.asked.set()
        try:
            async with asyncio.timeout(seconds):
                await entry[1]
            return True
        except TimeoutError:
            return False
        finally:
            self.waiting.remove(entry)

    @asynccontextmanager
    async def connection_at(self, position: Position) -> AsyncIterator[Connection | None]:
        """Lend a connection to a server that has come so far; None where this one, whatever it is by now, has not."""
        async with self.pool.connection(CONNECTION_SECONDS) as connection:
            self.reading.add(connection)
            try:
                if not position.is_within(self.seen.get(connection, NOWHERE)):
                    look = await look_at(connection)
                    self.seen[connection] = look.reached if look.in_recovery else NOWHERE
                yield connection if position.is_within(self.seen.get(connection, NOWHERE)) else None
            finally:
                self.reading.discard(connection)


async def look_at(connection: Connection) -> Look:
    """Ask a server how far it has come."""
    at = monotonic()
    row = await (await connection.execute(statement("replica_position"))).fetchone()
    assert row is not None
    return Look(at, row["in_recovery"], Position(row["timeline"], row["lsn"] or 0), row["system"])


def name_of(url: str) -> str:
    """Return what a server is called in logs and metrics: host and port."""
    parts = conninfo_to_dict(url)
    return f"{parts.get('host') or parts.get('hostaddr') or 'localhost'}:{parts.get('port') or 5432}"
