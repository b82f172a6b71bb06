"""What lives as long as the service: opened by the lifespan, typed, handed to every request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, cast

from starlette.applications import Starlette
from starlette.requests import HTTPConnection

from service.database.pool import Pool, make_pool
from service.event_loop import FairGate
from service.http.memory_budget import Room
from service.ingest.timestamp_window import AcceptedTimes
from service.ingest.writer import Writer, running_writer
from service.live.hub import Hub, running_hub
from service.metrics.database_stats import Figures, asking_figures
from service.metrics.worker_stats import telling
from service.refresh.refresher import refreshing
from service.server.heartbeat import beating
from service.server.malloc import trimmed_memory
from service.settings import Settings


class State(NamedTuple):
    """The settings, and what requests share: an erasure or deletion holds `erasing`, a stream `streams`, a body `room`.

    Long bodies of the short way pass `decode_gate` before they are decoded.
    """

    settings: Settings
    pool: Pool
    writer: Writer
    hub: Hub
    accepted: AcceptedTimes
    figures: Figures
    erasing: asyncio.Lock
    streams: asyncio.Semaphore
    room: Room
    decode_gate: FairGate


def lifespan(settings: Settings) -> Callable[[Starlette], Any]:
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
                pool, settings.writers, settings.max_queued_readings, settings.max_queue_seconds, hub.own_commits
            ) as writer,
            asking_figures(pool) as figures,
            refreshing(settings, pool),
        ):
            streams = asyncio.Semaphore(settings.max_streams)
            room = Room(settings.max_bytes_in_flight)
            accepted = AcceptedTimes(pool)
            state = State(settings, pool, writer, hub, accepted, figures, asyncio.Lock(), streams, room, FairGate())
            async with telling(state):
                yield {"state": state}

    return live


def state_of(connection: HTTPConnection) -> State:
    """Return the service's state."""
    return cast(State, connection.state.state)
