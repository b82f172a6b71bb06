"""A database for tests: creating, preparing and emptying one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pytest_postgresql.janitor import DatabaseJanitor

from scripts.migrate import migrate

HYPERTABLES = (
    "core.reading",
    "core.sample",
    "core.interval",
    "core.event",
    "core.kept_minute",
    *(f"rollup.{whose}_{width}" for whose in ("user", "device") for width in ("15m", "1h", "4h", "1d")),
    *(f"rollup.{what}_{width}" for what in ("sample", "sample_device") for width in ("15m", "1h", "1d")),
)
TABLES = (
    "core.moving_tenant",
    "core.sample_series",
    "core.interval_series",
    "core.worn_window",
    "core.daily_total",
    "core.sample_day",
    "core.stale_day",
    "core.changed_day",
    "core.last_value",
    "core.kept_value",
    "core.event_id",
    "core.stale_event_day",
    "core.device",
    "core.app_user",
    "core.ticket",
    "core.session",
    "core.access_key",
    "core.audit",
    "core.bi_login",
    "core.touched_day",
    "core.tenant_move",
    "core.tenant_shard",
)
ROLLUPS = (
    *(f"rollup.event_{width}" for width in ("1m", "1h", "1d")),
    *(f"rollup.tenant_{width}" for width in ("15m", "1h", "1d")),
)
# Those with continuous aggregates, of which drop_chunks would keep a part in the catalog.
SOURCES = {"core.event", "rollup.user_15m", "rollup.user_1h", "rollup.user_1d"}
# What a migration filled stays, so these are not truncated: only what tenants added is deleted.
DELETED = {"core.metric": "tenant_key IS NOT NULL", "core.tenant": "true"}
SEQUENCES = {
    "core.device": "core.device_device_key_seq",
    "core.app_user": "core.app_user_user_key_seq",
    "core.audit": "core.audit_entry_seq",
    "core.touched_day": "core.touched_day_entry_seq",
    "core.tenant": "core.tenant_tenant_key_seq",
}
# A hypertable whose rows were deleted still has their chunks.
FULL = " UNION ALL ".join(
    [
        f"SELECT '{name}' WHERE EXISTS (SELECT FROM pg_inherits WHERE inhparent = '{name}'::regclass)"
        for name in HYPERTABLES
    ]
    + [f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name})" for name in TABLES + ROLLUPS]
    + [f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name} WHERE {rows})" for name, rows in DELETED.items()]
)
WORN = """
    SELECT t.name
      FROM unnest(%s::text[]) AS t (name)
      JOIN pg_class AS c ON c.oid = t.name::regclass
     WHERE c.reltuples >= 0 OR pg_relation_size(c.oid) > %s
"""
MOST_ROOM = 65_536
# Wherever a test has put it: below now, as a refresh leaves it.
HORIZON = """
    UPDATE core.horizon
       SET raw_from = '-infinity', samples_from = '-infinity',
           announced = n.quarter, materialized = n.quarter, events_materialized = n.quarter
      FROM time_bucket('15 minutes', now() - INTERVAL '1 hour') AS n (quarter)
     WHERE raw_from > '-infinity'
        OR announced > n.quarter OR least(materialized, events_materialized) < n.quarter - INTERVAL '1 day'
"""
PREPARED = "prepared"
"""The database to copy, where the server is the embedded one: to prepare another takes three times as long."""


@contextmanager
def new_database(server_url: str, name: str, template: str | None = None) -> Iterator[str]:
    """Create a database, and drop it afterwards; yields its address."""
    parts = conninfo_to_dict(server_url)
    janitor = DatabaseJanitor(
        user=str(parts["user"]),
        host=str(parts["host"]),
        port=str(parts["port"]),
        password=password_of(server_url),
        dbname=name,
        template_dbname=template,
    )
    with janitor:
        yield make_conninfo(server_url, dbname=name)


@contextmanager
def prepared_database(server_url: str, name: str) -> Iterator[str]:
    """Create a database that is prepared for tests, and drop it afterwards; yields its address."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        known = connection.execute("SELECT FROM pg_database WHERE datname = %s", [PREPARED]).fetchone()
    with new_database(server_url, name, None if known is None else PREPARED) as url:
        if known is None:
            prepare(url)
        yield url


def password_of(url: str) -> str | None:
    """Return the password of an address, or the one in the file that it names."""
    parts = conninfo_to_dict(url)
    if file := parts.get("passfile"):
        return Path(str(file)).read_text(encoding="utf-8").splitlines()[0].rsplit(":", 1)[1]
    return str(parts["password"]) if "password" in parts else None


def prepare(database_url: str) -> None:
    """Migrate a database, and keep its jobs still: tests refresh when they mean to."""
    with without_jobs(database_url):
        migrate(database_url)


@contextmanager
def without_jobs(database_url: str) -> Iterator[None]:
    """Keep jobs still that a migration makes; a native server would begin them as soon as it commits."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        is_embedded = connection.execute("SELECT current_setting('hyperpulse.embedded', true)").fetchone() == ("on",)
        if not is_embedded:
            connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
            connection.execute("SELECT _timescaledb_functions.stop_background_workers()")
        yield
        connection.execute(
            "SELECT alter_job(job_id, scheduled => false) FROM timescaledb_information.jobs WHERE proc_schema = 'core'"
        )
        if not is_embedded:
            connection.execute("SELECT _timescaledb_functions.start_background_workers()")


def listen(db: psycopg.Connection, channel: str = "readings") -> None:
    """Listen as a process of the service does."""
    row = db.execute("SELECT address FROM core.channel WHERE name = %s", [channel]).fetchone()
    assert row is not None
    db.execute(sql.SQL("LISTEN {}").format(sql.Identifier(row[0])))


def empty(db: psycopg.Connection) -> None:
    """Empty the database: whatever holds something, since emptying what does not takes as long."""
    full = {name for (name,) in db.execute(FULL, prepare=True).fetchall()}
    # In one transaction, since the service keeps keys of names.
    statements = ["UPDATE core.names_version SET version = version + 1"]
    if tables := full.difference(ROLLUPS):
        statements += emptying(tables, tables & SOURCES | worn(db, tables.intersection(TABLES)))
    db.execute("; ".join(statements).encode())
    for name in full.intersection(ROLLUPS):
        # TimescaleDB changes the parsed statement, so that a prepared one fails later.
        db.execute(f"TRUNCATE {name}".encode(), prepare=False)
    db.execute(HORIZON)


def emptying(full: set[str], truncated: set[str]) -> Iterator[str]:
    """Yield the statements that empty tables, some of them by TRUNCATE.

    Dropping the chunks of a hypertable, and deleting a few rows, take a tenth of its time.
    """
    yield f"LOCK TABLE {', '.join(sorted(full))} IN ACCESS EXCLUSIVE MODE"
    for name in HYPERTABLES:
        if name in full - truncated:
            yield f"SELECT drop_chunks('{name}', 'infinity'::timestamptz)"
    if truncated:
        yield f"TRUNCATE {', '.join(sorted(truncated))} RESTART IDENTITY CASCADE"
    for name in TABLES:
        if name in full - truncated:
            yield f"DELETE FROM {name}"
    for name, rows in DELETED.items():
        if name in full:
            yield f"DELETE FROM {name} WHERE {rows}"
    for name, sequence in SEQUENCES.items():
        if name in full:
            yield f"SELECT setval('{sequence}', 1, false)"


def worn(db: psycopg.Connection, names: set[str]) -> set[str]:
    """Return the tables in which deleted rows would take much room, or whose statistics would outlive their rows."""
    return {name for (name,) in db.execute(WORN, [list(names), MOST_ROOM], prepare=True).fetchall()}
