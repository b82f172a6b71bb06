"""GET /prometheus: what a scraper reads, judged by Prometheus's own parser."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
from prometheus_client.parser import text_string_to_metric_families
from websockets.sync.client import connect

from tests.support.ports import free_port
from tests.support.service_process import running_service
from tests.support.wire import event, reading

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scrape(client: httpx.Client) -> Samples:
    """Return every sample by its name and labels; none may be there twice."""
    answer = client.get("/prometheus")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    samples: Samples = {}
    for family in text_string_to_metric_families(answer.text):
        assert family.documentation, family.name
        assert family.type in ("counter", "gauge", "histogram"), family.name
        for sample in family.samples:
            key = sample.name, frozenset(sample.labels.items())
            assert key not in samples, key
            samples[key] = sample.value
    return samples


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples.get((f"hyperpulse_{name}", frozenset(labels.items())), 0.0)


def test_requests_are_counted_by_method_route_and_status(client: httpx.Client) -> None:
    before = scrape(client)
    client.post("/v1/readings", json=reading())
    for user_id in ("ada", "nobody", "%00"):
        client.get(f"/v1/users/{user_id}/latest")
    client.delete("/health/")
    client.head("/health")
    after = scrape(client)
    route = "/v1/users/{user_id}/latest"
    for labels, number in (
        ({"method": "POST", "route": "/v1/readings", "status": "200"}, 1),
        ({"method": "GET", "route": route, "status": "200"}, 1),
        ({"method": "GET", "route": route, "status": "404"}, 1),
        ({"method": "DELETE", "route": "/health", "status": "405"}, 1),
        ({"method": "HEAD", "route": "/health", "status": "200"}, 1),
        ({"method": "GET", "route": "/prometheus", "status": "200"}, 1),
    ):
        told = value(after, "http_requests_total", **labels) - value(before, "http_requests_total", **labels)
        assert told == number, labels


def test_the_histogram_agrees_with_itself_and_with_the_counter(client: httpx.Client) -> None:
    client.get("/v1/users/nobody/latest")
    samples = scrape(client)
    series: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for (name, labels), number in samples.items():
        if name == "hyperpulse_http_request_seconds_bucket":
            said = dict(labels)
            series.setdefault((said["method"], said["route"]), []).append((float(said["le"]), number))
    assert ("GET", "/v1/users/{user_id}/latest") in series
    for (method, route), points in series.items():
        numbers = [number for _, number in sorted(points)]
        assert numbers == sorted(numbers)
        count = value(samples, "http_request_seconds_count", method=method, route=route)
        assert numbers[-1] == count
        assert value(samples, "http_request_seconds_sum", method=method, route=route) > 0
        assert count == sum(
            number
            for (name, labels), number in samples.items()
            if name == "hyperpulse_http_requests_total" and {("method", method), ("route", route)} <= labels
        )


def test_nothing_that_a_client_says_becomes_a_label(client: httpx.Client) -> None:
    client.post("/v1/readings", json=reading(user_id="somebody-in-particular", device_id="a-device-of-hers"))
    client.get("/v1/users/somebody-in-particular/latest")
    client.get("/somebody-in-particular/x")
    client.request("PROPFIND", "/v1/readings")
    client.post("/events", json=event("an-event", source="somebody-in-particular"))
    text = client.get("/prometheus").text
    for word in ("somebody", "a-device", "an-event", "PROPFIND"):
        assert word not in text
    assert text.count('route=""') <= 2 * 16 * 8, "one route stands for all that are none"


def test_items_are_counted_by_what_became_of_them(client: httpx.Client) -> None:
    before = scrape(client)
    many = [reading("10:00:00"), reading("10:00:01"), reading("10:00:02", heart_rate=900)]
    client.post("/v1/readings", json=many)
    client.post("/v1/readings", json=[reading("10:00:00"), reading("10:00:01", heart_rate=76)])
    client.post("/ingest", json={"user_id": "x"})
    client.post("/v1/events", json=[event("1"), event("1"), event("2", timestamp="never")])
    after = scrape(client)
    for kind, outcomes in {
        "readings": {"inserted": 2, "updated": 1, "unchanged": 1, "rejected": 2},
        "events": {"created": 1, "duplicate": 1, "rejected": 1},
    }.items():
        for outcome, number in outcomes.items():
            name = f"{kind}_total"
            assert value(after, name, outcome=outcome) - value(before, name, outcome=outcome) == number, outcome


def test_who_listens_is_counted(client: httpx.Client, base_url: str) -> None:
    before = value(scrape(client), "live_clients")
    with connect("ws" + base_url.removeprefix("http") + "/ws") as line:
        line.recv(timeout=10)
        assert value(scrape(client), "live_clients") == before + 1


def test_the_database_tells_of_rollups_checks_and_jobs(client: httpx.Client, db: psycopg.Connection) -> None:
    db.execute("DELETE FROM core.verification")
    assert ("hyperpulse_verification_drift", frozenset()) not in scrape(client), "nothing was checked, so none is told"
    client.post("/v1/readings", json=reading())
    db.execute("INSERT INTO core.verification (checked_at, buckets, drift) VALUES ('2024-01-15T10:00Z', 40, 3)")
    try:
        samples = scrape(client)
    finally:
        db.execute("DELETE FROM core.verification")
    row = db.execute("SELECT extract(epoch FROM lag)::float8 FROM api.freshness LIMIT 1").fetchone()
    assert row is not None
    assert abs(value(samples, "rollup_lag_seconds") - row[0]) < 60
    for name, number in (
        ("database_up", 1),
        ("stale_days", 1),
        ("stale_event_days", 0),
        ("verification_buckets", 40),
        ("verification_drift", 3),
        ("verification_timestamp_seconds", 1705312800),
        ("writer_queued_readings", 0),
    ):
        assert ("hyperpulse_" + name, frozenset()) in samples
        assert value(samples, name) == number, name
    assert value(samples, "pool_connections", state="idle") + value(samples, "pool_connections", state="used") >= 1


def test_a_scrape_is_answered_without_the_database() -> None:
    nowhere = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"
    with running_service(nowhere) as url, httpx.Client(base_url=url, timeout=30) as client:
        # Whether there are keys is not known, so nothing else is answered, nor anything to another machine. At once,
        # since each waits for the database.
        asked = (("/prometheus/", ""), ("/v1/users", ""), ("/prometheus", "10.0.0.1"))
        with ThreadPoolExecutor() as together:
            answers = [
                together.submit(client.get, path, headers={"X-Forwarded-For": other} if other else {})
                for path, other in asked
            ]
            begun = time.monotonic()
            samples = scrape(client)
            assert time.monotonic() - begun < 4
        assert [answer.result().status_code for answer in answers] == [200, 503, 503]
    assert samples["hyperpulse_database_up", frozenset()] == 0
    assert ("hyperpulse_rollup_lag_seconds", frozenset()) not in samples
    assert value(samples, "http_requests_total", method="GET", route="/health", status="200") >= 1
