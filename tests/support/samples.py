"""Samples of any metric, written as the service writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import psycopg

from tests.support.moments import moment

MERGE = """
    SELECT m.inserted
      FROM api_internal.hold_horizon() AS h
     CROSS JOIN LATERAL api_internal.merge_samples(
       api_internal.enrol_users(%(tenants)s, %(users)s),
       ARRAY(SELECT m.metric_key
               FROM unnest(%(metrics)s::text[]) WITH ORDINALITY AS n (name, item)
               JOIN core.metric AS m USING (name)
               LEFT JOIN core.tenant AS t USING (tenant_key)
              WHERE m.tenant_key IS NULL OR t.tenant_id = %(tenant)s
              ORDER BY n.item),
       api_internal.enrol_devices(%(tenants)s, %(devices)s), %(moments)s::timestamptz[], %(values)s::float8[]) AS m
     WHERE h IS NOT NULL
"""


class Sample(NamedTuple):
    """A value of a metric; `ts` is in microseconds since 1970."""

    user: str
    device: str
    metric: str
    ts: int
    value: float


def write_samples(db: psycopg.Connection[Any], tenant: str, samples: Sequence[Sample]) -> None:
    """Store samples of one tenant, each identity at most once."""
    users, devices, metrics, moments, values = (list(column) for column in zip(*samples, strict=True))
    tenants = [tenant] * len(samples)
    with db.transaction():
        db.execute(
            MERGE,
            {
                "tenant": tenant,
                "tenants": tenants,
                "users": users,
                "metrics": metrics,
                "devices": devices,
                "moments": [moment(ts) for ts in moments],
                "values": values,
            },
        )
