"""Bodies and receipts of readings, and readings as they are stored."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from service.answers.schemas.problems import FaultDocument
from service.model.limits import MOST_IN_A_BATCH
from service.model.reading import HeartRateReading, Reading


class ReadingsEnvelope(TypedDict):
    """Readings in an envelope."""

    readings: list[Reading]


class HeartRateBatch(TypedDict):
    """Heart rates in an envelope, at most 1000."""

    readings: Annotated[list[HeartRateReading], Field(min_length=1, max_length=MOST_IN_A_BATCH)]


class Ingested(TypedDict):
    """What `POST /ingest` stored."""

    message: Literal["Data received"]
    ingested: int


class Accepted(TypedDict):
    """A heart rate was stored."""

    status: Literal["accepted"]


class BatchAccepted(TypedDict):
    """How many heart rates of a batch were stored, and why the others were not."""

    status: Literal["accepted"]
    accepted: int
    rejected: int
    total: int
    errors: NotRequired[list[FaultDocument]]


class Receipt(TypedDict):
    """What became of the readings of a request; the first 100 errors."""

    received: int
    inserted: int
    updated: int
    unchanged: int
    rejected: int
    errors: list[FaultDocument]
    dropped: NotRequired[Dropped]


class KindOfFile(TypedDict):
    """What became of the readings of a kind, by the name that the file has for it."""

    kind: str
    inserted: int
    updated: int
    unchanged: int
    rejected: int


class SkippedOfFile(TypedDict):
    """How many records of a kind were left out, and why."""

    kind: str
    reason: str
    count: int


class Damage(TypedDict):
    """From where a file could not be read, and why."""

    at: str
    problem: str


class ImportReceipt(TypedDict):
    """What became of a file; the first 100 errors. damage is null where it was read to its end."""

    format: str
    received: int
    inserted: int
    updated: int
    unchanged: int
    rejected: int
    errors: list[FaultDocument]
    kinds: list[KindOfFile]
    skipped: list[SkippedOfFile]
    damage: Damage | None


class Dropped(TypedDict):
    """From how many readings a metric was dropped as invalid, where that was asked for."""

    calories: int
    heart_rate: int
    steps: int


class StoredReading(TypedDict):
    """A reading as it was sent; null where a metric was not measured. metrics is there where it is asked for.

    So are readings with an end, worn and daily_total where they are true.
    """

    timestamp: str
    device_id: str
    heart_rate: float | None
    steps: int | None
    calories: float | None
    metrics: NotRequired[dict[str, float]]
    end: NotRequired[str]
    worn: NotRequired[Literal[True]]
    daily_total: NotRequired[Literal[True]]


class ReadingsAfterDocument(TypedDict):
    """A user's readings after a cursor; next_cursor is null at the end."""

    user_id: str
    readings: list[StoredReading]
    next_cursor: str | None


class DeletionReceipt(TypedDict):
    """How many readings (deleted), samples and intervals of a range were deleted, the first and the last timestamp."""

    user_id: str
    device_id: str | None
    start: str
    end: str
    deleted: int
    samples: int
    intervals: int
    first: str | None
    last: str | None
