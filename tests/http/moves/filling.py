"""Something of every kind, which a tenant sends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import httpx

from tests.http.test_tenants import METRIC, Tenant, event_of, reading_of, send
from tests.support.wire import moment

NUMBERS = count()


def fill(service: httpx.Client, tenant: Tenant) -> None:
    """Send something of every kind."""
    # Of a name of its own, since the service keeps the keys of metrics, which a test deletes.
    metric = f"lactate_{next(NUMBERS)}"
    declared = service.put(
        f"/v1/metrics/{metric}", json=METRIC | {"title": f"metric-{tenant.word}"}, headers=tenant.headers
    )
    assert declared.status_code == 200, declared.text
    recently = datetime.now(UTC) - timedelta(minutes=10)
    old = [moment(f"{hour:02}:00:00", day) for day in ("2023-12-31", "2024-01-15") for hour in range(0, 24, 4)]
    readings = [
        reading_of(tenant, at, device_id=device) for at in (*old, recently.isoformat()) for device in ("watch", "ring")
    ]
    own = reading_of(tenant, moment(), user_id=f"user-{tenant.word}", device_id=f"device-{tenant.word}")
    samples = [reading_of(tenant, at, **{metric: 1.5}, spo2=97, body_weight=70.5) for at in old[:3]]
    intervals: list[dict[str, Any]] = [
        {
            "user_id": 101,
            "device_id": "phone",
            "timestamp": moment("08:10:00"),
            "end": moment("08:40:00"),
            "steps": 900,
        },
        {
            "user_id": 101,
            "device_id": "phone",
            "timestamp": moment("08:00:00"),
            "end": moment("09:00:00"),
            "worn": True,
        },
        {
            "user_id": 101,
            "device_id": "phone",
            "timestamp": moment("00:00:00"),
            "daily_total": True,
            "steps": 9000,
            "end": moment("00:00:00", "2024-01-16"),
        },
    ]
    send(service, tenant, ("POST", "/v1/readings"), json=[*readings, own, *samples])
    send(service, tenant, ("POST", "/v1/readings"), json=intervals)
    device = {"name": f"watch-{tenant.word}", "priority": 7, "metrics": {"steps": 3, metric: 5}}
    send(service, tenant, ("PUT", "/v1/devices/{device_id:name}"), json=device)
    events = [event_of(tenant), event_of(tenant, f"evt-{tenant.word}", event_type=f"type-{tenant.word}")]
    send(service, tenant, ("POST", "/v1/events"), json=events)
