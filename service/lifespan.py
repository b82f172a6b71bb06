"""What the service opens when it starts, and closes when it stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette

from service.answers.export import ExportSlots
from service.auth.allowance import running_allowances
from service.auth.authenticator import Authenticator
from service.auth.key_cache import running_key_cache
from service.database.pool import make_pool
from service.database.replicas import running_replicas
from service.event_loop import FairGate
from service.http.memory_budget import MemoryBudget
from service.ingest.registry_cache import RegistryCache
from service.ingest.timestamp_window import TimestampWindow
from service.ingest.writer import running_writer
from service.live.hub import running_hub
from service.metrics.counters import Counters
from service.metrics.database_stats import running_database_stats
from service.metrics.worker_stats import of_this_process, publishing
from service.refresh.refresher import refreshing
from service.server.heartbeat import beating
from service.server.malloc import trimmed_memory
from service.settings import Settings
from service.shares import Shares
from service.state import State
from service.tracing import tracing


def lifespan(settings: Settings, counters: Counters) -> Callable[[Starlette], Any]:
    """Return the lifespan of an application: it opens what requests share, and yields it as their state."""

    @asynccontextmanager
    async def run(app: Starlette) -> AsyncIterator[Mapping[str, Any]]:
        pool = make_pool(settings)
        async with (
            beating(),
            tracing(),
            trimmed_memory(),
            pool,
            running_replicas(settings, pool) as replicas,
            running_key_cache(pool) as keys,
            running_allowances(pool) as allowances,
            running_hub(settings, pool) as hub,
            running_writer(
                pool,
                settings.writers,
                settings.max_queued_readings,
                settings.max_queue_seconds,
                hub.own_commits,
                counters,
            ) as writer,
            running_database_stats(pool) as database_stats,
            refreshing(settings, pool),
            publishing(
                lambda: of_this_process(
                    counters,
                    pool.get_stats(),
                    writer.queued,
                    hub.clients,
                    {} if replicas is None else replicas.counts,
                    {} if replicas is None else replicas.states(),
                )
            ) as worker_stats,
        ):
            yield {
                "state": State(
                    settings,
                    pool,
                    replicas,
                    writer,
                    hub,
                    TimestampWindow(pool),
                    RegistryCache(pool),
                    Authenticator(settings.auth, keys, settings.max_key_failures),
                    allowances,
                    counters,
                    database_stats,
                    worker_stats,
                    erasing=asyncio.Lock(),
                    streams=ExportSlots(settings.max_streams),
                    imports=Shares(settings.max_imports),
                    body_memory=MemoryBudget(settings.max_bytes_in_flight, "Bodies", settings.max_body_bytes),
                    answer_memory=MemoryBudget(settings.max_answer_bytes, "Answers"),
                    decode_gate=FairGate(),
                )
            }

    return run
