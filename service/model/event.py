"""What an event is: the model that validates it, and the row that it becomes."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, NotRequired

import msgspec
from pydantic import AfterValidator, ConfigDict, StringConstraints, TypeAdapter, with_config
from typing_extensions import TypedDict

from service.model.fields import Name, WrittenTimestamp, without_nul
from service.model.pg_time import to_micros

LONGEST_PAYLOAD = 256 * 1024
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


@with_config(ConfigDict(strict=True, title="Event"))
class EventOfTenant(TypedDict):
    """An event in a request that is bound to a tenant, which the event need not name."""

    event_id: EventId
    tenant_id: NotRequired[Name]
    source: Name
    event_type: Name
    timestamp: WrittenTimestamp
    payload: Annotated[dict[str, Any], AfterValidator(storable)]


EVENT: TypeAdapter[Any] = TypeAdapter(Event)
EVENT_OF_TENANT: TypeAdapter[Any] = TypeAdapter(EventOfTenant)


class EventRow(msgspec.Struct, gc=False):
    """An event on its way to the database: a moment in microseconds since 2000, the payload as JSON."""

    event_id: str
    tenant_id: str
    """Empty where the event names none."""
    source: str
    event_type: str
    timestamp: int
    payload: bytes


def to_event_row(event: Any) -> EventRow:
    """Turn an event as the model returns it into a row."""
    return EventRow(
        event["event_id"],
        event.get("tenant_id", ""),
        event["source"],
        event["event_type"],
        to_micros(event["timestamp"]),
        event["payload"],
    )
