"""Readings until now, and a role as docs/bi.md creates one for a tool."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.sql.tools.world import NAME, Reading, World
from tests.support.database import empty

FILL = """
    INSERT INTO api.readings (user_id, device_id, ts, heart_rate, steps)
      SELECT u.user_id, 'watch', date_trunc('minute', now()) - n * INTERVAL '20 minutes', 60 + n % 17, n % 11
        FROM (VALUES ('ada', 1), ('bob', 200)) AS u (user_id, first), generate_series(1, 800) AS n
       WHERE n >= u.first
"""


@pytest.fixture(scope="package")
def world(database_url: str) -> Iterator[World]:
    """Two users, of whom one went silent; a role as docs/bi.md creates one for a tool."""
    with psycopg.connect(database_url, autocommit=True, options="-c timezone=UTC") as owner:
        empty(owner)
        owner.execute(FILL)
        owner.execute("CALL api.refresh()")
        owner.execute("CALL api.upkeep()")
        owner.execute(f"CREATE ROLE {NAME} LOGIN PASSWORD 'tool' IN ROLE bi_reader".encode())
        owner.execute(f"ALTER ROLE {NAME} SET default_transaction_isolation = 'repeatable read'".encode())
        owner.execute(f"ALTER ROLE {NAME} SET plan_cache_mode = 'force_custom_plan'".encode())
        rows = owner.execute("SELECT user_id, ts, heart_rate, steps FROM api.readings ORDER BY ts").fetchall()
        row = owner.execute("SELECT now()").fetchone()
        assert row is not None
        url = make_conninfo(database_url, user=NAME, password="tool")
        yield World(owner, url, row[0], [Reading(*reading) for reading in rows])
        owner.execute(f"DROP OWNED BY {NAME}; DROP ROLE {NAME}".encode())
