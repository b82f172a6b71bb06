"""Intervals, worn windows and daily totals as they are stored: by key, in batches."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import psycopg
import pytest

NOON = datetime(2025, 1, 15, 12, tzinfo=UTC)
MERGE = """
    SELECT m.inserted, m.updated
      FROM api_internal.hold_horizon() AS h
     CROSS JOIN LATERAL api_internal.merge_intervals(
       api_internal.enrol_users(%(tenants)s, %(users)s), %(metrics)s::int[],
       api_internal.enrol_devices(%(tenants)s, %(devices)s),
       %(starts)s::timestamptz[], %(ends)s::timestamptz[], %(values)s::float8[], %(kinds)s::smallint[]) AS m
     WHERE h IS NOT NULL
"""
COMPRESS = "SELECT compress_chunk(c, true) FROM show_chunks('core.interval') AS c"
MARKS = """
    SELECT s.day + q * INTERVAL '15 minutes'
      FROM core.stale_day AS s
     CROSS JOIN generate_series(0, 95) AS q
     WHERE get_bit(s.quarters, q) = 1
     GROUP BY 1
     ORDER BY 1
"""


class Part(NamedTuple):
    """An interval, a worn window or a daily total, in minutes from noon."""

    start: float
    end: float
    value: float = 0
    metric: int = 2
    device: str = "watch"
    kind: int = 0
    user: str = "ada"


def merge(db: psycopg.Connection[Any], *parts: Part) -> tuple[list[int], list[int]]:
    """Store parts; return the positions of new and of changed ones."""
    with db.transaction():
        row = db.execute(
            MERGE,
            {
                "tenants": ["default" for _ in parts],
                "users": [part.user for part in parts],
                "metrics": [part.metric for part in parts],
                "devices": [part.device for part in parts],
                "starts": [NOON + timedelta(minutes=part.start) for part in parts],
                "ends": [NOON + timedelta(minutes=part.end) for part in parts],
                "values": [part.value for part in parts],
                "kinds": [part.kind for part in parts],
            },
        ).fetchone()
    assert row is not None
    return sorted(row[0]), sorted(row[1])


def marked(db: psycopg.Connection[Any]) -> list[float]:
    """Return the starts of the quarters that are marked, in minutes from noon, and forget the marks."""
    found = [(when - NOON) / timedelta(minutes=1) for (when,) in db.execute(MARKS)]
    db.execute("TRUNCATE core.stale_day")
    return found


def test_each_kind_is_stored_once_and_replaced(db: psycopg.Connection[Any]) -> None:
    parts = [Part(0, 10, 100), Part(0, 10, 70, metric=28), Part(0, 60, kind=1, metric=0), Part(-720, 720, 9000, kind=2)]
    assert merge(db, *parts) == ([1, 2, 3, 4], [])
    before = db.execute("SELECT max(version) FROM core.interval").fetchone()
    assert merge(db, *parts) == ([], [])
    assert db.execute("SELECT max(version) FROM core.interval").fetchone() == before
    # A growing upload.
    grown = [Part(0, 20, 100), parts[1], Part(0, 90, kind=1, metric=0), Part(-720, 720, 9100, kind=2)]
    assert merge(db, *grown) == ([], [1, 3, 4])
    after = db.execute("SELECT version FROM core.interval WHERE metric_key = 2").fetchone()
    assert before is not None
    assert after is not None
    assert after > before
    assert merge(db, *grown) == ([], [])


def test_the_metric_and_the_value_of_a_worn_window_do_not_matter(db: psycopg.Connection[Any]) -> None:
    assert merge(db, Part(0, 60, 0, metric=0, kind=1)) == ([1], [])
    assert merge(db, Part(0, 60, 5, metric=7, kind=1)) == ([], [])


def test_of_one_identity_in_a_batch_the_last_counts(db: psycopg.Connection[Any]) -> None:
    assert merge(db, Part(0, 10, 1), Part(0, 20, 2), Part(0, 30, 3), Part(0, 10, 1, device="phone")) == ([3, 4], [])
    assert db.execute("SELECT value FROM core.interval ORDER BY value").fetchall() == [(1,), (3,)]


def test_the_order_of_a_batch_is_the_order_of_versions(db: psycopg.Connection[Any]) -> None:
    merge(db, Part(20, 30, 1), Part(0, 10, 2), Part(10, 25, 3))
    assert db.execute("SELECT value FROM core.interval ORDER BY version").fetchall() == [(1,), (2,), (3,)]


def test_a_change_marks_the_hours_of_both_extents(db: psycopg.Connection[Any]) -> None:
    merge(db, Part(50, 70, 1))
    assert marked(db) == [0, 15, 30, 45, 60, 75, 90, 105]
    merge(db, Part(50, 60, 1))
    assert marked(db) == [0, 15, 30, 45, 60, 75, 90, 105]
    # It ends where the next hour begins.
    merge(db, Part(50, 60, 2))
    assert marked(db) == [0, 15, 30, 45]
    merge(db, Part(50, 60, 2))
    assert marked(db) == []
    merge(db, Part(130, 140, kind=1, metric=0))
    assert marked(db) == [120, 135, 150, 165]


@pytest.mark.parametrize("part", [Part(0, 10, 70, metric=28), Part(-720, 720, 9000, kind=2)])
def test_what_is_in_no_rollup_marks_nothing(db: psycopg.Connection[Any], part: Part) -> None:
    merge(db, part)
    assert marked(db) == []


def test_nothing_above_the_horizon_is_marked(db: psycopg.Connection[Any]) -> None:
    kept = db.execute("SELECT materialized, announced FROM core.horizon").fetchone()
    assert kept is not None
    try:
        db.execute(
            "UPDATE core.horizon SET materialized = %(to)s, announced = %(to)s", {"to": NOON + timedelta(minutes=30)}
        )
        merge(db, Part(20, 80, 1))
        assert marked(db) == [0, 15]
        merge(db, Part(60, 80, 1))
        assert marked(db) == []
    finally:
        db.execute("UPDATE core.horizon SET materialized = %s, announced = %s", kept)


def test_compressed_intervals_are_replaced(db: psycopg.Connection[Any]) -> None:
    merge(db, *(Part(10 * n, 10 * n + 10, n) for n in range(50)))
    db.execute(COMPRESS)
    again = [Part(10 * n, 10 * n + 10, n + n % 2) for n in range(50)]
    assert merge(db, *again) == ([], list(range(2, 51, 2)))
    assert merge(db, *again) == ([], [])


@pytest.mark.parametrize(
    "part",
    [
        Part(10, 10, 1),
        Part(10, 5, 1),
        Part(0, 1441, 1),
        Part(0, 1501, 1, kind=2),
        Part(0, 1, -1),
        Part(0, 1, 1, metric=1),
    ],
)
def test_what_no_interval_can_be_is_refused(db: psycopg.Connection[Any], part: Part) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        merge(db, part)


def test_a_thousand_intervals_of_an_hour_cost_no_more_than_their_minutes(db: psycopg.Connection[Any]) -> None:
    merge(db, *(Part(item / 60_000, 60 - item / 60_000, value=100) for item in range(1000)))
    merge(db, *(Part(item / 60_000, 60 - item / 60_000, device="ring", kind=1) for item in range(1000)))
    with db.transaction():
        # Compared pair by pair they took more than a minute.
        db.execute("SET LOCAL statement_timeout = '15s'")
        row = db.execute(
            """SELECT count(*), sum(c.amount)
                 FROM core.app_user AS u
                CROSS JOIN LATERAL api_internal.counted_minutes(
                  u.user_key, '{2}', tstzmultirange(tstzrange('2025-01-15 12:00Z', '2025-01-15 13:00Z'))) AS c"""
        ).fetchone()
    assert row == (60, 100_000_000)


def test_an_erasure_takes_every_kind(db: psycopg.Connection[Any]) -> None:
    for user in ("ada", "bob"):
        merge(
            db,
            Part(0, 10, 100, user=user),
            Part(0, 60, kind=1, metric=0, user=user),
            Part(-720, 720, 9000, kind=2, user=user),
        )
    erased = dict(db.execute("SELECT place, erased FROM api.erase_user('default', 'ada')").fetchall())
    assert erased["intervals"] == 3
    for table in ("interval", "worn_window", "daily_total"):
        assert db.execute(f"SELECT count(*) FROM core.{table}".encode()).fetchone() == (1,)
    assert db.execute("SELECT count(*) FROM core.interval_series").fetchone() == (3,)


def test_live_listeners_hear_of_it(db: psycopg.Connection[Any]) -> None:
    address = db.execute("SELECT address FROM core.channel WHERE name = 'readings'").fetchone()
    assert address is not None
    db.execute(f'LISTEN "{address[0]}"'.encode())
    merge(db, Part(0, 10, 100), Part(0, 10, 3, metric=31))
    assert len(list(db.notifies(timeout=0.2, stop_after=5))) == 1
    merge(db, Part(0, 10, 100))
    assert list(db.notifies(timeout=0.2, stop_after=5)) == []


def test_worn_windows_go_with_intervals_and_without(db: psycopg.Connection[Any]) -> None:
    """Totals of days stay, and so does what begins in the next chunk, on the day that is closed."""
    after = 14 * 60
    parts = [Part(0, 10, 100), Part(0, 60, kind=1, metric=0), Part(-720, 720, 9000, kind=2, metric=28)]
    merge(db, *parts, Part(0, 60, kind=1, metric=0, user="bob"), Part(after, after + 90, kind=1, metric=0))
    db.execute("UPDATE core.setting SET value = '30 days' WHERE name = 'raw_retention'")
    tables = ("interval", "worn_window", "daily_total")
    count = "SELECT " + ", ".join(f"(SELECT count(*) FROM core.{table})" for table in tables)
    db.execute("CALL api.upkeep()")
    assert db.execute(count.encode()).fetchone() == (1, 3, 1), "their hours are stale"
    db.execute("CALL api.refresh()")
    db.execute("CALL api.upkeep()")
    assert db.execute(count.encode()).fetchone() == (0, 1, 1)
    query = "SELECT metric, value, ts FROM api.latest('default', 'ada')"
    assert db.execute(query).fetchall() == [("steps", 100, NOON)]
    # A reader sees the totals of days as before, but not where something finer was.
    total = "SELECT total FROM api.metric_summary('default', 'ada', '2025-01-15Z', '2025-01-16Z', %s)"
    assert db.execute(total, [["distance", "steps"]]).fetchall() == [(100,), (9000,)]
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="are gone"):
        merge(db, Part(20, 30, 5))
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="are gone"):
        merge(db, Part(20, 30, 5, metric=28))


def test_worn_windows_alone_go_as_far_as_readings(db: psycopg.Connection[Any]) -> None:
    merge(db, Part(0, 60, kind=1, metric=0))
    insert = "INSERT INTO api.readings (user_id, device_id, ts, steps) VALUES ('ada', 'watch', %s, 1)"
    for day in (0, 60):
        db.execute(insert, [NOON + timedelta(days=day)])
    db.execute("CALL api.refresh()")
    db.execute("UPDATE core.setting SET value = '30 days' WHERE name = 'raw_retention'")
    db.execute("CALL api.upkeep()")
    assert db.execute("SELECT count(*) FROM core.worn_window").fetchone() == (0,)


def test_who_was_seen_is_known_beyond_retention(db: psycopg.Connection[Any]) -> None:
    """A long interval covers what comes after those that begin later: of its chunk, and of the next one."""
    parts = [Part(10 * 60, 30 * 60, 5), Part(11 * 60, 11 * 60 + 1, 5), Part(13 * 60, 13 * 60 + 1, 5)]
    seen = "SELECT user_id, last_seen FROM api.last_seen"
    merge(db, *parts)
    db.execute("CALL api.refresh()")
    for end in (datetime(2025, 1, 16, tzinfo=UTC), datetime(2025, 2, 13, tzinfo=UTC)):
        assert db.execute(seen).fetchall() == [("ada", NOON + timedelta(minutes=30 * 60 - 1))]
        db.execute("CALL api_internal.drop_samples(%s, %s)", [end - timedelta(days=28), end])
    assert db.execute("SELECT count(*) FROM core.interval").fetchone() == (0,)
    assert db.execute(seen).fetchall() == [("ada", NOON + timedelta(minutes=30 * 60 - 1))]
    latest = "SELECT ts FROM api.latest('default', 'ada')"
    assert db.execute(latest).fetchall() == [(NOON + timedelta(hours=13),)]
