"""Samples of any metric, written as the service writes them, and asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import psycopg

from tests.support.moments import micros, moment

MERGE = """
    SELECT m.inserted, m.updated
      FROM api_internal.hold_horizon() AS h
     CROSS JOIN LATERAL api_internal.merge_samples(
       api_internal.enrol_users(%(tenants)s, %(users)s),
       ARRAY(SELECT m.metric_key FROM unnest(%(metrics)s::text[]) WITH ORDINALITY AS n (name, item)
               JOIN core.metric AS m USING (name) LEFT JOIN core.tenant AS t USING (tenant_key)
              WHERE m.tenant_key IS NULL OR t.tenant_id = %(tenant)s ORDER BY n.item),
       api_internal.enrol_devices(%(tenants)s, %(devices)s), %(moments)s::timestamptz[], %(values)s::float8[]) AS m
     WHERE h IS NOT NULL
"""
SUMMARY = "SELECT * FROM api.metric_summary(%s, %s, %s, %s, %s, %s)"
SERIES = "SELECT * FROM api.metric_series(%s, %s, %s, %s, %s, %s, %s, %s, %s)"
LATEST = "SELECT * FROM api.latest_samples(%s, %s)"


class Sample(NamedTuple):
    """One value as it is sent; `ts` is in microseconds."""

    user: str
    device: str
    metric: str
    ts: int
    value: float


class Question(NamedTuple):
    """A range of a user, of some metrics and one device or all."""

    user: str
    start: int
    end: int
    metrics: tuple[str, ...]
    device: str | None
    bucket: str
    tz: str
    max_points: int


def write_samples(db: psycopg.Connection[Any], tenant: str, samples: Sequence[Sample]) -> tuple[list[int], list[int]]:
    """Store samples of a tenant, each identity at most once; return the positions of what was inserted and updated."""
    if not samples:
        return [], []
    users, devices, metrics, moments, values = (list(column) for column in zip(*samples, strict=True))
    with db.transaction():
        found = db.execute(
            MERGE,
            {
                "tenant": tenant,
                "tenants": [tenant] * len(samples),
                "users": users,
                "metrics": metrics,
                "devices": devices,
                "moments": [moment(ts) for ts in moments],
                "values": [float(value) for value in values],
            },
        ).fetchone()
    assert found is not None
    return sorted(found[0]), sorted(found[1])


def maybe(when: datetime | None) -> int | None:
    return None if when is None else micros(when)


def summary(db: psycopg.Connection[Any], tenant: str, asked: Question) -> list[tuple[Any, ...]]:
    question = [tenant, asked.user, moment(asked.start), moment(asked.end), list(asked.metrics), asked.device]
    return [(*found[:9], maybe(found[9]), maybe(found[10])) for found in db.execute(SUMMARY, question).fetchall()]


def series(db: psycopg.Connection[Any], tenant: str, asked: Question) -> list[tuple[Any, ...]]:
    question = [
        *(tenant, asked.user, moment(asked.start), moment(asked.end), list(asked.metrics)),
        *(asked.bucket, asked.tz, asked.max_points, asked.device),
    ]
    return [(micros(found[0]), *found[1:]) for found in db.execute(SERIES, question).fetchall()]


def latest(db: psycopg.Connection[Any], tenant: str, user: str) -> list[tuple[Any, ...]]:
    return [(*found[:3], micros(found[3]), found[4]) for found in db.execute(LATEST, [tenant, user]).fetchall()]
