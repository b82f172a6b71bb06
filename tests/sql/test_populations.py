"""Populations: all users of a tenant together, as of the last upkeep, equal to what the users' own rows come to."""

from __future__ import annotations

import statistics
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

NOON = datetime(2025, 1, 15, 12, tzinfo=UTC)
WRITE = """
    INSERT INTO api.readings (tenant_id, user_id, device_id, ts, heart_rate, steps) VALUES (%s, %s, %s, %s, %s, %s)
"""
WIDTHS = {"15m": timedelta(minutes=15), "1h": timedelta(hours=1), "1d": timedelta(days=1)}


def fill(db: psycopg.Connection[Any], days: int = 2) -> None:
    """Write hours of three users of one tenant and of one of another, two of whose devices meet."""
    rows: list[tuple[Any, ...]] = []
    for day in range(days):
        for minute in range(0, 120, 7):
            ts = NOON + timedelta(days=day, minutes=minute)
            for number, (tenant, user) in enumerate([("one", "ada"), ("one", "bob"), ("one", "cy"), ("two", "ada")]):
                heart_rate = None if user == "cy" else 60 + number * 10 + minute % 5
                rows.append((tenant, user, "device_a", ts, heart_rate, 10 + number))
                rows.append((tenant, user, "phone", ts + timedelta(seconds=9), 200, 5000))
    with db.transaction():
        db.cursor().executemany(WRITE, rows)


def kept(db: psycopg.Connection[Any]) -> None:
    """Refresh, and let upkeep follow."""
    db.execute("CALL api.refresh()")
    db.execute("CALL api.upkeep()")


def expected(db: psycopg.Connection[Any], level: str) -> list[tuple[Any, ...]]:
    """Add up the users' rows of a view."""
    rows = db.execute(f"SELECT * FROM api.vitals_{level} ORDER BY tenant_id, bucket, user_id".encode()).fetchall()
    buckets: dict[tuple[str, datetime], list[Any]] = {}
    for row in rows:
        buckets.setdefault((row[0], row[2]), []).append(row)
    found = []
    for (tenant, bucket), users in sorted(buckets.items()):
        averages = [row[4] for row in users if row[4] is not None]
        found.append(
            (
                tenant,
                bucket,
                len(users),
                len(averages),
                pytest.approx(statistics.fmean(averages)),
                pytest.approx(statistics.stdev(averages)) if len(averages) > 1 else None,
                sum(row[8] for row in users),
            )
        )
    return found


def viewed(db: psycopg.Connection[Any], level: str) -> list[tuple[Any, ...]]:
    """Read a view of populations."""
    query = (
        "SELECT tenant_id, bucket, users, heart_rate_users, heart_rate_avg, heart_rate_stddev, steps "
        f"FROM api.population_{level} ORDER BY tenant_id, bucket"
    )
    return db.execute(query.encode()).fetchall()


def test_they_are_what_users_come_to(db: psycopg.Connection[Any]) -> None:
    fill(db)
    kept(db)
    for level in WIDTHS:
        assert viewed(db, level) == expected(db, level) != [], level


def test_a_late_reading_is_in_them_after_the_next_upkeep(db: psycopg.Connection[Any]) -> None:
    fill(db)
    kept(db)
    before = [viewed(db, level) for level in WIDTHS]
    db.execute(WRITE, ["one", "ada", "device_a", NOON - timedelta(days=30), 100, 7])
    db.execute(WRITE, ["one", "dee", "device_a", NOON, 100, 7])
    db.execute("CALL api.refresh()")
    assert [viewed(db, level) for level in WIDTHS] == before
    kept(db)
    for level in WIDTHS:
        assert viewed(db, level) == expected(db, level), level


def test_who_is_erased_leaves_them(db: psycopg.Connection[Any]) -> None:
    fill(db)
    kept(db)
    db.execute("SELECT api.erase_user('one', 'ada')")
    kept(db)
    for level in WIDTHS:
        assert viewed(db, level) == expected(db, level), level


def test_an_upkeep_remembers_what_changes_while_it_runs(db: psycopg.Connection[Any]) -> None:
    fill(db, 1)
    kept(db)
    assert db.execute("SELECT count(*) FROM core.changed_day").fetchone() == (0,)
    db.execute(WRITE, ["one", "ada", "device_a", NOON, 100, 7])
    db.execute("CALL api.refresh()")
    assert db.execute("SELECT DISTINCT day FROM core.changed_day").fetchall() == [(NOON.replace(hour=0),)]
