"""Where there are replicas, a write says where it was committed, whatever it wrote; none of them needs to answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest

from service.app import OPERATIONS
from service.database.replicas.positions import HEADER, parse_position
from tests.support.ports import free_port
from tests.support.service_process import running_service

WHEN = "2025-01-15T10:00:00Z"
READING = {"user_id": "ada", "device_id": "watch", "timestamp": WHEN, "heart_rate": 60}
EVENT = {
    "event_id": "one",
    "tenant_id": "default",
    "source": "web",
    "event_type": "click",
    "timestamp": WHEN,
    "payload": {},
}
RANGE = "?start=2025-01-15T10:00:00Z&end=2025-01-15T11:00:00Z"
METRIC = {"title": "Grip strength", "unit": "kg", "kind": "gauge", "lowest": 0, "highest": 200}
LINE = b"heart_rate,user_id=ada,device_id=watch value=61 1736935260000000000\n"
# Each write that there is, by its path.
WRITES: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {
    ("POST", "/v1/readings"): ("/v1/readings", {"json": READING}),
    ("POST", "/ingest"): (
        "/ingest",
        {"json": {"user_id": 1, "timestamp": WHEN, "heart_rate": 60, "steps": 4, "calories": 1.5}},
    ),
    ("POST", "/metrics/heart-rate"): (
        "/metrics/heart-rate",
        {"json": {"user_id": "ada", "device_id": "watch", "timestamp": WHEN, "heart_rate": 60}},
    ),
    ("POST", "/metrics/heart-rate/batch"): (
        "/metrics/heart-rate/batch",
        {"json": {"readings": [{"user_id": "ada", "device_id": "watch", "timestamp": WHEN, "heart_rate": 60}]}},
    ),
    ("POST", "/v1/import/{format:name}"): ("/v1/import/line-protocol?user_id=ada", {"content": LINE}),
    ("POST", "/v1/events"): ("/v1/events", {"json": EVENT}),
    ("POST", "/events"): ("/events", {"json": EVENT}),
    ("POST", "/events/bulk"): ("/events/bulk", {"json": {"events": [EVENT]}}),
    ("PUT", "/v1/devices/{device_id:name}"): ("/v1/devices/watch", {"json": {"priority": 3}}),
    ("PUT", "/v1/metrics/{name:name}"): ("/v1/metrics/grip_strength", {"json": METRIC}),
    ("DELETE", "/v1/users/{user_id:name}"): ("/v1/users/ada", {}),
    ("DELETE", "/v1/users/{user_id:name}/readings"): (f"/v1/users/ada/readings{RANGE}", {}),
}


@pytest.fixture(scope="module")
def lonely(database_url: str) -> Iterator[httpx.Client]:
    """A service whose replica is away."""
    replica = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"
    with running_service(database_url, READ_DATABASE_URL=replica) as url, httpx.Client(base_url=url) as client:
        yield client


def writes() -> set[tuple[str, str]]:
    """Return the paths that write data."""
    changing = [each for each in OPERATIONS if each.method != "GET" and each.access in ("ingest", "admin")]
    return {(each.method, each.path) for each in changing}


def test_each_write_is_tried() -> None:
    assert writes() == WRITES.keys()


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_a_write_says_where_it_was_committed(
    lonely: httpx.Client, db: psycopg.Connection, method: str, path: str
) -> None:
    url, given = WRITES[method, path]
    answer = lonely.request(method, url, **given)
    assert answer.is_success, answer.text
    assert parse_position(answer.headers[HEADER]).lsn > 0


def test_what_writes_nothing_says_nothing(lonely: httpx.Client, db: psycopg.Connection) -> None:
    assert HEADER not in lonely.post("/v1/readings", content=b"{").headers
    assert HEADER not in lonely.get("/v1/users").headers


def test_a_part_of_an_upload_that_was_stored_counts(lonely: httpx.Client, db: psycopg.Connection) -> None:
    answer = lonely.post("/v1/readings", json=[READING, {**READING, "heart_rate": 1000}])
    assert answer.json()["rejected"] == 1
    assert HEADER in answer.headers


def test_a_read_takes_a_position_and_refuses_what_is_none(lonely: httpx.Client, db: psycopg.Connection) -> None:
    said = lonely.post("/v1/readings", json=READING).headers[HEADER]
    for position in (said, "FFF/FFFFFFFF/FFFFFFFF"):  # the second one is of no timeline that there is
        assert lonely.get("/v1/users/ada/latest", headers={HEADER: position}).status_code == 200
    answer = lonely.get("/v1/users/ada/latest", headers={HEADER: "soon"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["at"] == HEADER


def test_without_replicas_there_are_no_positions(client: httpx.Client) -> None:
    assert HEADER not in client.post("/v1/readings", json=READING).headers
    assert client.get("/v1/users/ada/latest", headers={HEADER: "soon"}).status_code == 200
