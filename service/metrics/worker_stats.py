"""Statistics of the workers of one port: each publishes its own every second, so that any can add up those of all.

The counts of a worker that has ended are kept, or the sums would decrease.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import msgspec

from service.metrics.counters import Counters, RequestKey, Timing
from service.metrics.rejections import MOST_KINDS, FaultKind, Seen

PUBLISH_SECONDS = 1.0
DIRECTORY = "WORKER_STATS_DIRECTORY"  # the environment variable of a worker; without it there is one process
ENDED = ".ended"
POOL_COUNTERS = ("requests_wait_ms", "requests_errors")  # the other statistics of a pool are gauges


class WorkerStats(msgspec.Struct):
    """What processes have counted since they started, and how they are now."""

    requests: list[tuple[RequestKey, list[int], float]]
    """How many answers began within each bound, and the seconds of all."""
    items: dict[str, dict[str, int]]
    """By kind and outcome."""
    rejections: list[tuple[str, str, int, datetime]]
    """Field, problem, how often, and when last; the newest first."""
    pool: dict[str, int]
    queued_readings: int = 0
    live_clients: int = 0
    reads: dict[str, int] = {}
    """Of answers, by the server that was asked; empty where there are no replicas."""
    replicas: dict[str, tuple[bool, float | None]] = {}
    """Whether each is used, and by how many seconds it is behind, where that is known."""


Measure = Callable[[], WorkerStats]


def of_this_process(
    counters: Counters,
    pool: Mapping[str, int],
    queued_readings: int,
    live_clients: int,
    reads: Mapping[str, int],
    replicas: Mapping[str, tuple[bool, float | None]],
) -> WorkerStats:
    """Return the statistics of this process; `pool` as psycopg's pool reports them."""
    items: dict[str, dict[str, int]] = {}
    for (kind, outcome), count in counters.items.items():
        items.setdefault(kind, {})[outcome] = count
    return WorkerStats(
        [(key, timing.counts, timing.seconds) for key, timing in counters.requests.items()],
        items,
        [(*kind, *seen) for kind, seen in counters.rejections.recent()],
        dict(pool),
        queued_readings,
        live_clients,
        dict(reads),
        dict(replicas),
    )


class SharedStats:
    """The statistics of this process and of the others on its port, if there is a directory that they publish in."""

    def __init__(self, measure: Measure, directory: Path | None) -> None:
        self.measure = measure
        self.directory = directory

    def aggregated(self) -> WorkerStats:
        """Return the sum of all processes; the others are as they were up to a second ago."""
        return aggregate([self.measure(), *self.of_others()])

    def of_others(self) -> Iterator[WorkerStats]:
        """Read what the other processes have published."""
        for path in self.directory.iterdir() if self.directory is not None else ():
            if path.suffix not in ("", ENDED) or path.stem == str(os.getpid()):
                continue
            try:
                stats = msgspec.json.decode(path.read_bytes(), type=WorkerStats)
            except (OSError, msgspec.MsgspecError):
                continue  # the process has just ended, and the file has its other name by the next scrape
            yield without_gauges(stats) if path.suffix else stats

    async def publish(self, directory: Path) -> None:
        """Write the statistics of this process every second; readers always find a whole file."""
        path = directory / str(os.getpid())
        part = path.with_suffix(".part")
        while True:
            part.write_bytes(msgspec.json.encode(self.measure()))
            part.replace(path)
            await asyncio.sleep(PUBLISH_SECONDS)


def without_gauges(stats: WorkerStats) -> WorkerStats:
    """Keep what a process counted that has ended."""
    pool = {name: stats.pool.get(name, 0) for name in POOL_COUNTERS}
    return WorkerStats(stats.requests, stats.items, stats.rejections, pool, reads=stats.reads)


def aggregate(workers: Iterable[WorkerStats]) -> WorkerStats:
    """Add up the statistics of processes."""
    requests: dict[RequestKey, Timing] = {}
    items: dict[str, Counter[str]] = {}
    rejections: dict[FaultKind, Seen] = {}
    pool: Counter[str] = Counter()
    queued_readings = live_clients = 0
    reads: Counter[str] = Counter()
    replicas: dict[str, tuple[bool, float | None]] = {}
    for worker in workers:
        for key, counts, seconds in worker.requests:
            requests.setdefault(key, Timing()).add(counts, seconds)
        for name, outcomes in worker.items.items():
            items.setdefault(name, Counter()).update(outcomes)
        for field, problem, times, last in worker.rejections:
            kind = FaultKind(field, problem)
            before = rejections.get(kind, Seen(0, last))
            rejections[kind] = Seen(before.times + times, max(before.last, last))
        pool.update(worker.pool)
        queued_readings += worker.queued_readings
        live_clients += worker.live_clients
        reads.update(worker.reads)
        for name, now in worker.replicas.items():
            replicas[name] = the_worse(now, replicas.get(name, now))
    newest_first = sorted(rejections.items(), key=lambda entry: entry[1].last, reverse=True)
    return WorkerStats(
        [(key, timing.counts, timing.seconds) for key, timing in requests.items()],
        {name: dict(outcomes) for name, outcomes in items.items()},
        [(*kind, *seen) for kind, seen in newest_first[:MOST_KINDS]],
        dict(pool),
        queued_readings,
        live_clients,
        dict(reads),
        replicas,
    )


def the_worse(one: tuple[bool, float | None], other: tuple[bool, float | None]) -> tuple[bool, float | None]:
    """Return how a replica is as the process sees it that sees it worse."""
    lags = [lag for lag in (one[1], other[1]) if lag is not None]
    return one[0] and other[0], max(lags, default=None)


@asynccontextmanager
async def publishing(measure: Measure) -> AsyncIterator[SharedStats]:
    """Share the statistics of this process until the block ends; they are published where there are other processes."""
    directory = Path(found) if (found := os.environ.get(DIRECTORY)) else None
    stats = SharedStats(measure, directory)
    if directory is None:
        yield stats
        return
    task = asyncio.create_task(stats.publish(directory))
    try:
        yield stats
    finally:
        task.cancel()
