"""The views that BI tools read: exact before, during and after a refresh, and readable by bi_reader alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from tests.support.interleaving import script

NOON = datetime(2025, 1, 15, 12, tzinfo=UTC)
WIDTHS = {"1m": 1440, "15m": 96, "1h": 24, "1d": 1}


def write(db: psycopg.Connection, user_id: str, device_id: str, ts: datetime, heart_rate: float, steps: int) -> None:
    db.execute(
        "INSERT INTO api.readings (user_id, device_id, ts, heart_rate, steps) VALUES (%s, %s, %s, %s, %s)",
        [user_id, device_id, ts, heart_rate, steps],
    )


def fill(db: psycopg.Connection) -> None:
    """Two users with two devices each: long ago, yesterday, and just now."""
    now = datetime.now(UTC).replace(microsecond=0)
    for moment in (NOON, NOON + timedelta(minutes=7), NOON + timedelta(hours=5), now - timedelta(days=1), now):
        for number, user_id in enumerate(("ada", "grace")):
            write(db, user_id, "watch", moment, 60 + number, 3)
            write(db, user_id, "device_a", moment + timedelta(milliseconds=1), 70 + number, 4)


def from_view(db: psycopg.Connection, level: str) -> list[tuple[object, ...]]:
    return db.execute(
        f"""SELECT user_id, bucket, heart_rate_count, heart_rate_avg, heart_rate_min, heart_rate_max, heart_rate_device,
                   steps, calories
              FROM api.vitals_{level} ORDER BY user_id, bucket""".encode()
    ).fetchall()


def from_series(db: psycopg.Connection, level: str) -> list[tuple[object, ...]]:
    return db.execute(
        """SELECT u.user_id, s.t, s.heart_rate_count, s.heart_rate_avg, s.heart_rate_min, s.heart_rate_max,
                  s.heart_rate_device, s.steps, s.calories
             FROM api.users AS u, api.series('default', u.user_id, '2000-01-01Z', '2100-01-01Z', %s) AS s
            ORDER BY 1, 2""",
        [level],
    ).fetchall()


@pytest.mark.parametrize("level", WIDTHS)
def test_a_view_says_what_the_series_says(db: psycopg.Connection, level: str) -> None:
    fill(db)
    before = from_series(db, level)
    assert len(before) > 4
    assert from_view(db, level) == before
    db.execute("CALL api.refresh()")
    assert from_view(db, level) == from_series(db, level) == before
    write(db, "ada", "device_a", NOON, 99, 50)
    changed = from_series(db, level)
    assert changed != before
    assert from_view(db, level) == changed
    db.execute("CALL api.refresh()")
    assert from_view(db, level) == from_series(db, level) == changed


def test_the_best_readings_are_those_that_the_minutes_are_made_of(db: psycopg.Connection) -> None:
    """Three devices whose readings lack metrics in all ways, and whose priorities change."""
    db.execute("SELECT setseed(0.5)")
    db.execute(
        """INSERT INTO api.readings (user_id, device_id, ts, heart_rate, steps, calories)
             SELECT r.user_id, r.device_id, r.ts, CASE WHEN r.n & 1 > 0 THEN 60 + r.n END,
                    CASE WHEN r.n & 2 > 0 THEN r.n END, CASE WHEN r.n & 4 > 0 OR r.n = 0 THEN r.n / 8.0 END
               FROM (SELECT u AS user_id, d AS device_id, floor(8 * random())::int AS n,
                            %s + s * INTERVAL '17 seconds' + i * INTERVAL '1 second' AS ts
                       FROM unnest(ARRAY['ada', 'grace']) AS u, generate_series(0, 400) AS s,
                            unnest(ARRAY['watch', 'phone', 'strap']) WITH ORDINALITY AS d (d, i)
                      WHERE random() < 0.6) AS r""",
        [NOON],
    )
    by_minute = """
        SELECT b.user_id, b.bucket, count(b.heart_rate), min(b.heart_rate), max(b.heart_rate), sum(b.steps),
               sum(b.calories), min(b.device_id) FILTER (WHERE b.heart_rate IS NOT NULL)
          FROM api.best_readings AS b GROUP BY 1, 2 ORDER BY 1, 2"""
    minutes = """
        SELECT user_id, bucket, heart_rate_count, heart_rate_min, heart_rate_max, steps, calories, heart_rate_device
          FROM api.vitals_1m ORDER BY 1, 2"""
    invented = """
        SELECT count(*)
          FROM api.best_readings AS b
          LEFT JOIN api.readings AS r USING (tenant_id, user_id, device_id, ts)
         WHERE r.ts IS NULL OR b.heart_rate <> r.heart_rate OR b.steps <> r.steps OR b.calories <> r.calories
            OR b.bucket <> date_trunc('minute', b.ts)"""
    for device_id in ("strap", "phone", "watch"):
        db.execute("SELECT api.set_device('default', %s, NULL, 0)", [device_id])
        assert db.execute(by_minute).fetchall() == db.execute(minutes).fetchall()
        assert db.execute(invented).fetchone() == (0,)
        db.execute("SELECT api.set_device('default', %s, NULL, 5)", [device_id])


def fill_lately(db: psycopg.Connection) -> None:
    """Two devices of one user, every seven minutes of the last seventy hours."""
    db.execute(
        """INSERT INTO api.readings (user_id, device_id, ts, heart_rate, steps)
             SELECT 'ada', d, date_trunc('second', now()) - n * INTERVAL '7 minutes', 60 + n % 50, n
               FROM generate_series(0, 600) AS n, unnest(ARRAY['watch', 'phone']) AS d"""
    )


@pytest.mark.parametrize("level", ["15m", "1h", "1d"])
@pytest.mark.parametrize("behind", ["1 hour", "46 hours 50 minutes", "60 hours"])
def test_a_view_is_exact_however_far_behind_the_horizon_is(db: psycopg.Connection, level: str, behind: str) -> None:
    """Where no refresher has run for long, older readings above the horizon are found on another way than new ones."""
    db.execute(
        """UPDATE core.horizon AS h SET announced = n.moment, materialized = n.moment
             FROM (SELECT time_bucket('15 minutes', now() - %s::interval) AS moment) AS n""",
        [behind],
    )
    fill_lately(db)
    with db.transaction():
        # Before any refresh: what is above the horizon is in no rollup, and what is below is marked.
        row = db.execute("SELECT materialized < now() - %s::interval FROM core.horizon", [behind]).fetchone()
        assert row == (True,), "a refresher of the service has moved it"
        assert from_view(db, level) == from_series(db, level)
    db.execute("CALL api.refresh()")
    assert from_view(db, level) == from_series(db, level)


@pytest.mark.parametrize("trusts_announced", [False, True])
def test_new_readings_are_raw_until_the_horizon_is_trusted(db: psycopg.Connection, trusts_announced: bool) -> None:
    """What is announced is not trusted yet: a view that did would miss the readings in between."""
    fill_lately(db)
    db.execute("CALL api.refresh()")
    with db.transaction(force_rollback=True):
        db.execute("UPDATE core.horizon SET announced = materialized + INTERVAL '30 minutes'")
        if trusts_announced:
            db.execute(script("raw_minutes").replace("h.materialized", "h.announced").encode())
        assert (from_view(db, "15m") == from_series(db, "15m")) is not trusts_announced


def test_bi_reader_reads_api_and_nothing_else(db: psycopg.Connection) -> None:
    fill(db)
    with db.transaction(force_rollback=True):
        db.execute("SET LOCAL ROLE bi_reader")
        views = db.execute("SELECT viewname FROM pg_views WHERE schemaname = 'api'").fetchall()
        for (view,) in views:
            db.execute(f"SELECT * FROM api.{view}".encode())
        assert db.execute("SELECT steps FROM api.summary('default', 'ada', '2025-01-15Z', '2025-01-16Z')").fetchone()
        assert db.execute("SELECT * FROM api.series('default', 'ada', '2025-01-15Z', '2025-01-16Z')").fetchall()


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM core.reading",
        "SELECT * FROM rollup.user_1d",
        "INSERT INTO api.readings (user_id, ts, steps) VALUES ('eve', now(), 1)",
        "DELETE FROM api.readings",
        "SELECT api.set_device('default', 'watch', NULL, 1)",
        "CALL api.refresh()",
        "SELECT api_internal.enrol_users(ARRAY['default'], ARRAY['eve'])",
        "SELECT api_internal.raw_quarters_of('{1}', '-infinity', 'infinity', NULL, NULL)",
    ],
)
def test_bi_reader_cannot(db: psycopg.Connection, statement: str) -> None:
    fill(db)
    with pytest.raises(psycopg.errors.InsufficientPrivilege), db.transaction():
        db.execute("SET LOCAL ROLE bi_reader")
        db.execute(statement.encode())


@pytest.mark.parametrize("level", ["1h", "1d"])
def test_a_month_of_a_view_reads_no_quarter_of_fresh_days(db: psycopg.Connection, level: str) -> None:
    """Of the user's 2,880 quarters only those of the horizon's day and of stale days are looked up."""
    db.execute(
        """INSERT INTO api.readings (user_id, device_id, ts, heart_rate)
             SELECT 'ada', 'watch', n, 60
               FROM generate_series('2025-01-01Z'::timestamptz, '2025-01-30 23:59Z', INTERVAL '15 minutes') AS n
           UNION ALL
           -- Others of a single day make the planner expect few quarters of a user.
           SELECT 'user ' || u, 'watch ' || u, n, 60
             FROM generate_series(1, 400) AS u,
                  generate_series('2025-01-30Z'::timestamptz, '2025-01-30 23:59Z', INTERVAL '4 hours') AS n"""
    )
    db.execute("CALL api.refresh()")
    db.execute("ANALYZE")
    write(db, "ada", "watch", NOON + timedelta(seconds=1), 99, 50)
    plan = db.execute(
        f"""EXPLAIN (ANALYZE, FORMAT JSON)
            SELECT * FROM api.vitals_{level}
             WHERE user_id = 'ada' AND bucket >= '2025-01-01Z' AND bucket < '2025-01-31Z'""".encode()
    ).fetchone()
    assert plan is not None
    assert 0 < quarters_read(plan[0][0]["Plan"]) <= 2 * 96


def quarters_read(node: dict[str, Any]) -> float:
    """Add up the rows that scans of rollup.user_15m found."""
    found = node["Actual Rows"] * node["Actual Loops"] if "user_15m" in node.get("Index Name", "") else 0
    return found + sum(quarters_read(child) for child in node.get("Plans", []))
