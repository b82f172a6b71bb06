"""What an event is: the model that validates it, and writing batches of them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, StringConstraints, TypeAdapter, with_config
from typing_extensions import TypedDict

from service.database import Pool, fetch_one
from service.fields import Name, WrittenTimestamp, without_nul
from service.measurements import count_items

LONGEST_PAYLOAD = 256 * 1024
ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")

EventId = Annotated[str, StringConstraints(min_length=1, max_length=256), AfterValidator(without_nul)]


def storable(payload: dict[str, Any]) -> dict[str, Any]:
    """Refuse a payload that jsonb cannot hold, or one that is too large."""
    try:
        text = json.dumps(payload, allow_nan=False)
    except ValueError:
        raise ValueError("must not contain a number too large to be stored") from None
    if len(text) > LONGEST_PAYLOAD:
        raise ValueError(f"must have at most {LONGEST_PAYLOAD} characters as JSON")
    if ESCAPED_NUL.search(text):
        raise ValueError("must not contain the character NUL")
    return payload


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


async def write_events(pool: Pool, events: Sequence[Event]) -> list[bool]:
    """Store events in one transaction; return for each whether it was created (else it was a duplicate)."""
    if not events:
        return []
    row = await fetch_one(
        pool,
        "write_events",
        tenant_ids=[event["tenant_id"] for event in events],
        event_ids=[event["event_id"] for event in events],
        sources=[event["source"] for event in events],
        event_types=[event["event_type"] for event in events],
        timestamps=[event["timestamp"] for event in events],
        payloads=[json.dumps(event["payload"], ensure_ascii=False) for event in events],
    )
    created: list[bool] = row["created"]
    count_items("events", created=sum(created), duplicate=len(created) - sum(created))
    return created
