"""What a tenant has in a database once it has moved."""

from __future__ import annotations

import psycopg

STORED = """
  SELECT u.user_id, r.ts, r.steps FROM core.reading AS r
    JOIN core.app_user AS u USING (user_key) JOIN core.tenant AS t USING (tenant_key) WHERE t.tenant_id = 'clinic'
"""
WRONG = "SELECT * FROM api.verify('-infinity', 'infinity') WHERE problem IS NOT NULL"


def quietly(what: str) -> None:
    """Say nothing of a move."""


def rows_of(
    database: psycopg.Connection, tables: str = "reading sample interval worn_window daily_total"
) -> dict[str, int]:
    """How many rows of the clinic there are in each table."""
    found = {}
    for table in tables.split():
        row = database.execute(
            f"SELECT count(*) FROM core.{table} JOIN core.app_user USING (user_key) JOIN core.tenant USING (tenant_key)"
            " WHERE tenant_id = 'clinic'".encode()
        ).fetchone()
        assert row is not None
        found[table] = row[0]
    return found
