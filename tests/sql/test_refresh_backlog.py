"""A refresh of a long backlog: what a piece costs does not grow with the number of marks that wait."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

DAY = datetime(2025, 1, 15, tzinfo=UTC)
DAYS = 100
READ = "SELECT seq_tup_read FROM pg_stat_user_tables WHERE relid = 'core.stale_day'::regclass"
# As uploads of many hours leave them: several marks of each day.
FILL = """
    INSERT INTO core.stale_day (user_key, day, quarters)
      SELECT u.user_key, d.day, ~ B'0'::bit(96)
        FROM core.app_user AS u, unnest(%s::timestamptz[]) AS d (day), generate_series(1, 100)
"""


def read(db: psycopg.Connection[Any]) -> int:
    """Return how many marks were read by statements that read all of them."""
    db.execute("SELECT pg_stat_force_next_flush()")
    db.execute("SELECT pg_stat_clear_snapshot()")
    row = db.execute(READ).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.native  # the embedded database counts no such reads
def test_pieces_do_not_read_all_marks(db: psycopg.Connection[Any]) -> None:
    """Nor do those whose statements have plans that serve all days, as those of a long refresh have."""
    db.execute("SELECT api_internal.enrol_users('{default}', '{ada}')")
    db.execute("CALL api.refresh()")
    db.execute(FILL, [[DAY + timedelta(days=day) for day in range(DAYS)]])
    db.execute("ANALYZE core.stale_day")
    before = read(db)
    db.execute("CALL api_internal.refresh_stale_days('infinity', 0)")
    assert db.execute("SELECT count(*) FROM core.stale_day").fetchone() == (0,)
    assert read(db) - before < DAYS * 100 * 10
