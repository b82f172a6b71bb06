"""The pieces of a refresh: none reads all marks that wait, and one that makes a chunk is done twice."""

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


def test_a_piece_that_makes_a_chunk_leaves_its_marks(db: psycopg.Connection[Any]) -> None:
    """Other sessions hear of a chunk a moment after they see what was committed with it."""
    db.execute("CALL api.refresh()")
    db.execute(
        "INSERT INTO api.incoming_readings (user_id, device_id, ts, steps) VALUES ('ada', 'watch', %s, 7)", [DAY]
    )
    marks = "SELECT count(*) FROM core.stale_day"
    rows = "SELECT count(*) FROM rollup.user_15m"
    piece = "SELECT isfinite(day), user_key, user_days FROM api_internal.refresh_users('infinity', 0, 9)"
    steps = []
    for _ in range(2):
        done = db.execute(piece).fetchone()
        steps.append((done, db.execute(marks).fetchone(), db.execute(rows).fetchone()))
    assert steps == [((False, 0, 0), (1,), (1,)), ((True, 1, 1), (0,), (1,))]
