"""Compression, retention and the self-check: answers stay right, and drift is found where there is some."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

NOON = datetime(2025, 1, 15, 12, tzinfo=UTC)
INSERT = "INSERT INTO api.readings (user_id, device_id, ts, heart_rate, steps) VALUES ('ada', %s, %s, %s, %s)"


def fill(db: psycopg.Connection, days: int = 3) -> None:
    for day in range(days):
        for minute in range(5):
            db.execute(INSERT, ["watch", NOON + timedelta(days=day, minutes=minute), 60 + minute, 10])


def summary(db: psycopg.Connection) -> tuple[object, ...]:
    query = """SELECT heart_rate_count, heart_rate_avg, steps, first, last
                 FROM api.summary('default', 'ada', '2025-01-01Z', '2026-01-01Z')"""
    row = db.execute(query).fetchone()
    assert row is not None
    return row


def compressed(db: psycopg.Connection) -> int:
    row = db.execute(
        "SELECT count(*) FROM timescaledb_information.chunks WHERE hypertable_name = 'reading' AND is_compressed"
    ).fetchone()
    assert row is not None
    return int(row[0])


def test_what_is_late_enough_is_compressed(db: psycopg.Connection) -> None:
    fill(db)
    before = summary(db)
    db.execute("CALL api.upkeep()")
    assert compressed(db) == 0, "days that are stale are left alone"
    db.execute("CALL api.refresh()")
    db.execute("CALL api.upkeep()")
    assert compressed(db) == 3
    assert summary(db) == before
    db.execute("CALL api.refresh()")
    assert summary(db) == before


def test_compressed_chunks_can_be_written_to(db: psycopg.Connection) -> None:
    fill(db)
    db.execute("CALL api.refresh()")
    db.execute("CALL api.upkeep()")
    db.execute(INSERT, ["watch", NOON, 90, None])
    db.execute(INSERT, ["watch", NOON + timedelta(hours=1), None, 1000])
    db.execute("UPDATE api.readings SET steps = 20 WHERE ts = %s", [NOON + timedelta(minutes=1)])
    db.execute("DELETE FROM api.readings WHERE ts = %s", [NOON + timedelta(minutes=2)])
    expected = (14, (90 + 61 + 63 + 64 + 2 * (60 + 61 + 62 + 63 + 64)) / 14, 150 + 1000 + 10 - 10)
    assert summary(db)[:3] == expected
    db.execute("CALL api.refresh()")
    db.execute("CALL api.upkeep()")
    assert summary(db)[:3] == expected
    rows = db.execute("SELECT count(*) FROM api.readings").fetchone()
    assert rows == (15,)


def test_the_outcomes_in_a_compressed_chunk_are_true(db: psycopg.Connection) -> None:
    fill(db)
    db.execute("CALL api.refresh()")
    db.execute("CALL api.upkeep()")
    row = db.execute(
        """SELECT api_internal.write_readings(array_fill('default'::text, ARRAY[3]), array_fill('ada'::text, ARRAY[3]),
             array_fill('watch'::text, ARRAY[3]), %s::timestamptz[], %s::float8[], %s::int[], %s::float8[])""",
        [[NOON, NOON + timedelta(minutes=1), NOON + timedelta(hours=2)], [60, 99, 60], [10, 10, 10], [None] * 3],
    ).fetchone()
    assert row == (["unchanged", "updated", "inserted"],)


def test_tables_are_analyzed_where_no_autovacuum_does(db: psycopg.Connection) -> None:
    if db.execute("SHOW autovacuum").fetchone() == ("on",):
        pytest.skip("autovacuum analyzes here")
    enrol = "INSERT INTO api.readings (user_id, device_id, ts, steps) VALUES (%s, 'watch', %s, 1)"

    def known(table: str) -> object:
        row = db.execute("SELECT reltuples FROM pg_class WHERE oid = %s::regclass", [table]).fetchone()
        assert row is not None
        return row[0]

    for number in range(7):
        db.execute(enrol, [f"user {number}", NOON])
    db.execute("CALL api.refresh()")
    db.execute("CALL api.upkeep()")
    assert known("core.app_user") == 7
    query = """SELECT count(*) FROM pg_stats
                WHERE inherited AND attname = 'user_key' AND schemaname || '.' || tablename = ANY (%s)"""
    rolled_up = ["core.reading", "rollup.user_15m", "rollup.user_1h", "rollup.user_4h", "rollup.user_1d"]
    assert db.execute(query, [rolled_up]).fetchone() == (len(rolled_up),)
    db.execute(enrol, ["user 7", NOON])
    db.execute("CALL api.upkeep()")
    assert known("core.app_user") == 7, "nothing was rolled up since the last upkeep"


def test_without_retention_nothing_is_ever_dropped(db: psycopg.Connection) -> None:
    fill(db)
    db.execute("CALL api.refresh()")
    db.execute("CALL api.upkeep()")
    assert db.execute("SELECT count(*) FROM api.readings").fetchone() == (15,)


def test_raw_readings_go_and_rollups_stay(db: psycopg.Connection) -> None:
    fill(db)
    db.execute("CALL api.refresh()")
    before = summary(db)
    db.execute("UPDATE core.setting SET value = '30 days' WHERE name = 'raw_retention'")
    db.execute("CALL api.upkeep()")
    assert db.execute("SELECT count(*) FROM api.readings").fetchone() == (0,)
    assert summary(db) == before
    db.execute("CALL api.refresh()")
    assert summary(db) == before


def test_nothing_is_dropped_that_a_stale_day_needs(db: psycopg.Connection) -> None:
    fill(db)
    before = summary(db)
    db.execute("UPDATE core.setting SET value = '30 days' WHERE name = 'raw_retention'")
    db.execute("CALL api.upkeep()")
    assert summary(db) == before
    db.execute("CALL api.refresh()")
    db.execute("CALL api.upkeep()")
    assert db.execute("SELECT count(*) FROM api.readings").fetchone() == (0,)
    assert summary(db) == before


def test_the_check_finds_no_drift_where_there_is_none(db: psycopg.Connection) -> None:
    fill(db)
    db.execute("CALL api.refresh()")
    query = "SELECT level, count(*), count(problem) FROM api.verify('2025-01-01Z', '2026-01-01Z') GROUP BY 1 ORDER BY 1"
    found = [(level, 3, 0) for width in ("15m", "1d", "1h", "4h") for level in (width, f"{width} by device")]
    assert db.execute(query).fetchall() == found


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        ("UPDATE core.reading SET steps = 11 WHERE ts = '2025-01-15T12:00Z'", "differs from the readings"),
        ("DELETE FROM core.reading WHERE ts < '2025-01-16Z'", "in the rollup without a reading"),
        (
            "INSERT INTO core.reading (user_key, device_key, ts, steps) SELECT user_key, device_key, '2025-02-01Z', 1 "
            "FROM core.reading LIMIT 1",
            "missing from the rollup",
        ),
    ],
)
def test_the_check_finds_drift(db: psycopg.Connection, damage: str, problem: str) -> None:
    """Behind the back of the view, as no one may write."""
    fill(db)
    db.execute("CALL api.refresh()")
    db.execute(damage.encode())
    query = "SELECT DISTINCT problem FROM api.verify('2025-01-01Z', '2026-01-01Z') WHERE problem IS NOT NULL"
    assert db.execute(query).fetchall() == [(problem,)]
