"""The check at start: what others can reach needs keys."""

from __future__ import annotations

import psycopg

from service.http.hosts import is_loopback
from service.settings import BadSetting, Settings


def require_keys(settings: Settings) -> None:
    """Raise BadSetting where other machines reach the service and there is no key; a database that is away passes.

    Until the database answers no request is admitted either, so nothing is open meanwhile.
    """
    if settings.auth != "auto" or is_loopback(settings.host.lower()):
        return
    try:
        with psycopg.connect(settings.database_url, connect_timeout=5) as connection:
            row = connection.execute("SELECT EXISTS (SELECT FROM core.access_key)").fetchone()
    except psycopg.errors.UndefinedTable:
        row = None
    except psycopg.Error:
        return
    if row is None or not row[0]:
        raise BadSetting(
            f"HOST is {settings.host}, which other machines reach, and there is no key: make one with `make keys "
            "ARGS='create --scope ingest --scope read'`, or set AUTH=off to let everyone in."
        )
