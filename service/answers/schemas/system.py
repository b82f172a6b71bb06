"""The state of the service and its database."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict


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


class Health(TypedDict):
    """The process answers."""

    status: Literal["healthy"]
    service: Literal["hyperpulse"]


class Ready(TypedDict):
    """The database answers and its schema is this release's."""

    status: Literal["ready"]
    database: Literal["ok"]
    timescaledb: str
