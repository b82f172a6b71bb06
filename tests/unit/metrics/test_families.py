"""The metric families, judged by Prometheus's own parser."""

from __future__ import annotations

from typing import Any

from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from service.metrics.counters import BOUNDS, RequestKey
from service.metrics.families import Scrape
from service.metrics.worker_stats import WorkerStats

TASK = {"task": "refresh", "runner": "host:1", "runs": 3, "failures": 0, "seen": 1.5e9, "failed": None, "took": 0.25}
DATABASE: dict[str, Any] = {
    "lag": 12.5,
    "stale_days": 3,
    "stale_event_days": 0,
    "last_refresh": None,
    "checked_at": None,
    "checked_buckets": None,
    "drift": None,
    "runs": [TASK],
    "jobs": [],
}
NOTHING = WorkerStats([], {}, [], {})


def samples(stats: WorkerStats, database: dict[str, Any] | None) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Return the samples that a scraper reads, by name."""
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(generate_latest(Scrape(stats, database)).decode()):
        assert family.samples or family.name == "hyperpulse_http_request_seconds", family.name
        for sample in family.samples:
            found.setdefault(sample.name.removeprefix("hyperpulse_"), []).append((sample.labels, sample.value))
    return found


def test_counters_have_no_time_of_creation() -> None:
    found = samples(NOTHING, DATABASE)
    assert not [name for name in found if name.endswith("_created")]
    assert found["readings_total"][0] == ({"outcome": "inserted"}, 0)
    assert found["pool_wait_seconds_total"] == [({}, 0)]


def test_what_the_database_does_not_know_is_left_out() -> None:
    found = samples(NOTHING, DATABASE)
    assert found["database_up"] == [({}, 1)]
    assert found["rollup_lag_seconds"] == [({}, 12.5)]
    assert found["task_runs_total"] == [({"task": "refresh"}, 3)]
    assert found["task_runner_info"] == [({"task": "refresh", "runner": "host:1"}, 1)]
    for name in ("verification_drift", "task_failed_timestamp_seconds", "job_runs_total"):
        assert name not in found


def test_without_the_database_the_service_answers_for_itself() -> None:
    found = samples(NOTHING, None)
    assert found["database_up"] == [({}, 0)]
    assert "rollup_lag_seconds" not in found
    assert "live_clients" in found


def test_a_histogram_merges_statuses_and_cumulates_buckets() -> None:
    counts = [1, 2, *[0] * (len(BOUNDS) - 2), 4]
    keys = [RequestKey("GET", "/v1/users/{user_id}/latest", status) for status in (200, 404)]
    found = samples(WorkerStats([(key, counts, 1.5) for key in keys], {}, [], {}), None)
    labels = {"method": "GET", "route": "/v1/users/{user_id}/latest"}
    assert found["http_requests_total"] == [({**labels, "status": status}, 7) for status in ("200", "404")]
    buckets = {labels["le"]: value for labels, value in found["http_request_seconds_bucket"]}
    assert (buckets["0.001"], buckets["0.0025"], buckets["10.0"], buckets["+Inf"]) == (2, 6, 6, 14)
    assert found["http_request_seconds_sum"] == [(labels, 3)]
    assert found["http_request_seconds_count"] == [(labels, 14)]
