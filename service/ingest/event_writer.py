"""The writer of events: a batch in one statement, whose columns travel as binary arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from service.database.binary_arrays import moments, texts
from service.database.pool import Connection, Pool, committing, statement, with_connection
from service.database.replicas.written import note_events
from service.event_loop import checkpoint
from service.metrics.counters import Counters
from service.model.event import EventRow

FEW = 100  # events; the column of more takes some milliseconds, after which the event loop runs other work

COLUMNS: dict[str, Callable[[Sequence[EventRow]], Any]] = {
    "tenant_ids": lambda events: texts([event.tenant_id.encode() for event in events]),
    "event_ids": lambda events: texts([event.event_id.encode() for event in events]),
    "sources": lambda events: texts([event.source.encode() for event in events]),
    "event_types": lambda events: texts([event.event_type.encode() for event in events]),
    "timestamps": lambda events: moments([event.timestamp for event in events]),
    "payloads": lambda events: texts([event.payload for event in events]),
}


async def write_events(pool: Pool, counters: Counters, events: Sequence[EventRow]) -> list[bool]:
    """Store events in one transaction; return for each whether it was created (else it was a duplicate)."""
    if not events:
        return []
    note_events()
    columns: dict[str, Any] = {}
    for name, column in COLUMNS.items():
        columns[name] = column(events)
        if len(events) > FEW:
            await checkpoint()

    async def write(connection: Connection) -> list[bool]:
        with committing():
            cursor = await connection.execute(statement("write_events"), columns)
            (row,) = await cursor.fetchall()
        created: list[bool] = row["created"]
        return created

    created = await with_connection(pool, write)
    counters.count_items("events", created=sum(created), duplicate=len(created) - sum(created))
    return created
