"""What requests share for as long as the service runs, typed; service/lifespan.py opens it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import NamedTuple, cast

from starlette.requests import HTTPConnection

from service.answers.export import ExportSlots
from service.auth.allowance import Allowances
from service.auth.authenticator import Authenticator
from service.database.pool import Pool
from service.database.replicas.reads import Replicas
from service.database.shard_map import ShardMap
from service.event_loop import FairGate
from service.http.memory_budget import MemoryBudget
from service.ingest.registry_cache import RegistryCache
from service.ingest.timestamp_window import TimestampWindow
from service.ingest.writer import Writer
from service.live.hub import Hub
from service.metrics.counters import Counters
from service.metrics.database_stats import DatabaseStats
from service.metrics.worker_stats import SharedStats
from service.settings import HOME, Settings
from service.shares import Shares


class State(NamedTuple):
    """The settings, and what requests share."""

    settings: Settings
    pool: Pool
    """Of the primary."""
    replicas: Replicas | None
    writer: Writer
    hub: Hub
    timestamp_window: TimestampWindow
    registries: RegistryCache
    authenticator: Authenticator
    allowances: Allowances
    counters: Counters
    database_stats: DatabaseStats
    worker_stats: SharedStats
    erasing: asyncio.Lock
    """Held by an erasure or a deletion: one at a time."""
    streams: ExportSlots
    imports: Shares
    """Files that are being imported."""
    body_memory: MemoryBudget
    answer_memory: MemoryBudget
    decode_gate: FairGate
    """Admits one long body of the fast path, or step of decompressing any body, at a time."""
    shard: str = HOME
    """The name of the database."""
    shards: Shards | None = None
    """All databases, where there are several."""


class Shards(NamedTuple):
    """Which database each tenant is in, and the state for each database, by its name."""

    map: ShardMap
    states: Mapping[str, State]


def state_of(connection: HTTPConnection) -> State:
    """Return the service's state."""
    return cast(State, connection.state.state)
