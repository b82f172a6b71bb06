"""Two tenants, each with a user of the same name who wears two devices, for some days, and what the reports are."""

from __future__ import annotations

from typing import Any

import psycopg

from service.database.schema import SQL

REPORTS = sorted((SQL / "reports").glob("*.sql"))
DAYS = 36
FILL = f"""
    INSERT INTO api.readings (tenant_id, user_id, device_id, ts, heart_rate, steps, calories)
      SELECT t.tenant_id, '101', d.device_id,
             date_trunc('minute', now()) - n * INTERVAL '53 minutes' - m * INTERVAL '1 minute',
             60 + t.number * 7 + (n * 13 + m) % 23, t.number * 100 + n % 17, t.number
        FROM (VALUES ('one', 1), ('two', 2)) AS t (tenant_id, number),
             (VALUES ('device_a'), ('phone')) AS d (device_id),
             generate_series(0, {DAYS} * 27) AS n, generate_series(0, 3) AS m
       WHERE d.device_id = 'device_a' OR n % 5 = 0
"""
EVENTS = """
    SELECT api_internal.write_events(
      array_agg(t.tenant_id), array_agg(t.tenant_id || n), array_agg('web'::text), array_agg('click'::text),
      array_agg(now() - n * INTERVAL '11 hours'), array_agg(jsonb '{}'))
      FROM (VALUES ('one'), ('two')) AS t (tenant_id), generate_series(1, 60) AS n
"""


def fill(db: psycopg.Connection[Any], days: int = DAYS) -> None:
    """Write readings of four minutes every 53, events and goals; refresh, and let upkeep follow.

    A service that runs beside may be at upkeep already, and then another one ends at once.
    """
    db.execute(FILL.replace(f"{DAYS} * 27", f"{days} * 27").encode())
    db.execute(EVENTS)
    db.execute("SELECT api.set_goal(t, '101', 'steps', 150000) FROM unnest(ARRAY['one', 'two']) AS t")
    # In the first hour of a day yesterday's last readings would lie above the horizon, and in no population.
    db.execute("UPDATE core.setting SET value = '0 minutes' WHERE name = 'refresh_lag'")
    db.execute("CALL api.refresh()")
    db.execute("UPDATE core.setting SET value = '1 hour' WHERE name = 'refresh_lag'")
    while db.execute("SELECT FROM core.changed_day LIMIT 1").fetchone() is not None:
        db.execute("CALL api.upkeep()")
