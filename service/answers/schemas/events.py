"""Bodies, receipts and pages of events, and their counts."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import TypedDict

from service.answers.schemas.problems import FaultDocument
from service.model.event import Event
from service.model.limits import MOST_IN_A_BULK


class EventsEnvelope(TypedDict):
    """Events in an envelope, at most 5000."""

    events: Annotated[list[Event], Field(min_length=1, max_length=MOST_IN_A_BULK)]


class EventStatus(TypedDict):
    """Whether an event was new."""

    status: Literal["created", "duplicate"]
    event_id: str


class BulkStatus(TypedDict):
    """How many events of a bulk were new."""

    status: Literal["ok"]
    received: int
    created: int
    duplicates: int


class EventDocument(TypedDict):
    """An event as it was sent."""

    event_id: str
    tenant_id: str
    source: str
    event_type: str
    timestamp: str
    payload: dict[str, Any]


class EventsPageDocument(TypedDict):
    """One numbered page of events."""

    events: list[EventDocument]
    page: int
    page_size: int
    total: int


class EventCount(TypedDict):
    """Events of one source and type in one bucket."""

    bucket: str
    source: str
    event_type: str
    count: int


class EventMetrics(TypedDict):
    """Events counted by bucket, source and type."""

    tenant_id: str
    bucket_size: Literal["minute", "hour", "day"]
    metrics: list[EventCount]


class EventMetricsAfter(EventMetrics):
    """Events counted by bucket, source and type, after a cursor; next_cursor is null at the end."""

    next_cursor: str | None


class EventReceipt(TypedDict):
    """What became of each valid event of a request, in order; the first 100 errors."""

    received: int
    created: int
    duplicates: int
    rejected: int
    events: list[EventStatus]
    errors: list[FaultDocument]


class EventsAfterDocument(TypedDict):
    """Events after a cursor; next_cursor is null at the end."""

    events: list[EventDocument]
    next_cursor: str | None
