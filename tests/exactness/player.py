"""A step of a history, done in the database and in the model."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg

from tests.exactness.histories import (
    Ask,
    Clock,
    Delete,
    Erase,
    Happen,
    Merge,
    Prioritize,
    Refresh,
    Step,
    Update,
    Upkeep,
    Write,
)
from tests.support import sql_client
from tests.support.moments import DAY, FIXED, HOUR, MINUTE, auto_bucket, local_day, micros
from tests.support.reference_model import Model

MOST_FILLED = 3000


def play(db: psycopg.Connection[Any], model: Model, step: Step) -> str | None:
    """Do one step in the database and in the model; return what differs."""
    match step:
        case Write(items, by):
            outcomes = model.write(items)
            if items and by == "function":
                return compare(sql_client.write(db, items), outcomes)
            if items:
                (sql_client.insert if by == "insert" else sql_client.copy)(db, items)
        case Merge(parts):
            return compare(sql_client.merge(db, parts), model.merge(parts))
        case Happen(events):
            return compare(sql_client.happen(db, events), model.happen(events))
        case Update(item):
            sql_client.update(db, item)
            model.update(item)
        case Delete():
            which = (step.tenant, step.user, step.start, step.end, step.device)
            going = model.delete(*which, intervals=step.by == "function")
            if step.by == "function":
                return compare(sql_client.delete_readings(db, *which), going)
            sql_client.delete(db, *which)
        case Erase(tenant, user):
            return compare(
                (sql_client.erase(db, tenant, user), sql_client.keyless(db)), (model.erase(tenant, user), [])
            )
        case Prioritize():
            sql_client.set_priority(db, step.tenant, step.device, step.priority, step.metrics)
            model.set_priority(step.tenant, step.device, step.priority, step.metrics)
        case Refresh():
            sql_client.refresh(db, step.horizon, step.window)
            return compare((sql_client.horizon(db), sql_client.stale_days(db)), (step.horizon, 0))
        case Upkeep():
            db.execute("CALL api.upkeep()")
        case Clock():
            sql_client.set_clock(db, step.tz)
        case Ask():
            return compare(*answers(db, model, step))
    return None


def answers(db: psycopg.Connection[Any], model: Model, ask: Ask) -> tuple[Any, Any]:
    """Return what the database answers and what is right."""
    question = (ask.tenant, ask.user, ask.start, ask.end)
    if ask.what == "latest":
        return sql_client.latest(db, ask.tenant, ask.user), model.latest(
            ask.tenant, ask.user, micros(datetime.now(UTC))
        )
    if ask.what == "seen":
        return (sql_client.seen(db, ask.tenant), sql_client.last_seen(db, ask.tenant)), (
            model.seen(ask.tenant, micros(datetime.now(UTC))),
        ) * 2
    if ask.what == "summary":
        return sql_client.summary(db, *question, ask.device), model.summary(*question, ask.device)
    if ask.what == "readings":
        paged = sql_client.paged(db, *question, ask.device, ask.max_points)
        return (sql_client.readings(db, *question, ask.device), paged), (model.found(*question, ask.device),) * 2
    if ask.what == "counts":
        bucket = {"1m": "1m", "1h": "1h"}.get(ask.bucket, "1d")
        width = {"1m": MINUTE, "1h": HOUR, "1d": DAY}[bucket]
        whole = [-(-end // width) * width for end in question[2:]]
        kind = (ask.source, ask.event_type)
        got = (
            sql_client.counts(db, ask.tenant, *question[2:], bucket, *kind),
            sql_client.viewed_counts(db, ask.tenant, *whole, bucket),
        )
        return got, (model.counts(ask.tenant, *question[2:], bucket, *kind), model.counts(ask.tenant, *whole, bucket))
    if ask.what == "vitals":
        bucket = ask.bucket if ask.bucket in ("1m", "15m", "1h") else "1d"
        return sql_client.vitals(db, *question, bucket), model.vitals(*question, bucket)
    if ask.what == "daily":
        first, after = local_day(ask.start, ask.tz), local_day(ask.end, ask.tz)
        got_days = sql_client.daily(db, ask.tenant, first, after, ask.tz)
        return got_days, got_days if got_days is None else model.daily(ask.tenant, first, after, ask.tz)
    if ask.what == "minutes":
        if (ask.tenant, ask.user) not in model.readings or (ask.tenant, ask.device) not in model.devices:
            ask = Ask(**{**ask.__dict__, "device": None})
        return sql_client.minutes(db, *question, ask.device), model.minutes(*question, ask.device)
    used = auto_bucket(ask.start, ask.end, ask.max_points) if ask.bucket == "auto" else ask.bucket
    points = model.series(*question, used, ask.tz, ask.device)
    fill = bool(points) and used != "raw" and ask.end - ask.start <= MOST_FILLED * FIXED.get(used, DAY)
    if fill:
        points = model.filled(points, ask.start, ask.end, used, ask.tz)
    answer = sql_client.series(db, *question, ask.bucket, ask.tz, ask.max_points, ask.device, fill)
    return answer, (points, {used} if points else set())


def compare(got: Any, expected: Any) -> str | None:
    return None if got == expected else f"got      {got}\nexpected {expected}"
