"""What the transactions of all lanes share: keys that hold, statements in one go, a rollback on failure."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow

from service.database.pool import Connection, Contended, statement
from service.ingest.dedupe import Identity
from service.ingest.key_cache import KeyCache, Names
from service.ingest.write_queue import Batch

Write: TypeAlias = tuple[str, Mapping[str, Any]]
"""A statement by its name, with columns."""


class UnknownNames(Exception):
    """A user or a device has no key yet that this process knows."""


class TakenOtherwise(Exception):
    """The batch that was taken is to be stored in another way than the one that would have been taken before."""


class MetricGone(Contended):
    """A metric is declared no more; what was known of the registry must be forgotten."""

    def __init__(self) -> None:
        super().__init__("A metric of these readings is declared no more; send them again.")


class NamesChanged(Exception):
    """A user was erased since the keys of a batch were learnt; the transaction is rolled back."""

    def __init__(self, version: int) -> None:
        super().__init__(f"names are at version {version}")
        self.version = version


async def identified(connection: Connection, key_cache: KeyCache, batch: Batch) -> tuple[Names, list[Identity]]:
    """Return the identities of a batch, and the names that they are under; unknown names are registered."""
    names = key_cache.names
    try:
        return names, identities_of(batch, names)
    except KeyError:
        names = await key_cache.keys(connection, batch.parts)
        return names, identities_of(batch, names)


def identities_of(batch: Batch, names: Names) -> list[Identity]:
    """Return the identity of each reading of a batch; KeyError: a name is unknown."""
    identities: list[Identity] = []
    for tenant_id, rows in batch.parts:
        users, devices = names.of(tenant_id)
        identities += [(users[row.user_id], devices[row.device_id], row.timestamp) for row in rows]
    return identities


async def merged_in(connection: Connection, names: Names, writes: Sequence[Write]) -> tuple[int, list[DictRow]]:
    """Begin a transaction, send statements by their names with columns; return the horizon and the row of each answer.

    The horizon is in microseconds since 1970; what is written below it must be marked stale.
    """
    async with connection.pipeline():
        await connection.execute("BEGIN")
        opening = await connection.execute(statement("begin_writing"))
        cursors = [await connection.execute(statement(name), columns, binary=True) for name, columns in writes]
    (opened,) = await opening.fetchall()
    if opened["names_version"] != names.version:
        raise NamesChanged(opened["names_version"])
    return opened["announced"], [row for cursor in cursors if cursor.description for row in await cursor.fetchall()]


async def sent(connection: Connection, writes: Sequence[Write]) -> list[DictRow]:
    """Send further statements of a transaction by their names with columns; return the row of each answer."""
    async with connection.pipeline():
        cursors = [await connection.execute(statement(name), columns, binary=True) for name, columns in writes]
    return [row for cursor in cursors if cursor.description for row in await cursor.fetchall()]


@asynccontextmanager
async def rolled_back_on_error(connection: Connection) -> AsyncIterator[None]:
    """Roll the transaction back where the block fails."""
    try:
        yield
    except BaseException:
        if connection.pgconn.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
            await connection.execute("ROLLBACK")
        raise
