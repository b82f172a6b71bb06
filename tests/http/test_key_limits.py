"""Limits of keys: held by all processes together, across the death of one, and told in headers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from http.client import HTTPConnection
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from tests.support.keys import add_key, bearer
from tests.support.service_process import running_service
from tests.support.wire import event, moment, reading, refused

NDJSON = "application/x-ndjson"
RANGE = f"?start={moment('10:00:00')}&end={moment('12:00:00')}"
WINDOW = 6.0  # seconds
RATE = 10.0


@pytest.fixture(scope="module")
def two_workers(database_url: str) -> Iterator[str]:
    """A service of two processes."""
    with running_service(database_url, AUTH="keys", WORKERS="2") as url:
        yield url


def sent_within(url: str, headers: dict[str, str], seconds: float) -> tuple[int, int]:
    """Ask as often as it goes, each time on a new connection; return how many were answered and how many refused."""
    answered = refusals = 0
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        connection = HTTPConnection(urlsplit(url).netloc, timeout=10)
        connection.request("GET", "/v1/devices/watch", headers=headers)
        status = connection.getresponse().status
        connection.close()
        assert status in (404, 429)
        answered += status == 404
        refusals += status == 429
    return answered, refusals


def test_processes_hold_a_limit_together(two_workers: str, db: psycopg.Connection) -> None:
    headers = bearer(add_key(db, ["read"], requests_per_second=RATE))
    sent_within(two_workers, headers, 3)  # uses up the burst
    answered, refusals = sent_within(two_workers, headers, WINDOW)
    assert refusals
    assert answered == pytest.approx(RATE * WINDOW, rel=0.2)


def test_a_restart_forgives_nothing(database_url: str, db: psycopg.Connection) -> None:
    headers = bearer(add_key(db, ["ingest"], bytes_per_day=1000))
    body = [reading(f"10:00:{second:02}") for second in range(30)]
    with running_service(database_url, AUTH="keys") as url:
        assert httpx.post(f"{url}/v1/readings", json=body, headers=headers).status_code == 200
    with running_service(database_url, AUTH="keys") as url:
        # What a new process does not know yet, it asks the database with the first request.
        answer = httpx.post(f"{url}/v1/readings", json=body[:1], headers=headers)
        assert "bytes" in refused(answer, 429)["detail"]
        assert int(answer.headers["retry-after"]) > 60 * 60
        assert answer.headers["ratelimit"] == '"bytes";r=0'


@pytest.mark.parametrize(
    ("path", "body", "count"),
    [
        ("/v1/readings", [reading(f"10:00:{n:02}") for n in range(40)], 40),
        ("/v1/readings?atomic=true", [reading(f"10:00:{n:02}") for n in range(40)], 40),
        ("/metrics/heart-rate", {"device_id": "a", "user_id": "b", "timestamp": moment(), "heart_rate": 75}, 1),
        ("/events/bulk", {"events": [event(f"e{n}") for n in range(40)]}, 40),
        ("/v1/events", [event(f"e{n}") for n in range(40)], 40),
        ("/events", event(), 1),
    ],
)
def test_what_is_sent_is_charged(two_workers: str, db: psycopg.Connection, path: str, body: object, count: int) -> None:
    headers = bearer(add_key(db, ["ingest"], readings_per_second=0.001, bytes_per_day=1e5))
    assert httpx.post(f"{two_workers}{path}", json=body, headers=headers).status_code < 300
    deadline = time.monotonic() + 5
    while (row := db.execute("SELECT readings_left, bytes_left FROM core.key_allowance").fetchone()) is None or row[
        0
    ] > 0:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert row[0] == pytest.approx(0.002 - count, abs=0.1)
    assert 1e5 - 10_000 < row[1] < 1e5
    while (answer := httpx.post(f"{two_workers}{path}", json=body, headers=headers)).status_code < 300:
        time.sleep(0.1)  # the other process may not have asked yet
    assert "readings" in refused(answer, 429)["detail"]


@pytest.mark.parametrize(
    ("path", "accept"), [("readings" + RANGE, "text/csv"), ("readings" + RANGE, NDJSON), ("export", NDJSON)]
)
def test_rows_of_a_stream_cost_as_much_as_pages(
    two_workers: str, db: psycopg.Connection, path: str, accept: str
) -> None:
    body = [reading(f"{10 + n // 3600}:{n // 60 % 60:02}:{n % 60:02}") for n in range(2500)]
    writing, asking = bearer(add_key(db, ["ingest"])), bearer(add_key(db, ["read"], requests_per_second=0.001))
    assert httpx.post(f"{two_workers}/v1/readings", json=body, headers=writing).json()["inserted"] == 2500
    answer = httpx.get(f"{two_workers}/v1/users/ada/{path}", headers={**asking, "Accept": accept})
    assert len(answer.text.splitlines()) >= 2500
    deadline = time.monotonic() + 5
    left = None
    while left is None or left > -2:
        row = db.execute("SELECT requests_left FROM core.key_allowance").fetchone()
        left = row and row[0]
        assert time.monotonic() < deadline, left
        time.sleep(0.1)
    assert left == pytest.approx(0.002 - 3, abs=0.1)


def test_a_key_without_limits_is_told_of_none(two_workers: str, db: psycopg.Connection) -> None:
    assert "ratelimit" not in httpx.get(f"{two_workers}/v1/users", headers=bearer(add_key(db, ["read"]))).headers


def test_a_refusal_comes_after_a_pause(two_workers: str, db: psycopg.Connection) -> None:
    """So a client that sends again at once takes little of the processor."""
    headers = bearer(add_key(db, ["read"], requests_per_second=0.001))
    with httpx.Client(base_url=two_workers, headers=headers) as client:
        while client.get("/v1/users").status_code != 429:
            pass
        begun = time.monotonic()
        for _ in range(3):
            refused(client.get("/v1/users"), 429)
        assert time.monotonic() - begun > 0.55
