"""`GET /prometheus`: the service's own metrics for a scraper."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from psycopg.rows import DictRow
from starlette.requests import Request
from starlette.responses import Response

from service import __version__
from service.exposition import MEDIA_TYPE, family, histogram, single
from service.metrics.counters import BOUNDS, Timing
from service.metrics.worker_stats import WorkerStats
from service.routes.operation import Answer, Operation
from service.state import state_of


async def prometheus(request: Request) -> Response:
    """Answer with all metrics; with what the processes of the service know while the database is away."""
    state = state_of(request)
    database = await state.database_stats.now()
    stats = state.worker_stats.aggregated()
    text = "".join([*of_requests(stats), *of_items(stats), *of_service(stats), *of_database(database)])
    return Response(text, headers={"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store"})


def template(route: str) -> str:
    """Write a route as the OpenAPI document does."""
    return route.replace(":name}", "}")


def of_requests(stats: WorkerStats) -> Iterator[str]:
    """Tell of requests, by method, route and status, and how long they took."""
    yield family(
        "hyperpulse_http_requests_total",
        "counter",
        "Requests answered; the route is a template, empty where there is none.",
        [
            ({"method": key.method, "route": template(key.route), "status": key.status}, sum(counts))
            for key, counts, _ in stats.requests
        ],
    )
    merged: defaultdict[tuple[str, str], Timing] = defaultdict(Timing)
    for key, counts, seconds in stats.requests:
        series = merged[key.method, template(key.route)]
        series.counts = [one + other for one, other in zip(series.counts, counts, strict=True)]
        series.seconds += seconds
    yield histogram(
        "hyperpulse_http_request_seconds",
        "Time from a request's head to the beginning of its answer.",
        BOUNDS,
        [({"method": key[0], "route": key[1]}, timing.counts, timing.seconds) for key, timing in merged.items()],
    )


def of_items(stats: WorkerStats) -> Iterator[str]:
    """Tell what became of readings and events."""
    outcomes = {
        "readings": ("inserted", "updated", "unchanged", "rejected"),
        "events": ("created", "duplicate", "rejected"),
    }
    for kind, names in outcomes.items():
        counts = stats.items.get(kind, {})
        yield family(
            f"hyperpulse_{kind}_total",
            "counter",
            f"{kind.capitalize()} received, by what became of them.",
            [({"outcome": outcome}, counts.get(outcome, 0)) for outcome in names],
        )


def of_service(stats: WorkerStats) -> Iterator[str]:
    """Tell of the service's processes: what waits in them, who listens, and their connections to the database."""
    yield family("hyperpulse_build_info", "gauge", "The release that answers.", [({"version": __version__}, 1)])
    queued = stats.queued_readings
    yield single("hyperpulse_writer_queued_readings", "gauge", "Readings that wait to be stored.", queued)
    yield single("hyperpulse_live_clients", "gauge", "Clients that listen.", stats.live_clients)
    pool = Counter(stats.pool)
    yield family(
        "hyperpulse_pool_connections",
        "gauge",
        "Connections to the database, of the pool.",
        [
            ({"state": "idle"}, pool["pool_available"]),
            ({"state": "used"}, pool["pool_size"] - pool["pool_available"]),
        ],
    )
    yield single("hyperpulse_pool_connections_max", "gauge", "The most connections of the pool.", pool["pool_max"])
    yield single("hyperpulse_pool_waiting", "gauge", "Requests that wait for a connection.", pool["requests_waiting"])
    yield single(
        "hyperpulse_pool_wait_seconds_total",
        "counter",
        "Time that requests waited for a connection.",
        pool["requests_wait_ms"] / 1000,
    )
    yield single(
        "hyperpulse_pool_errors_total",
        "counter",
        "Requests that got no connection in time.",
        pool["requests_errors"],
    )


def of_database(database: DictRow | None) -> Iterator[str]:
    """Tell how far the rollups are, what the last check of them found, and how tasks and jobs fare."""
    up = "Whether the database answered this scrape within 2 seconds; without it what follows is left out."
    yield single("hyperpulse_database_up", "gauge", up, int(database is not None))
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
        yield single(f"hyperpulse_{name}", "gauge", meaning, database[column])
    yield from of_runs(database["runs"])
    for name, meaning in (("runs", "Runs of a job."), ("failures", "Runs of a job that failed.")):
        yield family(
            f"hyperpulse_job_{name}_total",
            "counter",
            meaning,
            [({"job": job["job"]}, job[name]) for job in database["jobs"]],
        )


def of_runs(runs: list[DictRow]) -> Iterator[str]:
    """Tell how the tasks fare, whoever runs them; the runner is the name of a session of the database."""
    for name, kind, meaning, key in (
        ("task_runs_total", "counter", "Runs of a task that found something to do.", "runs"),
        ("task_failures_total", "counter", "Runs of a task that a service saw fail.", "failures"),
        ("task_seconds", "gauge", "How long the last run that found something to do took.", "took"),
        ("task_seen_timestamp_seconds", "gauge", "When a run of a task last ended well.", "seen"),
        ("task_failed_timestamp_seconds", "gauge", "When a run of a task last failed.", "failed"),
    ):
        samples = [({"task": run["task"]}, run[key]) for run in runs if run[key] is not None]
        yield family(f"hyperpulse_{name}", kind, meaning, samples)
    yield family(
        "hyperpulse_task_runner_info",
        "gauge",
        "Which session of the database ran a task last.",
        [({"task": run["task"], "runner": run["runner"]}, 1) for run in runs if run["runner"] is not None],
    )


OPERATIONS = [
    Operation(
        "GET",
        "/prometheus",
        prometheus,
        "System",
        "The service's own metrics",
        {200: Answer("Counters, gauges and a histogram, of the service and of the database.", media_type=MEDIA_TYPE)},
        description="In the Prometheus text format. While the database is away, hyperpulse_database_up is 0 and what "
        "it would say is left out.",
        refuses=(),
    ),
]
