"""Answers from replicas: from one that has what the reader wrote, else from the primary."""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from time import monotonic
from typing import TypeVar

import psycopg
from psycopg import errors
from psycopg_pool import PoolTimeout, TooManyRequests

from service.database.pool import Pool, Work, make_pool, with_connection
from service.database.replicas.positions import Position, PrimaryLog
from service.database.replicas.replica import Replica
from service.database.replicas.shared_positions import Name, SharedPositions, file_of
from service.errors import Overloaded
from service.settings import Settings

PRIMARY = "primary"
TICK_SECONDS = 1.0
SAMPLES = 600

Result = TypeVar("Result")
log = logging.getLogger("hyperpulse")


class Replicas:
    """The replicas, the positions of writers, and the log of the primary, by which it is known who is behind."""

    def __init__(
        self,
        primary: Pool,
        primary_log: PrimaryLog,
        replicas: Sequence[Replica],
        positions: SharedPositions | None,
        wait_seconds: float,
        most_lag: float,
    ) -> None:
        """Without `positions`, each read asks the primary how far it has come."""
        self.primary = primary
        self.log = primary_log
        self.replicas = list(replicas)
        self.positions = positions
        self.wait_seconds = wait_seconds
        self.most_lag = most_lag
        self.samples: deque[tuple[float, Position]] = deque(maxlen=max(SAMPLES, 2 * int(most_lag)))
        """When the log of the primary ended where, once a second."""
        self.counts: Counter[str] = Counter()
        """Reads by the server that answered."""

    async def note(self, names: Iterable[Name]) -> Position:
        """Remember that all of these wrote what is committed by now; Overloaded while the primary is away."""
        position = await self.log.end()
        if self.positions is not None:
            self.belong(self.positions)
            self.positions.note(names, position)
        return position

    def belong(self, positions: SharedPositions) -> None:
        """Have the positions be of the cluster that the primary is of."""
        if self.log.system is not None:
            positions.belong_to(self.log.system)

    def reads(self, names: Iterable[Name], position: Position) -> BoundReads:
        """Return where an answer may be read that must have what these wrote, and what is at the position."""
        if self.positions is not None:
            position = max(position, self.positions.newest(names))
        return BoundReads(self, position)

    async def bound(self, position: Position) -> Position:
        """Return what a read must have: the position, and where no positions are shared, all that is committed."""
        return position if self.positions is not None else max(position, await self.log.end())

    async def tick(self) -> None:
        """Note where the log of the primary ends, once a second, until cancelled."""
        while True:
            try:
                self.sample(monotonic(), await self.log.end())
                if self.positions is not None:
                    self.belong(self.positions)
            except Overloaded:
                pass  # how old the last sample is says so
            await asyncio.sleep(TICK_SECONDS)

    def sample(self, at: float, position: Position) -> None:
        """Note where the log ended at a moment; positions of an earlier timeline may have been lost with it."""
        if self.samples and self.samples[-1][1].timeline != position.timeline:
            self.samples.clear()
        self.samples.append((at, position))

    def lag(self, replica: Replica) -> float | None:
        """Return for how many seconds a replica did not have what the primary had; None where it is no replica of it.

        It is measured by the log of the primary, not by clocks, and so to a second; an idle primary is no lag.
        """
        look = replica.look
        if look is None or not look.in_recovery or look.system != self.log.system or not self.samples:
            return None
        first = bisect_right(self.samples, look.reached.lsn, key=lambda sample: sample[1].lsn)
        if look.reached.timeline < self.samples[0][1].timeline:
            first = 0
        if first < len(self.samples):
            return max(0.0, look.at - self.samples[first][0])
        # Of what the primary has done since it was last heard of, nothing is known.
        return max(0.0, look.at - self.samples[-1][0] - 2 * TICK_SECONDS)

    def is_primary(self, replica: Replica) -> bool:
        """Return whether an address leads to the primary itself, as another one does after each failover."""
        look = replica.look
        if look is None or look.in_recovery or look.system != self.log.system or not self.samples:
            return False
        return look.reached.timeline == self.samples[-1][1].timeline

    def is_usable(self, replica: Replica) -> bool:
        """Return whether a replica may answer those who wrote nothing of late."""
        lag = self.lag(replica)
        # One that has nothing of what is known of the primary may be behind for any time.
        return lag is not None and lag <= self.most_lag and self.samples[0][1].is_within(replica.reached)

    def states(self) -> dict[str, tuple[bool, float | None]]:
        """Return of each replica whether it is used, and its lag; without the address that leads to the primary."""
        others = [replica for replica in self.replicas if not self.is_primary(replica)]
        return {replica.name: (self.is_usable(replica), self.lag(replica)) for replica in others}

    async def caught_up(self, position: Position) -> Replica | None:
        """Return a replica that has come so far, or comes so far in a moment."""
        self.replicas.append(self.replicas.pop(0))
        usable = [replica for replica in self.replicas if self.is_usable(replica)]
        for replica in usable:
            if position.is_within(replica.reached):
                return replica
        # One that is behind, or on another timeline, would have the reader wait for nothing.
        promising = [
            replica
            for replica in usable
            if replica.reached.timeline == position.timeline and (self.lag(replica) or 0) <= self.wait_seconds
        ]
        if not promising:
            return None
        nearest = max(promising, key=lambda replica: replica.reached)
        return nearest if await nearest.reach(position, self.wait_seconds) else None


class BoundReads:
    """Where the statements of one answer are read: on a replica that has the position, or on the primary.

    All are read on one replica, or on the primary from some on, so that none finds what is older than another found.
    """

    def __init__(self, replicas: Replicas, position: Position) -> None:
        self.replicas = replicas
        self.position = position
        self.chosen: Replica | None = None
        self.on_primary = False

    async def read(self, work: Work[Result], /) -> Result:
        """Do `work` on a replica; where that fails for any reason of the replica's, on the primary."""
        replica = await self.choose()
        if replica is not None:
            try:
                async with replica.connection_at(self.position) as connection:
                    if connection is not None:
                        result = await work(connection)
                        self.replicas.counts[replica.name] += 1
                        return result
            except errors.QueryCanceled:
                raise Overloaded("The database took too long; ask for less, or try again.") from None
            except (psycopg.Error, PoolTimeout, TooManyRequests, OSError) as error:
                # A conflict with what it replays, a schema that it has not had yet, or its end.
                log.info("a read of the replica %s goes to the primary: %s", replica.name, type(error).__name__)
                replica.asked.set()
        self.on_primary = True
        self.replicas.counts[PRIMARY] += 1
        return await with_connection(self.replicas.primary, work)

    async def choose(self) -> Replica | None:
        """Return the replica of this answer; None where the primary is to be asked."""
        if self.on_primary:
            return None
        if self.chosen is not None:
            return self.chosen if self.replicas.is_usable(self.chosen) else None
        try:
            self.position = await self.replicas.bound(self.position)
        except Overloaded:
            return None
        self.chosen = await self.replicas.caught_up(self.position)
        return self.chosen


@asynccontextmanager
async def running_replicas(settings: Settings, primary: Pool) -> AsyncIterator[Replicas | None]:
    """Read from the replicas of READ_DATABASE_URL until the block ends; None where there are none."""
    if not settings.read_database_url:
        yield None
        return
    async with AsyncExitStack() as stack:
        positions = None
        if settings.read_your_writes == "machine":
            try:
                positions = SharedPositions(file_of(settings.database_url))
                stack.callback(positions.close)
            except OSError as error:
                log.warning("positions cannot be shared, so every read asks the primary for its own: %s", error)
        pools = [make_pool(settings, url) for url in settings.read_database_url]
        replicas = [Replica(url, pool) for url, pool in zip(settings.read_database_url, pools, strict=True)]
        for pool in pools:
            await stack.enter_async_context(pool)
        primary_log = PrimaryLog(settings.session_url)
        stack.push_async_callback(primary_log.stop)
        found = Replicas(
            primary,
            primary_log,
            replicas,
            positions,
            settings.replica_wait_ms / 1000,
            settings.replica_max_lag_seconds,
        )
        tasks = [asyncio.create_task(found.tick()), *(asyncio.create_task(each.watch()) for each in replicas)]
        try:
            yield found
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
