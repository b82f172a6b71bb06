"""Answers about a user read the marks of that user, however many others have, and whatever the statistics say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

DAY = datetime(2025, 1, 15, tzinfo=UTC)
BLOCKS = """
    SELECT heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit
      FROM pg_statio_user_tables WHERE relid = 'core.stale_day'::regclass
"""
MARKS = """
    INSERT INTO core.stale_day (user_key, day, quarters, sample_quarters)
      SELECT 1000000 + u, %s::timestamptz - d * INTERVAL '1 day', ~ B'0'::bit(96), ~ B'0'::bit(96)
        FROM generate_series(1, 3000) AS u, generate_series(-10, 20) AS d
"""
READINGS = """
    INSERT INTO api.incoming_readings (user_id, device_id, ts, heart_rate, steps)
      SELECT 'ada', 'watch', %s::timestamptz + n * INTERVAL '7 hours', 60, 10 FROM generate_series(0, 9) AS n
"""
FEW = 200
"""Blocks that lookups of one user read, of which a view has some fifty; an index of the marks of the others has 400."""
RANGE = "'2025-01-15 00:07+00', '2025-01-18 00:00+00'"
DAYS = "user_id = 'ada' AND bucket >= '2025-01-15' AND bucket < '2025-01-18'"
QUESTIONS = {
    "latest": "SELECT * FROM api.latest('default', 'ada')",
    "summary": f"SELECT * FROM api.summary('default', 'ada', {RANGE})",
    "series": f"SELECT * FROM api.series('default', 'ada', {RANGE}, '1h')",
    "local days": f"SELECT * FROM api.series('default', 'ada', {RANGE}, '1d', 'Asia/Kathmandu')",
    "metric summary": f"SELECT * FROM api.metric_summary('default', 'ada', {RANGE})",
    "metric series": f"SELECT * FROM api.metric_series('default', 'ada', {RANGE}, '{{steps}}', '1h')",
    "overview": "SELECT * FROM api.overview('default')",
    "users": "SELECT * FROM api.users WHERE tenant_id = 'default'",
    "last seen": "SELECT * FROM api.last_seen WHERE tenant_id = 'default' AND user_id = 'ada'",
    "daily": "SELECT * FROM api.daily('UTC', '2025-01-15', '2025-01-17', 'default', 'ada')",
    "vitals by day": f"SELECT * FROM api.vitals_1d WHERE {DAYS}",
    "metrics by day": f"SELECT * FROM api.metrics_1d WHERE {DAYS}",
}


def blocks(db: psycopg.Connection[Any]) -> int:
    """Return how many blocks of the marks and their indexes were read so far."""
    db.execute("SELECT pg_stat_force_next_flush()")
    db.execute("SELECT pg_stat_clear_snapshot()")
    row = db.execute(BLOCKS).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.native  # the embedded database counts no blocks
def test_marks_of_others_are_not_read(db: psycopg.Connection[Any]) -> None:
    """Where statistics and plans are of a moment without marks, other ways look as good as the index by user."""
    db.execute(READINGS, [DAY])
    db.execute("CALL api.refresh()")
    db.execute(MARKS, [DAY])
    db.execute("DELETE FROM core.stale_day")
    db.execute("VACUUM (ANALYZE) core.stale_day")
    for question in QUESTIONS.values():
        for _ in range(6):
            db.execute(question)
    db.execute(MARKS, [DAY])
    db.execute(READINGS, [DAY + timedelta(minutes=1)])
    read = {}
    for name, question in QUESTIONS.items():
        before = blocks(db)
        assert db.execute(question).fetchall(), name
        read[name] = blocks(db) - before
    assert {name: count for name, count in read.items() if count >= FEW} == {}
