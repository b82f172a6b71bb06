"""The databases of the environment by name, and sessions in them."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import psycopg
from psycopg.rows import dict_row

from scripts.psql import address
from service.settings import HOME, place_of, read_shards

Connection: TypeAlias = psycopg.Connection[dict[str, Any]]

OPTIONS = (
    "-c timezone=UTC -c lock_timeout=30s -c statement_timeout=0"
    # A copy that is replaced may be compressed by then.
    " -c timescaledb.max_tuples_decompressed_per_dml_transaction=0"
    # In partially compressed chunks, a DELETE by bitmap scan misses the rows that it has just decompressed.
    " -c enable_bitmapscan=off"
)


class CannotMove(Exception):
    """What was asked for cannot be done; the message says why and what to do."""


def addresses() -> dict[str, str]:
    """Return the addresses of all databases by name; BadSetting where one of them cannot be read."""
    found = {HOME: address(), **dict(read_shards(os.environ.get("SHARD_DATABASE_URLS", "")))}
    for name, url in found.items():
        place_of(url, "DATABASE_URL" if name == HOME else "SHARD_DATABASE_URLS")
    return found


@contextmanager
def session(name: str) -> Iterator[Connection]:
    """Open a session in the database of that name, in which each statement commits."""
    known = addresses()
    if name not in known:
        raise CannotMove(f"There is no database {name!r}: {', '.join(known)} are those of the environment.")
    # Without prepared statements, of which generic plans would open every chunk.
    with psycopg.connect(
        known[name], autocommit=True, row_factory=dict_row, prepare_threshold=None, connect_timeout=10, options=OPTIONS
    ) as connection:
        yield connection


def one(connection: Connection, statement: str | bytes, values: Any = ()) -> dict[str, Any]:
    """Return the one row of a statement."""
    row = connection.execute(statement.encode() if isinstance(statement, str) else statement, values).fetchone()
    assert row is not None
    return row


def is_same(here: Connection, there: Connection) -> bool:
    """Return whether two sessions are in one database, whatever their addresses: what one locks is locked there."""
    lock = [secrets.randbits(62)]
    here.execute("SELECT pg_advisory_lock(%s)", lock)
    try:
        return not one(there, "SELECT pg_try_advisory_xact_lock(%s) AS is_free", lock)["is_free"]
    finally:
        here.execute("SELECT pg_advisory_unlock(%s)", lock)
