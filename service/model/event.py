"""What an event is: the model that validates it, and writing batches of them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import msgspec
from pydantic import AfterValidator, ConfigDict, StringConstraints, TypeAdapter, with_config
from typing_extensions import TypedDict

from service.database.binary_arrays import moments, texts
from service.database.pool import Connection, Pool, committing, statement, with_connection
from service.metrics.counters import Counters
from service.model.fields import Name, WrittenTimestamp, without_nul
from service.model.pg_time import to_micros

LONGEST_PAYLOAD = 256 * 1024
FEW = 100  # events; a column of thousands takes some milliseconds, after which others have a turn
STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
EXPONENT = re.compile(r"\de[+-](\d+)")
ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")

EventId = Annotated[str, StringConstraints(min_length=1, max_length=256), AfterValidator(without_nul)]


def storable(payload: dict[str, Any]) -> bytes:
    """Write a payload as JSON; refuse one that jsonb cannot hold, or that is too large."""
    try:
        text = json.dumps(payload, allow_nan=False)
    except ValueError:
        raise ValueError("must not contain a number too large to be stored") from None
    if len(text) > LONGEST_PAYLOAD or len(text) + digits(text) > LONGEST_PAYLOAD:
        raise ValueError(f"must have at most {LONGEST_PAYLOAD} characters as JSON, with all digits of its numbers")
    if ESCAPED_NUL.search(text):
        raise ValueError("must not contain the character NUL")
    return text.encode()


def digits(text: str) -> int:
    """Count the digits that jsonb writes of the numbers in JSON which have an exponent: 1e308 has 309."""
    return sum(map(int, EXPONENT.findall(STRING.sub("", text)))) if EXPONENT.search(text) else 0


@with_config(ConfigDict(strict=True, title="Event"))
class Event(TypedDict):
    """Something that happened; its event_id is taken once in its tenant."""

    event_id: EventId
    tenant_id: Name
    source: Name
    event_type: Name
    timestamp: WrittenTimestamp
    payload: Annotated[dict[str, Any], AfterValidator(storable)]


EVENT: TypeAdapter[Any] = TypeAdapter(Event)


class EventRow(msgspec.Struct, gc=False):
    """An event on its way to the database: a moment in microseconds since 2000, the payload as JSON."""

    event_id: str
    tenant_id: str
    source: str
    event_type: str
    timestamp: int
    payload: bytes


def to_event_row(event: Any) -> EventRow:
    """Turn an event as the model returns it into a row."""
    return EventRow(
        event["event_id"],
        event["tenant_id"],
        event["source"],
        event["event_type"],
        to_micros(event["timestamp"]),
        event["payload"],
    )


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
    columns: dict[str, Any] = {}
    for name, column in COLUMNS.items():
        columns[name] = column(events)
        if len(events) > FEW:
            await asyncio.sleep(0)

    async def write(connection: Connection) -> list[bool]:
        with committing():
            cursor = await connection.execute(statement("write_events"), columns)
            (row,) = await cursor.fetchall()
        created: list[bool] = row["created"]
        return created

    created = await with_connection(pool, write)
    counters.count_items("events", created=sum(created), duplicate=len(created) - sum(created))
    return created
