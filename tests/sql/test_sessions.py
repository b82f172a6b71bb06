"""Every view, function and report answers alike in each time zone, and tells users of one name apart by tenant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.sql.people import REPORTS, fill
from tests.support.bi import INTERVALS

ZONES = ["America/New_York", "Asia/Kolkata"]
OF_NO_TENANT = {"api.freshness", "api.settings", "how_fresh", "api.auto_bucket", "api.time_zone"}
RANGE = "now() - INTERVAL '9 days', now()"
FUNCTIONS = {
    "api.auto_bucket": f"SELECT api.auto_bucket({RANGE}, 100)",
    "api.daily": "SELECT * FROM api.daily('Asia/Kathmandu')",
    "api.home_daily": "SELECT * FROM api.home_daily()",
    "api.event_counts": f"""
        SELECT t.tenant_id, c.* FROM tenants AS t, api.event_counts(t.tenant_id, '1d', NULL, NULL, {RANGE}) AS c
    """,
    "api.latest": "SELECT t.tenant_id, l.* FROM tenants AS t, api.latest(t.tenant_id, '101') AS l",
    "api.latest_samples": "SELECT t.tenant_id, l.* FROM tenants AS t, api.latest_samples(t.tenant_id, '101') AS l",
    "api.metric_series": f"""
        SELECT t.tenant_id, s.*
          FROM tenants AS t,
               api.metric_series(t.tenant_id, '101', {RANGE}, '{{spo2,strain,steps}}', '1d', 'Asia/Kathmandu') AS s
    """,
    "api.metric_summary": f"""
        SELECT t.tenant_id, s.* FROM tenants AS t, api.metric_summary(t.tenant_id, '101', {RANGE}) AS s
    """,
    "api.overview": "SELECT t.tenant_id, o.* FROM tenants AS t, api.overview(t.tenant_id, 'Asia/Kathmandu') AS o",
    "api.series": f"""
        SELECT t.tenant_id, s.* FROM tenants AS t, api.series(t.tenant_id, '101', {RANGE}, '1d', 'Asia/Kathmandu') AS s
    """,
    "api.summary": f"SELECT t.tenant_id, s.* FROM tenants AS t, api.summary(t.tenant_id, '101', {RANGE}) AS s",
    "api.time_zone": "SELECT api.time_zone('Asia/Calcutta')",
    "api.worn_devices": f"""
        SELECT t.tenant_id, w.* FROM tenants AS t, api.worn_devices(t.tenant_id, '101', {RANGE}) AS w
    """,
}
FOR_ADMINISTRATORS = {
    "api.delete_readings",
    "api.erase_user",
    "api.refresh",
    "api.set_device",
    "api.set_goal",
    "api.set_metric",
    "api.set_time_zone",
    "api.upkeep",
    "api.verify",
}
# Two metrics of each tenant's user 101: one is built in, one the tenant's own.
FILL_SAMPLES = """
    WITH horizon AS MATERIALIZED (SELECT api_internal.hold_horizon())
    SELECT api_internal.merge_samples(array_agg(u.user_key), array_agg(m.metric_key), array_agg(d.device_key),
                                      array_agg(now() - n * INTERVAL '5 hours'), array_agg(90 + mod(u.user_key + n, 7)))
      FROM horizon, core.app_user AS u
      JOIN core.metric AS m ON m.name = 'spo2' OR (m.name = 'strain' AND m.tenant_key = u.tenant_key)
      JOIN (SELECT tenant_key, min(device_key) AS device_key FROM core.device GROUP BY 1) AS d
        ON d.tenant_key = u.tenant_key
     CROSS JOIN generate_series(1, 40) AS n
     WHERE u.user_id = '101'
"""
EMPTY = {"api.incoming_readings", "silent_users"}


def questions(db: psycopg.Connection[Any]) -> dict[str, bytes]:
    """Return a statement for each view, function and report."""
    views = db.execute("SELECT viewname FROM pg_views WHERE schemaname = 'api' ORDER BY viewname").fetchall()
    read = {
        f"api.{name}": sql.SQL("SELECT * FROM api.{}").format(sql.Identifier(name)).as_bytes(db) for (name,) in views
    }
    tenants = b"WITH tenants (tenant_id) AS (VALUES ('one'), ('two')) "
    called = {name: tenants + statement.encode() for name, statement in FUNCTIONS.items()}
    return read | called | {report.stem: report.read_bytes() for report in REPORTS}


def answers(db: psycopg.Connection[Any], asked: dict[str, bytes]) -> dict[str, list[dict[str, Any]]]:
    """Ask everything; rows are by column."""
    found = {}
    for name, statement in asked.items():
        cursor = db.execute(statement)
        columns = [column.name for column in cursor.description or []]
        found[name] = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    return found


def ordered(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(repr(sorted((name, moment(value)) for name, value in row.items())) for row in rows)


def moment(value: Any) -> Any:
    """Return a moment as the same instant in UTC, and other values as they are."""
    return value.timestamp() if hasattr(value, "timestamp") else value


@pytest.fixture
def filled(db: psycopg.Connection[Any]) -> Iterator[psycopg.Connection[Any]]:
    """Two tenants with a user of the same name, in one transaction, in which now() stands still."""
    fill(db, days=9)
    # Something is stale, too.
    db.execute(
        "UPDATE api.readings SET steps = 5 WHERE ts < now() - INTERVAL '50 hours' AND ts > now() - INTERVAL '60 hours'"
    )
    for tenant in ("one", "two"):
        db.execute("SELECT api.set_metric(%s, 'strain', '{score}', 'gauge', 0, 1000)", [tenant])
    with db.transaction(force_rollback=True):
        db.execute(FILL_SAMPLES)
        db.execute(INTERVALS)
        yield db


def test_every_function_is_asked(db: psycopg.Connection[Any]) -> None:
    known = {
        f"api.{name}" for (name,) in db.execute("SELECT proname FROM pg_proc WHERE pronamespace = 'api'::regnamespace")
    }
    assert known == set(FUNCTIONS) | FOR_ADMINISTRATORS


def test_the_time_zone_of_a_session_does_not_matter(filled: psycopg.Connection[Any]) -> None:
    asked = questions(filled)
    filled.execute("SET LOCAL timezone = 'UTC'")
    expected = answers(filled, asked)
    assert {name for name, rows in expected.items() if not rows} <= EMPTY | {"unusual_days"}
    for zone in ZONES:
        filled.execute(sql.SQL("SET LOCAL timezone = {}").format(zone))
        for name, rows in answers(filled, asked).items():
            assert ordered(rows) == ordered(expected[name]), (name, zone)


def test_tenants_are_told_apart(filled: psycopg.Connection[Any]) -> None:
    """What is said of one tenant stays the same when the other is gone."""
    asked = {name: statement for name, statement in questions(filled).items() if name not in OF_NO_TENANT}
    both = answers(filled, asked)
    assert {name for name, rows in both.items() if rows and "tenant_id" not in rows[0]} == set()
    filled.execute("SELECT api.erase_user('two', '101')")
    filled.execute(
        "DELETE FROM core.event WHERE tenant_key = (SELECT tenant_key FROM core.tenant WHERE tenant_id = 'two')"
    )
    alone = answers(filled, asked)
    for name in both:
        mine = [[row for row in rows[name] if row["tenant_id"] == "one"] for rows in (both, alone)]
        assert ordered(mine[0]) == ordered(mine[1]), name
