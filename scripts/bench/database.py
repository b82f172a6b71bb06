"""Databases to measure, and connections to them."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from scripts import embedded
from scripts.migrate import migrate

Connection = psycopg.Connection[tuple[Any, ...]]
Migrate = Callable[[str], object]
"""Brings the database at an address to a schema."""


@contextlib.contextmanager
def database(
    server_url: str | None, name: str, *, keep: bool = False, reuse: bool = False, migrating: Migrate = migrate
) -> Iterator[str]:
    """Yield the address of a migrated database whose jobs do not run: one on a server, or an embedded one."""
    opened = embedded_database() if server_url is None else native_database(server_url, name, keep, reuse)
    with opened as url:
        settle(url, migrating)
        yield url


def settle(url: str, migrating: Migrate = migrate) -> None:
    """Migrate a database and stop its jobs."""
    migrating(url)
    with connect(url) as connection:
        connection.execute(
            "SELECT alter_job(job_id, scheduled => false) FROM timescaledb_information.jobs WHERE proc_schema = 'core'"
        )


@contextlib.contextmanager
def embedded_database() -> Iterator[str]:
    """Run the embedded database in a temporary directory."""
    embedded.install()
    with (
        tempfile.TemporaryDirectory(prefix="hyperpulse-bench-") as directory,
        embedded.start(Path(directory), jobs_interval=0) as server,
    ):
        yield server.url


@contextlib.contextmanager
def native_database(server_url: str, name: str, keep: bool, reuse: bool) -> Iterator[str]:
    """Create a database on a server and drop it afterwards."""
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    if not reuse:
        with connect(server_url) as connection:
            connection.execute(drop)
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield make_conninfo(server_url, dbname=name)
    finally:
        if not keep:
            with connect(server_url) as connection:
                connection.execute(drop)


def connect(url: str) -> Connection:
    """Open a connection in autocommit; parameters become literals, which EXPLAIN can take.

    The search_path finds functions by name alone, since earlier revisions have them in `api`.
    """
    return psycopg.connect(
        url,
        autocommit=True,
        cursor_factory=psycopg.ClientCursor,
        options="-c timezone=UTC -c client_min_messages=warning -c search_path=api_internal,api,public",
    )


def value(connection: Connection, statement: str, *parameters: object) -> Any:
    """Return the single value of a statement."""
    row = connection.execute(statement.encode(), parameters).fetchone()
    assert row is not None
    return row[0]


def version(connection: Connection) -> str:
    """Return the versions of PostgreSQL and TimescaleDB."""
    timescaledb = value(connection, "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'")
    return f"PostgreSQL {value(connection, 'SHOW server_version').split()[0]}, TimescaleDB {timescaledb}"
