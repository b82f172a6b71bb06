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
    "core.sample_series",
    "core.interval_series",
    "core.worn_window",
    "core.daily_total",
    "core.sample_day",
    "core.stale_day",
    "core.changed_day",
    "core.last_value",
    "core.event_id",
    "core.stale_event_day",
    "core.device",
    "core.app_user",
    "core.ticket",
    "core.session",
    "core.access_key",
    "core.audit",
    "core.bi_login",
    "core.moving_tenant",
    "core.touched_day",
    "core.tenant_move",
    "core.tenant_shard",
)
ROLLUPS = (
    *(f"rollup.event_{width}" for width in ("1m", "1h", "1d")),
    *(f"rollup.tenant_{width}" for width in ("15m", "1h", "1d")),
)
# What a migration filled stays, so these are not truncated: only what tenants added is deleted.
DELETED = {"core.metric": "tenant_key IS NOT NULL", "core.tenant": "true"}
# A hypertable whose rows were deleted still has their chunks.
FULL = " UNION ALL ".join(
    [
        f"SELECT '{name}' WHERE EXISTS (SELECT FROM pg_inherits WHERE inhparent = '{name}'::regclass)"
        for name in HYPERTABLES
    ]
    + [f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name})" for name in TABLES + ROLLUPS]
    + [f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name} WHERE {rows})" for name, rows in DELETED.items()]
)


@contextmanager
def new_database(server_url: str, name: str) -> Iterator[str]:
    """Create a database, and drop it afterwards; yields its address."""
    parts = conninfo_to_dict(server_url)
    janitor = DatabaseJanitor(
        user=str(parts["user"]),
        host=str(parts["host"]),
        port=str(parts["port"]),
        password=password_of(server_url),
        dbname=name,
    )
    with janitor:
        yield make_conninfo(server_url, dbname=name)


def password_of(url: str) -> str | None:
    """Return the password of an address, or the one in the file that it names."""
    parts = conninfo_to_dict(url)
    if file := parts.get("passfile"):
        return Path(str(file)).read_text(encoding="utf-8").splitlines()[0].rsplit(":", 1)[1]
    return str(parts["password"]) if "password" in parts else None


def prepare(database_url: str) -> None:
    """Migrate a database, and keep its jobs still: tests refresh when they mean to."""
    migrate(database_url)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "SELECT alter_job(job_id, scheduled => false) FROM timescaledb_information.jobs WHERE proc_schema = 'core'"
        )


def listen(db: psycopg.Connection, channel: str = "readings") -> None:
    """Listen as a process of the service does."""
    row = db.execute("SELECT address FROM core.channel WHERE name = %s", [channel]).fetchone()
    assert row is not None
    db.execute(sql.SQL("LISTEN {}").format(sql.Identifier(row[0])))


def empty(db: psycopg.Connection) -> None:
    """Empty the database: whatever holds something, since emptying what does not takes as long."""
    full = [name for (name,) in db.execute(FULL).fetchall()]
    # In one transaction, since the service keeps keys of names.
    statements = ["UPDATE core.names_version SET version = version + 1"]
    if tables := [name for name in full if name in HYPERTABLES + TABLES]:
        statements.append(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY CASCADE")
    statements += [f"DELETE FROM {name} WHERE {rows}" for name, rows in DELETED.items() if name in full]
    if "core.tenant" in full:
        statements.append("ALTER TABLE core.tenant ALTER tenant_key RESTART")
    if len(statements) > 1:
        db.execute("; ".join(statements).encode())
    for name in full:
        if name in ROLLUPS:
            db.execute(f"TRUNCATE {name}".encode())
    db.execute("UPDATE core.horizon SET raw_from = '-infinity' WHERE raw_from > '-infinity'")
