"""The metric families of GET /prometheus: of the processes of the service, and of the database."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from psycopg.rows import DictRow

from service import __version__
from service.metrics.counters import BOUNDS, Timing
from service.metrics.worker_stats import WorkerStats

BUCKETS = [*map(repr, BOUNDS), "+Inf"]
OUTCOMES = {
    "readings": ("inserted", "updated", "unchanged", "rejected"),
    "events": ("created", "duplicate", "rejected"),
}


class Scrape(Collector):
    """All metrics of one scrape; those of processes or of the database are left out where there are none."""

    def __init__(self, stats: WorkerStats | None, database: DictRow | None) -> None:
        self.stats = stats
        self.database = database

    def collect(self) -> Iterator[Metric]:
        """Yield the families that have samples."""
        if self.stats is not None:
            yield from request_families(self.stats)
            yield from item_families(self.stats)
            yield from service_families(self.stats)
        yield from database_families(self.database)


def gauge(name: str, meaning: str, value: float | None) -> Iterator[Metric]:
    """Yield a gauge without labels; nothing where it has no value."""
    if value is not None:
        yield GaugeMetricFamily(f"hyperpulse_{name}", meaning, value=value)


def gauges(name: str, meaning: str, samples: Iterable[tuple[Mapping[str, str], float]]) -> Iterator[Metric]:
    """Yield a gauge for each set of labels; nothing where there is none."""
    yield from labelled(GaugeMetricFamily, name, meaning, samples)


def counters(name: str, meaning: str, samples: Iterable[tuple[Mapping[str, str], float]]) -> Iterator[Metric]:
    """Yield a counter for each set of labels; nothing where there is none. `_total` is appended to the name."""
    yield from labelled(CounterMetricFamily, name, meaning, samples)


def labelled(
    kind: type[CounterMetricFamily | GaugeMetricFamily],
    name: str,
    meaning: str,
    samples: Iterable[tuple[Mapping[str, str], float]],
) -> Iterator[Metric]:
    """Yield a family of samples that all have the labels of the first; nothing where there are no samples."""
    family: CounterMetricFamily | GaugeMetricFamily | None = None
    for labels, value in samples:
        if family is None:
            family = kind(f"hyperpulse_{name}", meaning, labels=list(labels))
        family.add_metric(list(labels.values()), value)
    if family is not None:
        yield family


def request_families(stats: WorkerStats) -> Iterator[Metric]:
    """Yield requests by method, route and status, and how long they took."""
    yield from counters(
        "http_requests",
        "Requests answered; the route is a template, empty where there is none.",
        [
            ({"method": key.method, "route": key.route, "status": str(key.status)}, sum(counts))
            for key, counts, _ in stats.requests
        ],
    )
    merged: defaultdict[tuple[str, str], Timing] = defaultdict(Timing)
    for key, counts, seconds in stats.requests:
        merged[key.method, key.route].add(counts, seconds)
    family = HistogramMetricFamily(
        "hyperpulse_http_request_seconds",
        "Time from a request's head to the beginning of its answer.",
        labels=["method", "route"],
    )
    for labels, timing in merged.items():
        family.add_metric(labels, cumulated(timing.counts), timing.seconds)
    yield family


def cumulated(counts: Sequence[int]) -> list[tuple[str, float]]:
    """Return how many fell under each bound or a lower one."""
    return list(zip(BUCKETS, accumulate(counts), strict=True))


def item_families(stats: WorkerStats) -> Iterator[Metric]:
    """Yield readings and events by outcome."""
    for kind, outcomes in OUTCOMES.items():
        counts = stats.items.get(kind, {})
        yield from counters(
            kind,
            f"{kind.capitalize()} received, by what became of them.",
            [({"outcome": outcome}, counts.get(outcome, 0)) for outcome in outcomes],
        )


def service_families(stats: WorkerStats) -> Iterator[Metric]:
    """Yield the release, queued readings, live clients, and the connections to the database."""
    yield from gauges("build_info", "The release that answers.", [({"version": __version__}, 1)])
    yield from gauge("writer_queued_readings", "Readings that wait to be stored.", stats.queued_readings)
    yield from gauge("live_clients", "Clients that listen.", stats.live_clients)
    yield from pool_families(Counter(stats.pool))
    yield from replica_families(stats)


def pool_families(pool: Counter[str]) -> Iterator[Metric]:
    """Yield the connections of the pool, and the requests that wait for one."""
    states = {"idle": pool["pool_available"], "used": pool["pool_size"] - pool["pool_available"]}
    yield from gauges(
        "pool_connections",
        "Connections to the database, of the pool.",
        [({"state": state}, connections) for state, connections in states.items()],
    )
    yield from gauge("pool_connections_max", "The most connections of the pool.", pool["pool_max"])
    yield from gauge("pool_waiting", "Requests that wait for a connection.", pool["requests_waiting"])
    waited, errors = pool["requests_wait_ms"] / 1000, pool["requests_errors"]
    yield from counters("pool_wait_seconds", "Time that requests waited for a connection.", [({}, waited)])
    yield from counters("pool_errors", "Requests that got no connection in time.", [({}, errors)])


def replica_families(stats: WorkerStats) -> Iterator[Metric]:
    """Yield how the replicas are, and which servers answers were read from; nothing where there are no replicas."""
    yield from counters(
        "reads", "Reads for answers, by the server.", [({"server": name}, count) for name, count in stats.reads.items()]
    )
    yield from gauges(
        "replica_up",
        "Whether answers are read from a replica.",
        [({"replica": name}, int(is_used)) for name, (is_used, _) in stats.replicas.items()],
    )
    yield from gauges(
        "replica_lag_seconds",
        "How far a replica is behind the primary.",
        [({"replica": name}, lag) for name, (_, lag) in stats.replicas.items() if lag is not None],
    )


def database_families(database: DictRow | None) -> Iterator[Metric]:
    """Yield how far the rollups are, what the last check of them found, and the runs of tasks and jobs."""
    up = "Whether the database answered this scrape within 2 seconds; without it what follows is left out."
    yield from gauge("database_up", up, int(database is not None))
    if database is None:
        return
    for name, meaning, column in (
        ("rollup_lag_seconds", "How far the horizon of the rollups is behind now.", "lag"),
        ("stale_days", "Days of users that are read raw until they are refreshed.", "stale_days"),
        ("stale_event_days", "Days of tenants whose events are counted raw until then.", "stale_event_days"),
        ("last_refresh_timestamp_seconds", "When a refresh last ended well.", "last_refresh"),
        ("verification_timestamp_seconds", "When rollups were last compared with readings.", "checked_at"),
        ("verification_buckets", "Buckets compared then, of 10 users drawn, 30 days.", "checked_buckets"),
        ("verification_drift", "Buckets that differed then, which must be none.", "drift"),
    ):
        yield from gauge(name, meaning, database[column])
    yield from task_families(database["runs"])
    yield from job_families(database["jobs"])


def task_families(runs: Sequence[DictRow]) -> Iterator[Metric]:
    """Yield the runs of tasks, by services and jobs alike; the runner is the name of a session of the database."""
    for family, name, meaning, column in (
        (counters, "task_runs", "Runs of a task that found something to do.", "runs"),
        (counters, "task_failures", "Runs of a task that a service saw fail.", "failures"),
        (gauges, "task_seconds", "How long the last run that found something to do took.", "took"),
        (gauges, "task_seen_timestamp_seconds", "When a run of a task last ended well.", "seen"),
        (gauges, "task_failed_timestamp_seconds", "When a run of a task last failed.", "failed"),
    ):
        known = [run for run in runs if run[column] is not None]
        yield from family(name, meaning, [({"task": run["task"]}, run[column]) for run in known])
    known = [run for run in runs if run["runner"] is not None]
    yield from gauges(
        "task_runner_info",
        "Which session of the database ran a task last.",
        [({"task": run["task"], "runner": run["runner"]}, 1) for run in known],
    )


def job_families(jobs: Sequence[DictRow]) -> Iterator[Metric]:
    """Yield the runs and failures of the database's jobs."""
    yield from counters("job_runs", "Runs of a job.", [({"job": job["job"]}, job["runs"]) for job in jobs])
    yield from counters(
        "job_failures", "Runs of a job that failed.", [({"job": job["job"]}, job["failures"]) for job in jobs]
    )
