"""Users by local day: from rollups for most users, from quarters and readings for those with a stale day."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import psycopg

from tests.sql.people import FILL

ZONES = ("UTC", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu")
DAILY = """
    SELECT tenant_id, user_id, day, heart_rate_count, heart_rate_min, heart_rate_max, steps, worn_minutes,
           resting_heart_rate, first_ts, last_ts
      FROM api.daily(%(tz)s, %(first)s, %(after)s)
"""
FROM_QUARTERS = """
    SELECT tenant_id, user_id, (bucket AT TIME ZONE %(tz)s)::date AS day, sum(heart_rate_count), min(heart_rate_min),
           max(heart_rate_max), sum(steps), sum(worn_minutes), min(resting_heart_rate), min(first_ts), max(last_ts)
      FROM api.vitals_15m
     WHERE bucket >= %(first)s::timestamp AT TIME ZONE %(tz)s AND bucket < %(after)s::timestamp AT TIME ZONE %(tz)s
     GROUP BY 1, 2, 3
     ORDER BY 1, 2, 3
"""


def test_users_with_a_stale_day_stand_among_the_others(db: psycopg.Connection[Any]) -> None:
    db.execute(FILL)
    db.execute("CALL api.refresh()")
    today = db.execute("SELECT now()::date").fetchone()
    assert today is not None
    first, after = today[0] - timedelta(days=20), today[0] - timedelta(days=3)
    spans = [{"tz": tz, "first": first, "after": after} for tz in ZONES]
    fresh = [days(db, span) for span in spans]
    assert [len(found) for found in fresh] == [2 * 17 for _ in ZONES]
    db.execute(
        "INSERT INTO api.readings (tenant_id, user_id, device_id, ts, steps)"
        " VALUES ('one', '101', 'device_a', %s, 5000)",
        [datetime.fromisoformat(f"{first + timedelta(days=6)}T12:00:01Z")],
    )
    stale = [days(db, span) for span in spans]
    for tz, before, now in zip(ZONES, fresh, stale, strict=True):
        changed = [(old[:3], new[6] - old[6]) for old, new in zip(before, now, strict=True) if old != new]
        assert changed == [(("one", "101", first + timedelta(days=6)), 5000)], tz
    db.execute("CALL api.refresh()")
    assert [days(db, span) for span in spans] == stale


def days(db: psycopg.Connection[Any], span: dict[str, str | date]) -> list[tuple[Any, ...]]:
    """Ask for all users' days, which are in order and equal what their quarters of an hour add up to."""
    found = db.execute(DAILY, span).fetchall()
    assert found == db.execute(FROM_QUARTERS, span).fetchall()
    return found
