"""The check at start: sessions of the database are as the service needs them, through a pooler too.

PgBouncer in transaction mode lends a session for one transaction. Settings that a client asks for when it connects are
lost there, so its own configuration has to make them; and what lasts longer than a transaction needs the server itself.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from service.database.bounded import TCP, names_several_hosts
from service.settings import BadSetting, Settings

REFUSED = "unsupported startup parameter"
PRIMARY = ("read-write", "primary")
SEE = "see docs/failover.md#pgbouncer"


def session_settings(settings: Settings) -> dict[str, str]:
    """Return the settings of a session that serves requests, those of time in milliseconds."""
    return {
        "TimeZone": "UTC",
        "synchronous_commit": "on",
        "statement_timeout": str(settings.statement_seconds * 1000),
        "lock_timeout": str(settings.lock_seconds * 1000),
        "idle_in_transaction_session_timeout": "60000",
        # A late upload may touch as many compressed readings as it holds.
        "timescaledb.max_tuples_decompressed_per_dml_transaction": "0",
    }


def session_options(settings: Settings) -> str:
    """Return what a session asks for when it connects: of a pooler only what that keeps track of."""
    asked = session_settings(settings)
    if settings.direct_database_url is not None:
        asked = {"TimeZone": asked["TimeZone"]}
    return " ".join(f"-c {name}={value}" for name, value in asked.items())


def require_sessions(settings: Settings) -> None:
    """Raise BadSetting where the addresses lead to sessions that are of no use; a database that is away passes."""
    if names_several_hosts(settings.database_url) and attributes(settings.database_url) not in PRIMARY:
        raise BadSetting(
            "DATABASE_URL names several hosts: add target_session_attrs=read-write, or a standby would be asked, too."
        )
    try:
        with connect(settings.database_url, options=session_options(settings)) as connection:
            if settings.direct_database_url is not None:
                require_pooler(connection)
            require_settings(connection, settings)
        if settings.direct_database_url is not None:
            with connect(settings.direct_database_url) as connection:
                if is_pooled(connection):
                    raise BadSetting("DIRECT_DATABASE_URL leads to a pooler: name the server itself.")
    except psycopg.OperationalError as error:
        if REFUSED in str(error):
            raise BadSetting(
                f"DATABASE_URL leads to PgBouncer: name the server itself in DIRECT_DATABASE_URL beside it, and {SEE}."
            ) from None
    except psycopg.Error:
        return


def connect(url: str, **more: Any) -> psycopg.Connection[tuple[Any, ...]]:
    """Open a connection."""
    return psycopg.connect(url, autocommit=True, **TCP, **more)


def attributes(url: str) -> str | None:
    """Return which of several hosts an address asks for."""
    asked = conninfo_to_dict(url).get("target_session_attrs")
    return None if asked is None else str(asked)


def is_pooled(connection: psycopg.Connection[Any]) -> bool:
    """Return whether what a connection leads to is no backend of the server, but lends one."""
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    return row is None or row[0] != connection.info.backend_pid


def require_pooler(connection: psycopg.Connection[Any]) -> None:
    """Raise BadSetting where a connection leads to no pooler, or to one that does not keep prepared statements."""
    if not is_pooled(connection):
        raise BadSetting(
            "DIRECT_DATABASE_URL is set, and DATABASE_URL leads to no pooler: leave DIRECT_DATABASE_URL out."
        )
    with connection.transaction():
        connection.execute("SELECT 1", prepare=True)
        names = connection.execute("SELECT name FROM pg_prepared_statements WHERE statement = 'SELECT 1'").fetchall()
    if any(name.startswith("_pg3_") for (name,) in names):
        raise BadSetting(
            "PgBouncer does not keep track of prepared statements: set max_prepared_statements = 200, which it has "
            "since version 1.21."
        )


def require_settings(connection: psycopg.Connection[Any], settings: Settings) -> None:
    """Raise BadSetting where a session is not as requests need it."""
    asked = session_settings(settings)
    found = dict(
        connection.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(asked)]).fetchall()
    )
    for name, value in asked.items():
        if name in found and found[name] != value:
            raise BadSetting(
                f"A session of DATABASE_URL has {name} = {found[name]} in place of {value}: set it in the "
                f"connect_query of PgBouncer; {SEE}."
            )
