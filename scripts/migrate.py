"""Bring a database to the current schema: pending migrations, then the schemas `api` and `api_internal`.

Everything happens in one transaction that holds one lock, so that two processes that start at once do it once, and
one that is killed half-way leaves nothing behind.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass
from typing import Any

import psycopg
from yoyo import internalmigrations, read_migrations
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.connections import parse_uri

from service.database.schema import MIGRATIONS, api_digest, api_statements
from service.settings import BadSetting, read_shards

OLDEST_TIMESCALEDB = (2, 18)
# In a new session: one that has loaded the old version cannot update it.
UPDATE = 'psql -X "$DATABASE_URL" -c "ALTER EXTENSION timescaledb UPDATE"'


class CannotMigrate(Exception):
    """The database cannot be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Migrated:
    """The result of a run: applied migrations in order, whether `api` was rebuilt, and advice."""

    applied: tuple[str, ...]
    api_rebuilt: bool
    advice: str | None = None


class OneTransaction(PostgresqlPsycopgBackend):
    """yoyo on the caller's connection, with its own tables in the caller's transaction."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.borrowed = connection
        super().__init__(parse_uri("postgresql+psycopg://"), "_yoyo_migration")
        if internalmigrations.needs_upgrading(self):
            internalmigrations.upgrade(self)
        self._in_transaction = True
        self._internal_schema_updated = True

    def connect(self, dburi: object) -> psycopg.Connection[Any]:
        """Return the caller's connection instead of a new one."""
        return self.borrowed

    def begin(self) -> None:
        """Leave the beginning to the caller."""

    def commit(self) -> None:
        """Leave the commit to the caller."""

    def rollback(self) -> None:
        """Leave the rollback to the caller, whom the error reaches."""

    def copy(self) -> Any:
        """Return this backend where yoyo would open a second connection."""
        return nullcontext(self)

    def get_log_data(self, migration: Any = None, operation: str = "apply") -> dict[str, Any]:
        """Log without the operating system's user, which may have no name in a container."""
        os.environ.setdefault("LOGNAME", "hyperpulse")
        data: dict[str, Any] = super().get_log_data(migration, operation)
        return data


def migrate(database_url: str) -> Migrated:
    """Apply what is pending and rebuild `api` if its files changed; raise CannotMigrate with a remedy."""
    with connect(database_url) as connection, connection.transaction():
        take_turn(connection)
        advice = require_timescaledb(connection)
        connection.execute("SET LOCAL search_path = migration, public")
        applied = apply_pending(connection)
        return Migrated(applied, rebuild_api(connection), advice)


def take_turn(connection: psycopg.Connection[Any]) -> None:
    """Wait for other migrations of the database, and hold them off until the transaction ends.

    The lock is on a table, since any role of the server may take an advisory lock, and keep it.
    """
    while True:
        try:
            with connection.transaction():
                connection.execute("CREATE SCHEMA IF NOT EXISTS migration")
                connection.execute("CREATE TABLE IF NOT EXISTS migration.turn ()")
            break
        except psycopg.errors.UniqueViolation:
            continue  # another process has created them meanwhile
    connection.execute("LOCK TABLE migration.turn IN EXCLUSIVE MODE")


@contextmanager
def connect(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    """Open an autocommit connection; CannotMigrate names the database that does not answer."""
    try:
        connection = psycopg.connect(database_url, autocommit=True, connect_timeout=10)
    except psycopg.Error as error:
        raise CannotMigrate(
            f"The database {without_password(database_url)} cannot be reached: {first_line(error)}. "
            "Check DATABASE_URL and that the server runs."
        ) from error
    with connection, explained():
        connection.execute("SET client_min_messages = warning")
        yield connection


@contextmanager
def explained() -> Iterator[None]:
    """Raise CannotMigrate with a remedy if TimescaleDB is not installed any more, or the role may not migrate."""
    try:
        yield
    except psycopg.errors.UndefinedFile as error:
        raise CannotMigrate(
            f"TimescaleDB in this database is a version that is not installed any more ({first_line(error)}). "
            f"Update it: {UPDATE}"
        ) from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise CannotMigrate(
            f"The user of DATABASE_URL may not migrate the database: {first_line(error)}. It must own the database and "
            "what earlier migrations made; docker/roles.sql hands that over."
        ) from error


def require_timescaledb(connection: psycopg.Connection[Any]) -> str | None:
    """Require a recent TimescaleDB with its Community module; return advice if an update is installed."""
    row = connection.execute(
        "SELECT default_version FROM pg_available_extensions WHERE name = 'timescaledb'"
    ).fetchone()
    if row is None:
        raise CannotMigrate(
            "This PostgreSQL has no TimescaleDB. Install TimescaleDB 2.18 or newer, "
            "or unset DATABASE_URL to use the embedded one."
        )
    try:
        with connection.transaction():
            connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
    except psycopg.Error as error:
        raise CannotMigrate(
            f"TimescaleDB cannot be activated: {first_line(error)}. It must be in shared_preload_libraries, "
            "and the user of DATABASE_URL must be allowed to create extensions."
        ) from error
    version = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'").fetchone()
    assert version is not None
    advice = update_advice(version[0], row[0])
    if numbers(version[0])[:2] < OLDEST_TIMESCALEDB:
        remedy = advice or f"In this database it is {version[0]}; install a newer one, then: {UPDATE}"
        raise CannotMigrate(f"Hyperpulse needs TimescaleDB 2.18 or newer. {remedy}")
    licence = connection.execute("SELECT current_setting('timescaledb.license', true)").fetchone()
    if licence is None or licence[0] != "timescale":
        raise CannotMigrate(
            "TimescaleDB is its Apache-only build, which has no continuous aggregates. Install the Community build "
            "(the image timescale/timescaledb without -oss), or set timescaledb.license = 'timescale'."
        )
    return advice


def update_advice(in_database: str, installed: str) -> str | None:
    """Return advice if the extension in the database is older than the installed one."""
    if numbers(in_database) >= numbers(installed):
        return None
    return f"TimescaleDB in this database is {in_database}, and {installed} is installed. Update it: {UPDATE}"


def numbers(version: str) -> tuple[int, ...]:
    """Return a version as numbers, such as 2.23.0-dev as (2, 23, 0)."""
    return tuple(int(part) for part in version.split("-")[0].split("."))


def apply_pending(connection: psycopg.Connection[Any]) -> tuple[str, ...]:
    """Apply the migrations that this database has not seen, in order; return their names."""
    backend = OneTransaction(connection)
    pending = backend.to_apply(read_migrations(str(MIGRATIONS)))
    with redirect_stdout(io.StringIO()):  # yoyo prints the rows that a statement returns
        backend.apply_migrations_only(pending)
    return tuple(migration.id for migration in pending)


def roll_back(connection: psycopg.Connection[Any]) -> tuple[str, ...]:
    """Undo every migration, newest first, in the caller's transaction; return their names."""
    connection.execute("SET LOCAL search_path = migration, public")
    connection.execute("DROP SCHEMA IF EXISTS api, api_internal CASCADE")
    backend = OneTransaction(connection)
    applied = backend.to_rollback(read_migrations(str(MIGRATIONS)))
    backend.rollback_migrations(applied)
    return tuple(migration.id for migration in applied)


def rebuild_api(connection: psycopg.Connection[Any]) -> bool:
    """Rebuild `api` and `api_internal` unless the same files built them; return whether they were rebuilt."""
    digest = api_digest()
    keep_builds(connection)
    built = connection.execute(
        "SELECT digest FROM migration.api_build"
        " WHERE to_regnamespace('api') IS NOT NULL AND to_regnamespace('api_internal') IS NOT NULL"
        " ORDER BY built_at DESC LIMIT 1"
    ).fetchone()
    if built == (digest,):
        return False
    connection.execute("SET LOCAL search_path = pg_catalog")
    connection.execute("DROP SCHEMA IF EXISTS api, api_internal CASCADE")
    for statement in api_statements():
        connection.execute(statement.encode())
    # Processes of the release before are ready as long as its build is known.
    connection.execute(
        "DELETE FROM migration.api_build AS b"
        " WHERE b.digest = %s OR b.built_at < (SELECT max(built_at) FROM migration.api_build)",
        [digest],
    )
    connection.execute("INSERT INTO migration.api_build (digest) VALUES (%s)", [digest])
    return True


def keep_builds(connection: psycopg.Connection[Any]) -> None:
    """Make the table of builds, or add what it lacked in an earlier release; a lock on it would keep /ready waiting."""
    columns = connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass('migration.api_build') AND attnum > 0"
    ).fetchall()
    if not columns:
        connection.execute("CREATE TABLE migration.api_build (digest text NOT NULL)")
    if ("built_at",) not in columns:
        connection.execute("ALTER TABLE migration.api_build ADD COLUMN built_at timestamptz NOT NULL DEFAULT now()")


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, without a full stop."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def without_password(database_url: str) -> str:
    """Return host, port and database of a URL or conninfo string, never its password."""
    try:
        parts = psycopg.conninfo.conninfo_to_dict(database_url)
    except psycopg.ProgrammingError:
        return "in DATABASE_URL"
    return f"{parts.get('dbname') or 'postgres'} on {parts.get('host') or 'localhost'}:{parts.get('port') or 5432}"


def main() -> int:
    """Migrate the databases of --database-url, or of DATABASE_URL and SHARD_DATABASE_URLS, and print what was done."""
    parser = argparse.ArgumentParser(prog="migrate", description=__doc__.split("\n")[0])
    parser.add_argument(
        "--database-url",
        help="the database to migrate (default: DATABASE_URL, and then those of SHARD_DATABASE_URLS)",
    )
    options = parser.parse_args()
    home = options.database_url or os.environ.get("DATABASE_URL")
    if not home:
        parser.error("name a database with --database-url or DATABASE_URL")
    try:
        say_done(migrate(home))
        for name, url in () if options.database_url else read_shards(os.environ.get("SHARD_DATABASE_URLS", "")):
            print(f"{name}:")
            say_done(migrate(url))
    except (CannotMigrate, BadSetting) as error:
        print(f"migrate: {error}", file=sys.stderr)
        return 1
    return 0


def say_done(done: Migrated) -> None:
    """Print what was done to a database."""
    if done.advice:
        print(f"migrate: {done.advice}", file=sys.stderr)
    for name in done.applied:
        print(f"applied {name}")
    print("api rebuilt" if done.api_rebuilt else "api unchanged")


if __name__ == "__main__":
    sys.exit(main())
