"""The shapes of answers and envelopes, for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from service.model.event import Event
from service.model.limits import MOST_IN_A_BATCH, MOST_IN_A_BULK
from service.model.reading import HeartRateReading, Reading


class ReadingsEnvelope(TypedDict):
    """Readings in an envelope."""

    readings: list[Reading]


class HeartRateBatch(TypedDict):
    """Heart rates in an envelope, at most 1000."""

    readings: Annotated[list[HeartRateReading], Field(min_length=1, max_length=MOST_IN_A_BATCH)]


class EventsEnvelope(TypedDict):
    """Events in an envelope, at most 5000."""

    events: Annotated[list[Event], Field(min_length=1, max_length=MOST_IN_A_BULK)]


class ProblemDocument(TypedDict):
    """An error, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: str
    errors: NotRequired[list[FaultDocument]]


class FaultDocument(TypedDict):
    """One thing wrong with the input: where, what, and the value found there."""

    at: str
    problem: str
    value: Any


class Ingested(TypedDict):
    """What `POST /ingest` stored."""

    message: Literal["Data received"]
    ingested: int


class RangeMetrics(TypedDict):
    """A range in three figures; null where nothing was measured."""

    avg_heart_rate: float | None
    total_steps: int | None
    total_calories: float | None


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


class HeartRatePoint(TypedDict):
    """One minute's average of the best device that reported in it."""

    timestamp: str
    heart_rate: float
    device_id: str


class HeartRateData(TypedDict):
    """Heart rate by the minute."""

    user_id: str
    data: list[HeartRatePoint]
    count: int


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


class Receipt(TypedDict):
    """What became of the readings of a request; the first 100 errors."""

    received: int
    inserted: int
    updated: int
    unchanged: int
    rejected: int
    errors: list[FaultDocument]
    dropped: NotRequired[Dropped]


class Dropped(TypedDict):
    """From how many readings a metric was dropped as invalid, where that was asked for."""

    calories: int
    heart_rate: int
    steps: int


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


class HeartRateSummary(TypedDict):
    """Heart rate over a range, beats per minute."""

    count: int
    avg: float
    min: float
    max: float


class SummaryDocument(TypedDict):
    """Exact aggregates of a range; null where nothing was measured."""

    user_id: str
    start: str
    end: str
    heart_rate: HeartRateSummary | None
    steps: int | None
    calories: float | None
    first: str
    last: str
    sources: list[str]


class SeriesHeartRate(TypedDict):
    """Heart rate in a bucket; device_id is null where several devices gave it."""

    count: int
    avg: float
    min: float
    max: float
    device_id: str | None


class SeriesPoint(TypedDict):
    """A bucket that starts at t; null where nothing was measured."""

    t: str
    heart_rate: SeriesHeartRate | None
    steps: int | None
    calories: float | None


class SeriesDocument(TypedDict):
    """A user's readings by bucket."""

    user_id: str
    bucket: Literal["raw", "1m", "5m", "15m", "1h", "1d", "1w", "1mo"]
    tz: str
    points: list[SeriesPoint]
    sources: list[str]


class UserOverview(TypedDict):
    """What a user did today, and the average heart rate of each of the last 30 minutes; null where nothing was."""

    user_id: str
    steps: int | None
    calories: float | None
    heart_rate: list[float | None]


class OverviewDocument(TypedDict):
    """Users at a glance: today is day_start <= t < day_end, and the first minute begins at first_minute."""

    tz: str
    day_start: str | None
    day_end: str | None
    first_minute: str | None
    users: list[UserOverview]


class Freshness(TypedDict):
    """Up to where rollups are trusted, seconds behind now, and which days are read raw meanwhile."""

    horizon: str
    lag: float
    stale_days: int
    stale_event_days: int
    last_refresh: str | None
    refreshed_by: str | None
    last_error: str | None


class Run(TypedDict):
    """How a task fares: who was seen at it last, and when; what the last run that found something to do did.

    A refresh does user-days, an upkeep chunks.
    """

    task: Literal["refresh", "upkeep"]
    runner: str | None
    seen: str | None
    last_start: str | None
    last_took: float | None
    done: int
    runs: int
    failures: int
    last_failed: str | None
    last_failure: str | None


class Job(TypedDict):
    """A job of the database: every so many seconds, and how the last run went, where the database keeps that."""

    name: str
    every: float
    scheduled: bool
    runs: int | None
    failures: int | None
    status: str | None
    last_start: str | None
    last_took: float | None
    next_start: str | None


class Storage(TypedDict):
    """A hypertable or rollup: bytes, and those of its compressed chunks before and after."""

    name: str
    bytes: int
    chunks: int
    compressed: int
    before: int | None
    after: int | None


class Verification(TypedDict):
    """The last check of rollups against readings: buckets compared, and how many differed."""

    checked_at: str
    buckets: int
    drift: int


class DatabaseDocument(TypedDict):
    """The database as a whole; readings are an estimate, null where there is none yet."""

    users: int
    devices: int
    readings: int | None
    bytes: int
    postgresql: str
    timescaledb: str


class Rejected(TypedDict):
    """A kind of fault for which the service refused items, how often, and when last."""

    field: str
    problem: str
    count: int
    last: str


class SystemDocument(TypedDict):
    """How the database and the service do."""

    version: str
    freshness: Freshness
    runs: list[Run]
    jobs: list[Job]
    storage: list[Storage]
    verification: Verification | None
    database: DatabaseDocument
    live_clients: int
    rejected: list[Rejected]


class DeviceDocument(TypedDict):
    """A device."""

    device_id: str
    name: str | None
    priority: int


class WornDevicesDocument(TypedDict):
    """The devices of a user in a range, the best first."""

    user_id: str
    start: str
    end: str
    devices: list[DeviceDocument]


class SeenUser(TypedDict):
    """A user, and when the latest reading was measured; null where there is none."""

    user_id: str
    last_seen: str | None


class UsersAfterDocument(TypedDict):
    """Users after a cursor; next_cursor is null at the end."""

    users: list[SeenUser]
    next_cursor: str | None


class StoredReading(TypedDict):
    """A reading as it was sent; null where a metric was not measured."""

    timestamp: str
    device_id: str
    heart_rate: float | None
    steps: int | None
    calories: float | None


class ReadingsAfterDocument(TypedDict):
    """A user's readings after a cursor; next_cursor is null at the end."""

    user_id: str
    readings: list[StoredReading]
    next_cursor: str | None


class RollupsErased(TypedDict):
    """Rows erased from each rollup."""

    user_15m: int
    user_1h: int
    user_4h: int
    user_1d: int
    device_15m: int
    device_1h: int
    device_4h: int
    device_1d: int


class ErasureReceipt(TypedDict):
    """Rows erased in each place; names is 1 where the user was known."""

    user_id: str
    readings: int
    stale_days: int
    names: int
    rollups: RollupsErased


class DeletionReceipt(TypedDict):
    """How many readings of a range were deleted, and the timestamps of the first and the last of them."""

    user_id: str
    device_id: str | None
    start: str
    end: str
    deleted: int
    first: str | None
    last: str | None


class LatestValue(TypedDict):
    """A metric's latest value, when it was measured and by which device."""

    value: float
    timestamp: str
    device_id: str


class Ahead(TypedDict):
    """The last reading whose timestamp lies after now: a clock is wrong."""

    timestamp: str
    device_id: str


class LatestDocument(TypedDict):
    """Each metric's latest value; null where it was never measured. ahead is there where a reading lies after now."""

    user_id: str
    last_seen: str | None
    heart_rate: LatestValue | None
    steps: LatestValue | None
    calories: LatestValue | None
    ahead: NotRequired[Ahead]


class Health(TypedDict):
    """The process answers."""

    status: Literal["healthy"]
    service: Literal["hyperpulse"]


class Ready(TypedDict):
    """The database answers and its schema is this release's."""

    status: Literal["ready"]
    database: Literal["ok"]
    timescaledb: str
