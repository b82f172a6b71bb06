"""Users by day of the time zone that each lives in."""

from __future__ import annotations

from datetime import date
from typing import Any

import psycopg
import pytest

FILL = """
    INSERT INTO api.readings (tenant_id, user_id, device_id, ts, heart_rate, steps)
      SELECT 'one', u.user_id, 'watch', '2025-03-28Z'::timestamptz + n * INTERVAL '37 minutes', 60 + mod(n, 40), n
        FROM unnest(ARRAY['berlin', 'kathmandu', 'nowhere']) AS u (user_id), generate_series(0, 200) AS n
"""
SPAN = (date(2025, 3, 29), date(2025, 4, 1))  # summer time begins in Berlin on 30 March


@pytest.mark.parametrize("refreshed", [False, True])
def test_days_are_those_of_each_users_zone(db: psycopg.Connection[Any], refreshed: bool) -> None:
    db.execute(FILL)
    zones = {"berlin": "Europe/Berlin", "kathmandu": "Asia/Katmandu"}
    stored = {user: set_zone(db, user, zone) for user, zone in zones.items()}
    assert stored["berlin"] == "Europe/Berlin"
    if refreshed:
        db.execute("CALL api.refresh()")
    found = db.execute("SELECT * FROM api.home_daily(%s, %s)", SPAN).fetchall()
    expected = [
        (*row, zone)
        for user, zone in {**stored, "nowhere": "UTC"}.items()
        for row in db.execute("SELECT * FROM api.daily(%s, %s, %s, 'one', %s)", [zone, *SPAN, user]).fetchall()
    ]
    assert found == expected
    assert len(found) == 9
    hours = db.execute("SELECT DISTINCT day_end - day_start FROM api.home_daily(%s, %s, 'one', 'berlin')", SPAN)
    assert sorted(row[0].total_seconds() / 3600 for row in hours) == [23, 24]


def test_a_zone_is_changed_forgotten_and_goes_with_its_user(db: psycopg.Connection[Any]) -> None:
    db.execute(FILL)
    assert set_zone(db, "berlin", "CET") not in (None, "CET")
    assert set_zone(db, "berlin", "Asia/Tokyo") == "Asia/Tokyo"
    assert zones_of(db) == {"berlin": "Asia/Tokyo", "kathmandu": None, "nowhere": None}
    assert set_zone(db, "berlin", None) is None
    set_zone(db, "nowhere", "Asia/Tokyo")
    db.execute("SELECT api.erase_user('one', 'nowhere')")
    assert zones_of(db) == {"berlin": None, "kathmandu": None}


@pytest.mark.parametrize("zone", ["CEST", "EST5EDT,M3.2.0,M11.1.0", "Mars/Olympus", ""])
def test_what_is_no_zone_is_refused(db: psycopg.Connection[Any], zone: str) -> None:
    db.execute(FILL)
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="tz is"):
        set_zone(db, "berlin", zone)
    assert set(zones_of(db).values()) == {None}


def test_a_user_who_is_not_there_is_named(db: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.errors.NoDataFound, match="the tenant one has no user berlin"):
        set_zone(db, "berlin", "Europe/Berlin")


def set_zone(db: psycopg.Connection[Any], user: str, zone: str | None) -> str | None:
    row = db.execute("SELECT api.set_time_zone('one', %s, %s)", [user, zone]).fetchone()
    assert row is not None
    stored: str | None = row[0]
    return stored


def zones_of(db: psycopg.Connection[Any]) -> dict[str, str | None]:
    return dict(db.execute("SELECT user_id, time_zone FROM api.users").fetchall())
