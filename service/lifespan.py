"""What the service opens when it starts, and closes when it stops."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any, NamedTuple

from starlette.applications import Starlette

from service.answers.export import ExportSlots
from service.auth.allowance import running_allowances
from service.auth.authenticator import Authenticator
from service.auth.key_cache import running_key_cache
from service.database.pool import FairPool, make_pool
from service.database.replicas.reads import Replicas, running_replicas
from service.database.shard_map import running_shard_map
from service.event_loop import FairGate
from service.http.memory_budget import MemoryBudget
from service.ingest.registry_cache import RegistryCache
from service.ingest.timestamp_window import TimestampWindow
from service.ingest.writer import Writer, running_writer
from service.live.hub import Hub, running_hub
from service.metrics.counters import Counters
from service.metrics.database_stats import DatabaseStats, running_database_stats
from service.metrics.worker_stats import WorkerStats, of_this_process, publishing
from service.refresh.refresher import refreshing
from service.server.heartbeat import beating
from service.server.malloc import trimmed_memory
from service.settings import HOME, Settings
from service.shares import Shares
from service.state import Shards, State
from service.tracing import tracing


class Database(NamedTuple):
    """What stands on one database; the names are those of State."""

    settings: Settings
    pool: FairPool
    replicas: Replicas | None
    hub: Hub
    writer: Writer
    timestamp_window: TimestampWindow
    registries: RegistryCache
    database_stats: DatabaseStats


@asynccontextmanager
async def running_database(settings: Settings, counters: Counters) -> AsyncIterator[Database]:
    """Open what stands on the database of DATABASE_URL until the block ends."""
    pool = make_pool(settings)
    registries = RegistryCache(pool)
    async with (
        pool,
        running_replicas(settings, pool) as replicas,
        running_hub(settings, pool) as hub,
        running_writer(
            pool,
            settings.writers,
            settings.max_queued_readings,
            settings.max_queue_seconds,
            hub.own_commits,
            counters,
            registries.forget,
        ) as writer,
        running_database_stats(pool) as database_stats,
        refreshing(settings, pool),
    ):
        yield Database(settings, pool, replicas, hub, writer, TimestampWindow(pool), registries, database_stats)


def lifespan(settings: Settings, counters: Counters) -> Callable[[Starlette], Any]:
    """Return the lifespan of an application: it opens what requests share, and yields it as their state."""

    @asynccontextmanager
    async def run(app: Starlette) -> AsyncIterator[Mapping[str, Any]]:
        async with (
            beating(),
            tracing(),
            trimmed_memory(),
            running_database(settings, counters) as home,
            running_shards(settings, counters) as others,
            running_key_cache(home.pool) as keys,
            running_allowances(home.pool) as allowances,
            publishing(lambda: measured(counters, [home, *others.values()])) as worker_stats,
        ):
            state = State(
                **home._asdict(),
                authenticator=Authenticator(settings.auth, keys, settings.max_key_failures),
                allowances=allowances,
                counters=counters,
                worker_stats=worker_stats,
                erasing=asyncio.Lock(),
                streams=ExportSlots(settings.max_streams),
                imports=Shares(settings.max_imports),
                body_memory=MemoryBudget(settings.max_bytes_in_flight, "Bodies", settings.max_body_bytes),
                answer_memory=MemoryBudget(settings.max_answer_bytes, "Answers"),
                decode_gate=FairGate(),
            )
            if not others:
                yield {"state": state}
                return
            async with running_shard_map(settings.session_url, home.pool.timeline) as shard_map:
                states: dict[str, State] = {}
                shards = Shards(shard_map, states)
                states[HOME] = state._replace(shards=shards)
                for name, database in others.items():
                    of_its_own = {**database._asdict(), "erasing": asyncio.Lock(), "shard": name}
                    states[name] = states[HOME]._replace(**of_its_own)
                yield {"state": states[HOME]}

    return run


@asynccontextmanager
async def running_shards(settings: Settings, counters: Counters) -> AsyncIterator[dict[str, Database]]:
    """Open what stands on each database of SHARD_DATABASE_URLS, by its name, until the block ends."""
    async with AsyncExitStack() as stack:
        yield {
            name: await stack.enter_async_context(running_database(settings_of_shard(settings, url), counters))
            for name, url in settings.shard_database_urls
        }


def settings_of_shard(settings: Settings, url: str) -> Settings:
    """Return the settings of a database beside the home database, whose replicas and pooler are not its own."""
    return replace(settings, database_url=url, direct_database_url=None, read_database_url=())


def measured(counters: Counters, databases: Sequence[Database]) -> WorkerStats:
    """Return the statistics of this process, of all databases together."""
    pool: Counter[str] = Counter()
    queued = clients = 0
    for database in databases:
        pool.update(database.pool.get_stats())
        queued += database.writer.queued
        clients += database.hub.clients
    replicas = databases[0].replicas  # of the home database, which alone has some
    if replicas is None:
        return of_this_process(counters, pool, queued, clients, {}, {})
    return of_this_process(counters, pool, queued, clients, replicas.counts, replicas.states())
