"""The pool of connections, statements by name, and the database's errors as the service's."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from time import monotonic
from typing import Any, Protocol, TypeAlias, TypeVar

import psycopg
from psycopg import errors
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout, TooManyRequests

from service import tracing
from service.database.bounded import GRACE_SECONDS, TCP, BoundedConnection, names_several_hosts
from service.database.schema import query
from service.database.startup import session_options
from service.database.timeline import Timeline
from service.database.turns import Turns
from service.errors import Failed, Fault, Invalid, Overloaded, Problem
from service.precedence import give_way, note_use, pause
from service.settings import Settings
from service.shares import PARTY

Connection: TypeAlias = psycopg.AsyncConnection[DictRow]
Pool: TypeAlias = AsyncConnectionPool[Connection]
Result = TypeVar("Result")
Work: TypeAlias = Callable[[Connection], Awaitable[Result]]

ATTEMPTS = 3
AGAIN = (errors.SerializationFailure, errors.DeadlockDetected, errors.LockNotAvailable)
# What a session meets once after a migration has rebuilt the functions that it remembers.
REBUILT = (errors.UndefinedFunction, errors.UndefinedObject, errors.UndefinedTable, errors.InvalidSchemaName)
CLOSED = "HP001"  # of sql/api_internal/shards/require_open.sql
FORGOTTEN = ("cache lookup failed for ", "cached plan must not change result type")
AWAY = (
    PoolTimeout,
    TooManyRequests,
    psycopg.OperationalError,
    psycopg.InterfaceError,
    errors.ReadOnlySqlTransaction,  # the server is the primary no longer
)

HEAVY_PART = 8
"""Which part of the pool a tenant has that uses more than others do: one connection of eight."""

MEANT = re.compile(r"Did you mean (\S+)\? ")  # which metric

log = logging.getLogger("hyperpulse")
statement = cache(query)


class Reads(Protocol):
    """What chooses the server that each statement of an answer is read from."""

    async def read(self, work: Work[Result], /) -> Result:
        """Do `work` on a connection to one, again on another where that may help."""
        ...


Source: TypeAlias = Pool | Reads
"""Where an answer comes from: the primary, or any server that has come far enough."""


class Contended(Overloaded):
    """Others held what a statement needed for too long, or made it a victim too often."""


class Closed(Overloaded):
    """The database takes no writes of a tenant, which is in another one, or is being moved there."""

    def __init__(self) -> None:
        super().__init__("The tenant is being moved to another database; send it again.", retry_after=2)


class Unsure(Overloaded):
    """The database went while it committed: what was written may be there, or not.

    Writing it again here might find it, and report the client's own readings as known.
    """

    def __init__(self) -> None:
        super().__init__("The database went away during the commit, which may have succeeded; send it again.")


@contextmanager
def committing() -> Iterator[None]:
    """Commit within; Unsure where the connection is lost meanwhile."""
    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        # What the server says of a statement is certain, but for that it stops (57P…) or loses its client (08…).
        if error.sqlstate is None or error.sqlstate.startswith(("57P", "08")):
            raise Unsure from None
        raise


class FairPool(AsyncConnectionPool[Connection]):
    """A pool of which each tenant has its share, and what works for no tenant all of it.

    The share of a tenant that uses more than others do is small while these ask, too: the others' statements would run
    beside so many of its own, on the same processors.
    """

    def __init__(self, *args: Any, max_size: int, patience: float | None, timeline: Timeline | None, **options: Any):
        super().__init__(*args, max_size=max_size, configure=self.begin, **options)
        self.turns = Turns(max_size, max(1, max_size // HEAVY_PART))
        self.patience = patience
        self.timeline = timeline
        self.newest: int | None = None
        """The highest timeline that a connection of the pool was on."""
        self.left_at = 0.0

    async def begin(self, connection: Connection) -> None:
        """Prepare a new connection; where another server has become the primary, all others are replaced."""
        if isinstance(connection, BoundedConnection):
            connection.patience = self.patience
        if self.timeline is not None:
            timeline = await self.timeline.admit(connection)
            before, self.newest = self.newest, timeline
            if before is not None and before < timeline:
                await self.leave(None)
        if isinstance(connection, BoundedConnection):
            connection.begun = monotonic()

    async def leave(self, lost: Connection | None) -> None:
        """Replace all connections, once for all that were lost together: their server is gone, or is no primary now."""
        if isinstance(lost, BoundedConnection) and lost.begun <= self.left_at:
            return
        self.left_at = monotonic()
        await self.drain()

    @asynccontextmanager
    async def connection(self, timeout: float | None = None) -> AsyncIterator[Connection]:
        """Lend a connection; PoolTimeout where none is free in time, or others of the tenant have its share.

        The wait for a turn and that for a connection behind it last no longer than `timeout` together; that for a gap
        between requests of others is not counted.
        """
        party = PARTY.get()
        if party is None:
            async with super().connection(timeout) as connection:
                yield connection
            return
        patience = self.timeout if timeout is None else timeout
        deadline = monotonic() + patience
        pause()
        try:
            began = await self.turns.enter(party, patience)
        except TimeoutError:
            raise PoolTimeout("a tenant has as many connections as it may") from None
        try:
            left = deadline - monotonic()
            await give_way()
            async with super().connection(left) as connection:
                lent = monotonic()
                try:
                    yield connection
                finally:
                    note_use(monotonic() - lent)
                    pause()
        finally:
            self.turns.leave(party, began)


def make_pool(settings: Settings, replica_url: str | None = None) -> FairPool:
    """Describe the pool of the primary, or of a replica; it connects when it is opened.

    Sessions are in UTC and commit durably, and one to a replica only reads.
    """
    options = session_options(settings)
    if replica_url is not None:
        options += " -c default_transaction_read_only=on"
    follows = replica_url is None and names_several_hosts(settings.database_url)
    return FairPool(
        replica_url or settings.database_url,
        connection_class=BoundedConnection,
        kwargs={"autocommit": True, "row_factory": dict_row, "options": options, **TCP},
        # All from the start: to connect takes long under load, and so does the first statement of a session.
        min_size=settings.pool_size,
        max_size=settings.pool_size,
        timeout=5,
        max_waiting=1000,
        # Requests begin the next attempts, so the pauses between these do not grow for longer.
        reconnect_timeout=4,
        patience=settings.statement_seconds + GRACE_SECONDS,
        timeline=Timeline() if follows else None,
        name="hyperpulse",
        open=False,
    )


async def fetch_all(source: Source, query_name: str, /, **parameters: Any) -> list[DictRow]:
    """Run sql/queries/NAME.sql and return its rows; Overloaded while the database is away."""

    async def run(connection: Connection) -> list[DictRow]:
        with tracing.statement(query_name):
            cursor = await connection.execute(statement(query_name), parameters)
            return await cursor.fetchall()

    return await with_connection(source, run)


async def fetch_one(source: Source, query_name: str, /, **parameters: Any) -> DictRow:
    """Run a query that returns exactly one row, and return it."""
    (row,) = await fetch_all(source, query_name, **parameters)
    return row


async def with_connection(source: Source, work: Work[Result]) -> Result:
    """Do `work` on a connection, again where that may help: everything sent is idempotent."""
    if not isinstance(source, AsyncConnectionPool):
        return await source.read(work)
    pool = source
    connection: Connection | None = None
    for attempt in range(1, ATTEMPTS + 1):
        try:
            async with pool.connection() as connection:
                return await work(connection)
        except Unsure:
            await leave(pool, connection)
            raise
        except errors.QueryCanceled:
            raise Overloaded("The database took too long; ask for less, or try again.") from None
        except AGAIN + AWAY as error:
            if isinstance(error, AGAIN):
                if attempt == ATTEMPTS:
                    raise Contended("Others write the same at this moment; try again in a second.") from None
                continue
            if attempt == ATTEMPTS or isinstance(error, PoolTimeout | TooManyRequests):
                raise unavailable(error) from None
            # The server may have come back since, or another one in its place: connections from before are of no use.
            await leave(pool, connection)
            if isinstance(connection, BoundedConnection) and connection.stood_still:
                raise unavailable(error) from None  # the next one might stand still for as long
        except errors.InvalidParameterValue as error:
            raise refusal(error.diag) from None
        except psycopg.Error as error:
            if error.sqlstate == CLOSED:
                raise Closed() from None
            if attempt == 1 and was_rebuilt(error):
                continue
            log.exception("the database refused a statement")
            raise Failed() from error
    raise AssertionError("unreachable")


async def leave(pool: Pool, lost: Connection | None) -> None:
    """Have a pool replace what was connected before a connection was lost."""
    await (pool.leave(lost) if isinstance(pool, FairPool) else pool.check())


def was_rebuilt(error: psycopg.Error) -> bool:
    """Return whether the statement may have met a migration, after which it succeeds."""
    return isinstance(error, REBUILT) or (error.diag.message_primary or "").startswith(FORGOTTEN)


def refusal(diagnosis: errors.Diagnostic) -> Invalid:
    """Say what the database refused: an argument that COLUMN names, as `tz is CEST` with the hint `It must be …`.

    Of a list of metrics, `metrics has a_name` with the hint `Did you mean another_name? …`.
    """
    said, hint = diagnosis.message_primary or "", diagnosis.message_hint or ""
    name, verb, value = said.partition(" is ")
    if verb and name == diagnosis.column_name:
        problem = hint.removeprefix("It ").removesuffix(".")
        return Invalid("The request is invalid.", [Fault(at=name, problem=problem, value=value)])
    name, verb, value = said.partition(" has ")
    if verb and name == diagnosis.column_name == "metrics":
        meant = MEANT.match(hint)
        remedy = f"{meant[1]} is probably meant" if meant else "GET /v1/metrics lists those that are"
        problem = f"has a name that is not known; {remedy}"
        return Invalid("The request is invalid.", [Fault(at=name, problem=problem, value=value)])
    return Invalid(f"The request is invalid: {said}. {hint}")


def unavailable(error: Exception) -> Problem:
    """Say that the database cannot answer now, without saying why to strangers."""
    log.warning("the database is away: %s", str(error).strip().split("\n")[0])
    return Overloaded("The database cannot be reached at the moment; try again.")
