"""What lives as long as the service: opened by the lifespan, typed, handed to every request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, cast

from starlette.applications import Starlette
from starlette.requests import HTTPConnection

from service.database.pool import Pool, make_pool
from service.http.memory_budget import Room
from service.ingest.timestamp_window import AcceptedTimes
from service.ingest.writer import Writer, running_writer
from service.live.hub import Hub, running_hub
from service.metrics.counters import Counters
from service.metrics.database_stats import DatabaseStats, running_database_stats
from service.metrics.worker_stats import SharedStats, of_this_process, publishing
from service.refresh.refresher import refreshing
from service.server.heartbeat import beating
from service.server.malloc import trimmed_memory
from service.settings import Settings
from service.turns import Turns


class State(NamedTuple):
    """The settings, and what requests share: an erasure or deletion holds `erasing`, a stream `streams`, a body `room`.

    Long bodies of the short way are decoded in `turns`.
    """

    settings: Settings
    pool: Pool
    writer: Writer
    hub: Hub
    accepted: AcceptedTimes
    counters: Counters
    database_stats: DatabaseStats
    worker_stats: SharedStats
    erasing: asyncio.Lock
    streams: asyncio.Semaphore
    room: Room
    turns: Turns


def lifespan(settings: Settings, counters: Counters) -> Callable[[Starlette], Any]:
    """Return the lifespan that opens and closes what the service needs."""

    @asynccontextmanager
    async def live(app: Starlette) -> AsyncIterator[Mapping[str, Any]]:
        pool = make_pool(settings)
        async with (
            beating(),
            trimmed_memory(),
            pool,
            running_hub(settings, pool) as hub,
            running_writer(
                pool, settings.writers, settings.max_queued_readings, settings.max_queue_seconds, hub.written, counters
            ) as writer,
            running_database_stats(pool) as database_stats,
            refreshing(settings, pool),
            publishing(lambda: of_this_process(counters, pool.get_stats(), writer.queued, hub.clients)) as worker_stats,
        ):
            yield {
                "state": State(
                    settings,
                    pool,
                    writer,
                    hub,
                    AcceptedTimes(pool),
                    counters,
                    database_stats,
                    worker_stats,
                    erasing=asyncio.Lock(),
                    streams=asyncio.Semaphore(settings.max_streams),
                    room=Room(settings.max_bytes_in_flight),
                    turns=Turns(),
                )
            }

    return live


def state_of(connection: HTTPConnection) -> State:
    """Return the service's state."""
    return cast(State, connection.state.state)
