"""Events, a model that counts them, and the database that is to count them the same."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

WIDTHS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}
VIEWS = {"minute": "event_counts_1m", "hour": "event_counts_1h", "day": "event_counts_1d"}
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
NOW = datetime.now(UTC)
OLD_HORIZON = NOW.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=4, hours=13, minutes=45)
LATE = OLD_HORIZON.replace(hour=12, minute=0) - timedelta(days=2)
WRITE = "SELECT api_internal.write_events(%s, %s, %s, %s, %s::timestamptz[], %s::text[]::jsonb[])"
ASK = "SELECT * FROM api.event_counts(%s, %s, %s, %s, %s, %s)"


@dataclass(frozen=True)
class Event:
    event_id: str
    ts: datetime = LATE
    source: str = "web"
    event_type: str = "click"
    tenant: str = "one"


@dataclass
class Model:
    """Everything that was sent, by tenant and event_id: the first one stays."""

    events: dict[tuple[str, str], Event] = field(default_factory=dict)

    def write(self, events: list[Event]) -> list[bool]:
        created = []
        for event in events:
            created.append((event.tenant, event.event_id) not in self.events)
            self.events.setdefault((event.tenant, event.event_id), event)
        return created

    def counts(
        self,
        tenant: str,
        size: str,
        source: str | None = None,
        event_type: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> list[tuple[datetime, str, str, int]]:
        counted = Counter(
            (event.ts - (event.ts - EPOCH) % WIDTHS[size], event.source, event.event_type)
            for event in self.events.values()
            if event.tenant == tenant
            and source in (None, event.source)
            and event_type in (None, event.event_type)
            and (start is None or event.ts >= start)
            and (end is None or event.ts < end)
        )
        return sorted((*key, number) for key, number in counted.items())


def write(db: psycopg.Connection, *events: Event) -> list[bool]:
    columns: list[list[Any]] = [
        [event.tenant for event in events],
        [event.event_id for event in events],
        [event.source for event in events],
        [event.event_type for event in events],
        [event.ts for event in events],
        ["{}" for _ in events],
    ]
    row = db.execute(WRITE, columns).fetchone()
    assert row is not None
    return list(row[0])


def asked(db: psycopg.Connection, tenant: str, size: str, *narrowed: Any) -> list[tuple[Any, ...]]:
    filled = [*narrowed, *[None] * (4 - len(narrowed))]
    return db.execute(ASK, [tenant, size, *filled]).fetchall()


def seen(db: psycopg.Connection, tenant: str, size: str) -> list[tuple[Any, ...]]:
    """Read a tenant's rows of the view of a bucket size."""
    rows = db.execute(
        f"SELECT bucket, source, event_type, count FROM api.{VIEWS[size]} WHERE tenant_id = %s".encode(), [tenant]
    )
    return sorted(rows.fetchall())


def set_horizon(db: psycopg.Connection, moment: datetime) -> None:
    query = "UPDATE core.horizon SET announced = %s, materialized = %s, events_materialized = %s"
    db.execute(query, [moment] * 3)


def set_setting(db: psycopg.Connection, name: str, value: str) -> None:
    db.execute("UPDATE core.setting SET value = %s WHERE name = %s", [value, name])


def refresh(db: psycopg.Connection) -> None:
    db.execute("CALL api.refresh()")


def announce(db: psycopg.Connection, minutes: int) -> None:
    """Do the first step of a refresh."""
    db.execute(
        "UPDATE core.horizon SET announced = greatest(announced, public.time_bucket('15 minutes', %s::timestamptz))",
        [NOW - timedelta(minutes=minutes)],
    )


def refresh_new_time(db: psycopg.Connection) -> None:
    """Do the second step of a refresh, but for trusting it."""
    row = db.execute("SELECT events_materialized, announced FROM core.horizon").fetchone()
    assert row is not None
    db.execute("CALL api_internal.refresh_events(%s, %s, false)", row)
