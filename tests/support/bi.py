"""Two tenants with readings and events, and logins that see both, one or none of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from scripts.roles import Login, connect, create

MINE, OTHER = "one", "two"
PASSWORD = "a password of tests"
# The views of api that show rows of a tenant.
TENANT_VIEWS = {
    *("best_readings", "devices", "events", "goals", "last_seen", "readings", "samples", "users"),
    *("daily_totals", "intervals", "worn_windows"),
    *(f"event_counts_{width}" for width in ("1m", "1h", "1d")),
    *(f"population_{width}" for width in ("15m", "1h", "1d")),
    *(f"vitals_{width}" for width in ("1m", "15m", "1h", "1d")),
    *(f"metrics_{width}" for width in ("15m", "1h", "1d")),
}
FILL = """
    INSERT INTO api.readings (tenant_id, user_id, device_id, ts, heart_rate, steps, calories)
      SELECT t.tenant_id, u.user_id, d.device_id, date_trunc('minute', now()) - n * INTERVAL '7 hours',
             t.rate, t.steps, 1
        FROM (VALUES ('one', 61, 111), ('two', 62, 222)) AS t (tenant_id, rate, steps),
             unnest(ARRAY['101', 'private of ' || t.tenant_id]) AS u (user_id),
             unnest(ARRAY['watch', 'device of ' || t.tenant_id]) AS d (device_id), generate_series(0, 40) AS n
"""
EVENTS = """
    SELECT api_internal.write_events(
      array_agg(t.tenant_id), array_agg(t.tenant_id || n), array_agg('source of ' || t.tenant_id),
      array_agg('click'::text), array_agg(now() - n * INTERVAL '11 hours'),
      array_agg(jsonb_build_object('of', t.tenant_id)))
      FROM (VALUES ('one'), ('two')) AS t (tenant_id), generate_series(0, 20) AS n
"""
SAMPLES = """
    SELECT api_internal.merge_samples(
      array_agg(r.user_key), array_agg(m.metric_key), array_agg(r.device_key), array_agg(r.ts), array_agg(%s::float8))
      FROM core.reading AS r
      JOIN core.metric AS m ON m.name = 'spo2'
     WHERE r.ts < now() - %s::interval
"""
INTERVALS = """
    SELECT api_internal.merge_intervals(
      array_agg(r.user_key), array_agg(k.metric_key), array_agg(r.device_key), array_agg(r.ts),
      array_agg(r.ts + INTERVAL '10 minutes'), array_agg(7::float8), array_agg(k.kind::smallint))
      FROM core.reading AS r, (VALUES (0, 28), (1, 0), (2, 29)) AS k (kind, metric_key)
     WHERE r.ts >= now() - INTERVAL '2 days'
"""


class Logins(NamedTuple):
    """The addresses of a database for its logins."""

    tenant: str
    """Sees the tenant `one`."""
    operator: str
    unbound: str
    """Member of bi_tenant, bound to no tenant."""
    stranger: str
    """Member of neither group."""


def fill(db: psycopg.Connection[Any]) -> None:
    """Write the same for two tenants but for names and values; something is stale, and something in the populations."""
    db.execute(FILL)
    db.execute(SAMPLES, [97.5, "0 hours"])
    db.execute(INTERVALS)
    db.execute(EVENTS)
    db.execute("SELECT api.set_goal('one', '101', 'steps', 1000), api.set_goal('two', '101', 'steps', 2000)")
    db.execute(
        "SELECT api.set_metric(t, 'metric_of_' || t, '{score}', 'gauge', 0, 21) FROM unnest(ARRAY['one', 'two']) AS t"
    )
    db.execute("CALL api.refresh()")
    while db.execute("SELECT FROM core.changed_day LIMIT 1").fetchone() is not None:
        db.execute("CALL api.upkeep()")
    db.execute(
        "UPDATE api.readings SET calories = 2"
        " WHERE ts BETWEEN now() - INTERVAL '60 hours' AND now() - INTERVAL '50 hours'"
    )
    db.execute(SAMPLES, [98.5, "90 hours"])


@contextmanager
def bi_logins(db: psycopg.Connection[Any], url: str) -> Iterator[Logins]:
    """Create a login of each kind, and drop them afterwards."""
    names = Logins(*(f"bi_{kind}_{os.getpid()}" for kind in Logins._fields))
    with connect(url) as owner:
        create(owner, login(names.tenant, MINE), PASSWORD)
        create(owner, login(names.operator), PASSWORD)
    for name, groups in ((names.unbound, "IN ROLE bi_tenant"), (names.stranger, "")):
        create_role = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} {}")
        db.execute(create_role.format(sql.Identifier(name), PASSWORD, sql.SQL(groups)))
    try:
        yield Logins(*(make_conninfo(url, user=name, password=PASSWORD) for name in names))
    finally:
        for name in names:
            role = sql.Identifier(name)
            db.execute("DELETE FROM core.bi_login WHERE role = %s::regrole", [name])
            db.execute(sql.SQL("DROP OWNED BY {}; DROP ROLE {}").format(role, role))


def login(name: str, tenant: str | None = None) -> Login:
    """A login as scripts/roles.py makes it by default."""
    return Login(name, tenant, connections=10, statement_seconds=120, idle_seconds=60, temp_file_limit="1GB")
