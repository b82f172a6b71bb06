"""The database as a person with psql uses it: one function per thing that can be done, moments in microseconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from tests.support.answers import Count, Found, Latest, LocalDay, Minute, Point, Summary, Vitals, Wear
from tests.support.moments import MINUTE, micros, moment
from tests.support.stored import Happening, Item, Part, Values

WRITE = "SELECT api_internal.write_readings(%s, %s, %s, %s::timestamptz[], %s::float8[], %s::int[], %s::float8[])"
MERGE = """
    SELECT m.inserted, m.updated
      FROM api_internal.hold_horizon() AS h
     CROSS JOIN LATERAL api_internal.merge_intervals(
       api_internal.enrol_users(%(tenants)s, %(users)s),
       ARRAY(SELECT coalesce(m.metric_key, 0) FROM unnest(%(metrics)s::text[]) WITH ORDINALITY AS n (name, item)
               LEFT JOIN core.metric AS m ON m.name = n.name AND m.tenant_key IS NULL ORDER BY n.item),
       api_internal.enrol_devices(%(tenants)s, %(devices)s), %(starts)s::timestamptz[], %(ends)s::timestamptz[],
       %(values)s::float8[], %(kinds)s::smallint[]) AS m
     WHERE h IS NOT NULL
"""
KINDS = ["interval", "worn", "daily_total"]
SUMMARY = "SELECT * FROM api.summary(%s, %s, %s, %s, %s)"
SERIES = "SELECT * FROM api.series(%s, %s, %s, %s, %s, %s, %s, %s, %s)"
MINUTES = """
    SELECT m.*, d.device_id
      FROM api_internal.minutes(api_internal.find_user(%s, %s), tstzmultirange(tstzrange(%s, %s)),
                                api_internal.find_device(%s, %s)) AS m
      LEFT JOIN core.device AS d ON d.device_key = m.heart_rate_device
     ORDER BY m.bucket
"""
COLUMNS = "tenant_id, user_id, device_id, ts, heart_rate, steps, calories"
IDENTITY = "tenant_id = %s AND user_id = %s AND device_id = %s AND ts = %s"
VITALS = """
    SELECT bucket, heart_rate_device, heart_rate_count, heart_rate_avg, heart_rate_min, heart_rate_max, steps,
           calories, first_ts, last_ts, {}
      FROM {}
     WHERE tenant_id = %s AND user_id = %s AND bucket >= %s AND bucket < %s
     ORDER BY bucket
"""
LEVELS = ["user_15m", "user_1h", "user_4h", "user_1d", "device_15m", "device_1h", "device_4h", "device_1d"]
SAMPLE_LEVELS = [f"{what}_{width}" for what in ("sample", "sample_device") for width in ("15m", "1h", "1d")]
DELETE = "DELETE FROM api.readings WHERE tenant_id = %s AND user_id = %s AND ts >= %s AND ts < %s"


def write(db: psycopg.Connection[Any], items: Sequence[Item]) -> list[str]:
    """Write readings of which no two have one identity; return the outcomes."""
    columns = [list(column) for column in zip(*items, strict=True)]
    columns[3] = [moment(ts) for ts in columns[3]]
    row = db.execute(WRITE, columns).fetchone()
    assert row is not None
    return list(row[0])


def merge(db: psycopg.Connection[Any], parts: Sequence[Part]) -> list[str]:
    """Write intervals, worn windows and daily totals of which no two have one identity; return the outcomes."""
    with db.transaction():
        row = db.execute(
            MERGE,
            {
                "tenants": [part.tenant for part in parts],
                "users": [part.user for part in parts],
                "metrics": [part.metric for part in parts],
                "devices": [part.device for part in parts],
                "starts": [moment(part.ts) for part in parts],
                "ends": [moment(part.end) for part in parts],
                "values": [float(part.value) for part in parts],
                "kinds": [KINDS.index(part.kind) for part in parts],
            },
        ).fetchone()
    assert row is not None
    outcomes = ["unchanged"] * len(parts)
    for places, outcome in zip(row, ("inserted", "updated"), strict=True):
        for place in places:
            outcomes[place - 1] = outcome
    return outcomes


def insert(db: psycopg.Connection[Any], items: Sequence[Item]) -> None:
    """Write readings by INSERT into the view."""
    query = f"INSERT INTO api.readings ({COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s)"
    with db.transaction():
        db.cursor().executemany(query, [(*item[:3], moment(item.ts), *item[4:]) for item in items])


def copy(db: psycopg.Connection[Any], items: Sequence[Item]) -> None:
    """Write readings by COPY into the view."""
    with db.cursor().copy(f"COPY api.readings ({COLUMNS}) FROM STDIN") as stream:
        for item in items:
            stream.write_row((*item[:3], moment(item.ts), *item[4:]))


def update(db: psycopg.Connection[Any], item: Item) -> None:
    """Replace all metrics of a reading, if it is there."""
    query = f"UPDATE api.readings SET heart_rate = %s, steps = %s, calories = %s WHERE {IDENTITY}"
    db.execute(query, [*item[4:], *item[:3], moment(item.ts)])


def delete(db: psycopg.Connection[Any], tenant: str, user: str, start: int, end: int, device: str | None) -> None:
    """Delete a user's readings of a range, of everyone or of one device."""
    query = f"{DELETE} AND device_id = coalesce(%s, device_id)"
    db.execute(query, [tenant, user, moment(start), moment(end), device])


def delete_readings(
    db: psycopg.Connection[Any], tenant: str, user: str, start: int, end: int, device: str | None
) -> tuple[int, int, int | None, int | None]:
    """Do the same by the function, with intervals; return how many there were, and the first and the last moment."""
    query = "SELECT deleted, intervals, first_ts, last_ts FROM api.delete_readings(%s, %s, %s, %s, %s)"
    row = db.execute(query, [tenant, user, moment(start), moment(end), device]).fetchone()
    assert row is not None
    return row[0], row[1], maybe_micros(row[2]), maybe_micros(row[3])


def erase(db: psycopg.Connection[Any], tenant: str, user: str) -> int:
    """Erase a user; return how many readings went."""
    rows = db.execute("SELECT * FROM api.erase_user(%s, %s)", [tenant, user]).fetchall()
    return int(dict(rows)["readings"])


def seen(db: psycopg.Connection[Any], tenant: str) -> list[tuple[str, int | None]]:
    rows = db.execute("SELECT user_id, last_seen FROM api_internal.seen_users(%s)", [tenant]).fetchall()
    return [(user, maybe_micros(last)) for user, last in rows]


def last_seen(db: psycopg.Connection[Any], tenant: str) -> list[tuple[str, int | None]]:
    """Ask the view for the same."""
    query = "SELECT user_id, last_seen FROM api.last_seen WHERE tenant_id = %s ORDER BY user_id"
    rows = db.execute(query, [tenant]).fetchall()
    return [(user, maybe_micros(last)) for user, last in rows]


def worn(db: psycopg.Connection[Any], tenant: str, user: str, start: int, end: int) -> list[str]:
    """Return the devices that a user wore, the best first."""
    query = "SELECT device_id FROM api.worn_devices(%s, %s, %s, %s)"
    return [name for (name,) in db.execute(query, [tenant, user, moment(start), moment(end)]).fetchall()]


def keyless(db: psycopg.Connection[Any]) -> list[str]:
    """Name the tables that know a key of nobody; views would not show it."""
    tables = [
        "core.reading",
        "core.sample",
        "core.sample_series",
        "core.interval",
        "core.interval_series",
        "core.worn_window",
        "core.daily_total",
        "core.sample_day",
        "core.kept_minute",
        "core.last_value",
        "core.kept_value",
        "core.stale_day",
    ]
    places = [*tables, *(f"rollup.{level}" for level in LEVELS + SAMPLE_LEVELS)]
    query = "SELECT count(*) FROM {} WHERE user_key NOT IN (SELECT u.user_key FROM core.app_user AS u)"
    return [place for place in places if db.execute(query.format(place).encode()).fetchone() != (0,)]


def happen(db: psycopg.Connection[Any], events: Sequence[Happening]) -> list[bool]:
    """Store events; return whether each was created."""
    columns = [list(column) for column in zip(*events, strict=True)]
    columns[4] = [moment(ts) for ts in columns[4]]
    row = db.execute(
        "SELECT api_internal.write_events(%s, %s, %s, %s, %s::timestamptz[], array_fill('{}'::jsonb, ARRAY[%s]))",
        [*columns, len(events)],
    ).fetchone()
    assert row is not None
    return list(row[0])


def counts(
    db: psycopg.Connection[Any],
    tenant: str,
    start: int,
    end: int,
    bucket: str,
    source: str | None = None,
    event_type: str | None = None,
) -> list[Count]:
    size = {"1m": "minute", "1h": "hour", "1d": "day"}[bucket]
    rows = db.execute(
        "SELECT bucket, source, event_type, count FROM api.event_counts(%s, %s, %s, %s, %s, %s)",
        [tenant, size, source, event_type, moment(start), moment(end)],
    ).fetchall()
    return sorted(Count(micros(row[0]), *row[1:]) for row in rows)


def viewed_counts(db: psycopg.Connection[Any], tenant: str, start: int, end: int, bucket: str) -> list[Count]:
    """Read the buckets of a view that start in start <= t < end."""
    query = sql.SQL(
        "SELECT bucket, source, event_type, count FROM {} WHERE tenant_id = %s AND bucket >= %s AND bucket < %s"
    )
    view = sql.Identifier("api", f"event_counts_{bucket}")
    rows = db.execute(query.format(view), [tenant, moment(start), moment(end)]).fetchall()
    return sorted(Count(micros(row[0]), *row[1:]) for row in rows)


def set_priority(
    db: psycopg.Connection[Any],
    tenant: str,
    device: str,
    priority: int | None,
    metrics: Mapping[str, int | None] | None = None,
) -> None:
    """Give a device another priority, and priorities of metrics, of which null takes one away."""
    named = None if metrics is None else Jsonb(metrics)
    db.execute("SELECT api.set_device(%s, %s, NULL, %s, %s)", [tenant, device, priority, named])


def aim(db: psycopg.Connection[Any], horizon: int, window: str = "30 days") -> None:
    """Set the lag so that the next refresh moves the horizon to that moment, a multiple of 15 minutes."""
    db.execute(
        "UPDATE core.setting SET value = extract(epoch FROM now() - %s) || ' seconds' WHERE name = 'refresh_lag'",
        [moment(horizon + 7 * MINUTE)],
    )
    db.execute("UPDATE core.setting SET value = %s WHERE name = 'refresh_window'", [window])
    db.execute("UPDATE core.setting SET value = '15 minutes' WHERE name = 'refresh_step'")


def refresh(db: psycopg.Connection[Any], horizon: int, window: str = "30 days") -> None:
    """Refresh, with the horizon moving to that moment if it is further."""
    aim(db, horizon, window)
    db.execute("CALL api.refresh()")


def place_horizon(db: psycopg.Connection[Any], horizon: int) -> None:
    """Put the horizon anywhere; only while there is no reading."""
    query = "UPDATE core.horizon SET materialized = %s, announced = %s, events_materialized = %s"
    db.execute(query, [moment(horizon)] * 3)


def horizon(db: psycopg.Connection[Any]) -> int:
    """Return up to where rollups are read."""
    row = db.execute("SELECT materialized FROM core.horizon").fetchone()
    assert row is not None
    return micros(row[0])


def stale_days(db: psycopg.Connection[Any]) -> int:
    row = db.execute("SELECT count(DISTINCT (user_key, day)) FROM core.stale_day").fetchone()
    assert row is not None
    return int(row[0])


def set_clock(db: psycopg.Connection[Any], tz: str) -> None:
    """Give the session another time zone, as psql and BI tools take that of whoever runs them."""
    db.execute("SELECT set_config('TimeZone', %s, false)", [tz])


def maybe_micros(when: Any) -> int | None:
    return None if when is None else micros(when)


def summary(
    db: psycopg.Connection[Any], tenant: str, user: str, start: int, end: int, device: str | None = None
) -> Summary:
    row = db.execute(SUMMARY, [tenant, user, moment(start), moment(end), device]).fetchone()
    assert row is not None
    return Summary(*row[:6], maybe_micros(row[6]), maybe_micros(row[7]))


def sources(db: psycopg.Connection[Any], tenant: str, user: str, start: int, end: int) -> set[str]:
    """Return the resolutions that a summary says it was composed from."""
    row = db.execute(SUMMARY, [tenant, user, moment(start), moment(end), None]).fetchone()
    assert row is not None
    return set(row[8])


def series(
    db: psycopg.Connection[Any],
    tenant: str,
    user: str,
    start: int,
    end: int,
    bucket: str,
    tz: str,
    max_points: int = 1000,
    device: str | None = None,
    fill: bool = False,
) -> tuple[list[Point], set[str]]:
    """Return the points, and the buckets that the answer says were used: none or one."""
    question = [tenant, user, moment(start), moment(end), bucket, tz, max_points, device, fill]
    rows = db.execute(SERIES, question).fetchall()
    return [Point(micros(row[0]), *row[1:8]) for row in rows], {row[8] for row in rows}


def minutes(
    db: psycopg.Connection[Any], tenant: str, user: str, start: int, end: int, device: str | None = None
) -> list[Minute]:
    rows = db.execute(MINUTES, [tenant, user, moment(start), moment(max(start, end)), tenant, device]).fetchall()
    return [Minute(*(micros(when) for when in row[:3]), *row[3:9], row[10]) for row in rows]


def vitals(db: psycopg.Connection[Any], tenant: str, user: str, start: int, end: int, bucket: str) -> list[Vitals]:
    view = sql.Identifier("api", f"vitals_{bucket}")
    wear = sql.SQL("NULL" if bucket == "1m" else "worn_minutes, resting_heart_rate")
    rows = db.execute(sql.SQL(VITALS).format(wear, view), [tenant, user, moment(start), moment(end)]).fetchall()
    return [
        Vitals(
            micros(row[0]),
            row[1],
            Summary(*row[2:8], maybe_micros(row[8]), maybe_micros(row[9])),
            None if bucket == "1m" else Wear(*row[10:]),
        )
        for row in rows
    ]


def daily(db: psycopg.Connection[Any], tenant: str, first: date, after: date, tz: str) -> list[LocalDay] | None:
    """Ask for a tenant's users by local day; None where days begin beside a quarter of an hour."""
    query = """
        SELECT user_id, day, day_start, day_end, heart_rate_count, heart_rate_avg, heart_rate_min, heart_rate_max,
               steps, calories, first_ts, last_ts, worn_minutes, resting_heart_rate
          FROM api.daily(%s, %s, %s, %s)
    """
    try:
        with db.transaction():
            rows = db.execute(query, [tz, first, after, tenant]).fetchall()
    except psycopg.errors.FeatureNotSupported:
        return None
    days = [
        LocalDay(
            row[0],
            row[1],
            micros(row[2]),
            micros(row[3]),
            Summary(*row[4:10], *map(micros, row[10:12])),
            Wear(*row[12:]),
        )
        for row in rows
    ]
    return sorted(days)


def readings(
    db: psycopg.Connection[Any], tenant: str, user: str, start: int, end: int, device: str | None = None
) -> list[Found]:
    query = """
        SELECT ts, device_id, heart_rate, steps, calories FROM api.readings
         WHERE tenant_id = %s AND user_id = %s AND ts >= %s AND ts < %s AND device_id = coalesce(%s, device_id)
         ORDER BY ts, device_id COLLATE "C"
    """
    rows = db.execute(query, [tenant, user, moment(start), moment(end), device]).fetchall()
    return [Found(micros(row[0]), row[1], Values(*row[2:])) for row in rows]


def paged(
    db: psycopg.Connection[Any], tenant: str, user: str, start: int, end: int, device: str | None, most: int
) -> list[Found]:
    """Read the same page by page."""
    query = """
        SELECT ts, device_id, heart_rate, steps, calories
          FROM api_internal.user_readings(%s, %s, %s, %s, %s, %s, %s, %s)
    """
    found: list[Found] = []
    after: list[Any] = [None, None]
    while True:
        question = [tenant, user, moment(start), moment(end), device, *after, max(most, 10)]
        rows = db.execute(query, question).fetchall()
        found += [Found(micros(row[0]), row[1], Values(*row[2:])) for row in rows]
        if len(rows) < max(most, 10):
            return found
        after = list(rows[-1][:2])


def drift(db: psycopg.Connection[Any], start: int, end: int) -> list[Any]:
    """Return what api.verify finds wrong."""
    query = "SELECT * FROM api.verify(%s, %s) WHERE problem IS NOT NULL"
    return db.execute(query, [moment(start), moment(end)]).fetchall()


def latest(db: psycopg.Connection[Any], tenant: str, user: str) -> list[Latest]:
    rows = db.execute("SELECT * FROM api.latest(%s, %s) ORDER BY metric", [tenant, user]).fetchall()
    return [Latest(row[0], row[1], micros(row[2]), row[3]) for row in rows]
