"""Raw readings that retention has dropped: what is still told of them, and that none is accepted there any more."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import psycopg
import pytest

from tests.support.service_process import running_service
from tests.support.wire import moment, post, reading, refused, strict_json, summary

KEEP = "UPDATE core.setting SET value = %s WHERE name = 'raw_retention'"


@pytest.fixture
def own(db: psycopg.Connection, database_url: str) -> Iterator[httpx.Client]:
    """A client of a service that has not asked yet what is accepted."""
    with running_service(database_url) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


def drop(db: psycopg.Connection) -> None:
    db.execute("CALL api.refresh()")
    db.execute(KEEP, ["30 days"])
    db.execute("CALL api.upkeep()")
    assert db.execute("SELECT count(*) FROM core.reading").fetchone() == (0,)


def test_a_reading_where_raw_was_dropped_is_refused_with_the_reason(
    client: httpx.Client, own: httpx.Client, db: psycopg.Connection
) -> None:
    client.post("/v1/readings", json=[reading("10:00:00"), reading("10:01:00", steps=5)])
    before = summary(client)
    told = [f"/v1/users/ada/{what}" for what in ("latest", "devices")] + ["/v1/users"]
    asked = {path: strict_json(client.get(path).text) for path in told}
    drop(db)
    db.execute(KEEP, [None])
    (error,) = post(own, "/v1/readings", reading("10:02:00"), 422)["errors"]
    assert (error["at"], error["value"]) == ("timestamp", moment("10:02:00"))
    assert error["problem"] == "is older than what is accepted, 2024-01-16T00:00:00Z"
    db.execute("CALL api.refresh()")
    assert summary(own) == before
    assert {path: strict_json(own.get(path).text) for path in told} == asked


def test_a_service_that_does_not_know_of_a_drop_loses_nothing(own: httpx.Client, db: psycopg.Connection) -> None:
    """What is accepted it asks once a minute."""
    own.post("/v1/readings", json=[reading("10:00:00"), reading("10:01:00", steps=5)])
    before = summary(own)
    drop(db)
    refused(own.post("/v1/readings", json=reading("10:02:00", steps=7)), 503)
    db.execute("CALL api.refresh()")
    assert summary(own) == before


def test_samples_and_intervals_are_dropped_as_readings_are(own: httpx.Client, db: psycopg.Connection) -> None:
    """A service that does not know of it loses nothing, and refuses what it cannot store."""
    sent = [
        {"spo2": 97},
        {"hydration": 250, "end": moment("10:40:00")},
        {"steps": 90, "end": moment("10:10:00")},
        {"worn": True, "end": moment("11:00:00")},
    ]
    own.post("/v1/readings", json=[{"user_id": "ada", "timestamp": moment("10:00:00"), **one} for one in sent])
    span = {"start": moment("10:00:00"), "end": moment("10:30:00"), "metrics": "steps,spo2,hydration"}
    paths = ["/v1/users/ada/summary", "/v1/users/ada/series", "/v1/users/ada/latest"]
    asked = {
        path: {**({} if "latest" in path else span), **({"bucket": "15m"} if "series" in path else {})}
        for path in paths
    }
    db.execute("CALL api.refresh()")
    before = {path: strict_json(own.get(path, params=params).text) for path, params in asked.items()}
    drop(db)
    for table in ("sample", "interval", "worn_window"):
        assert db.execute(f"SELECT count(*) FROM core.{table}".encode()).fetchone() == (0,), table
    late = [{"spo2": 90}, {"hydration": 5, "end": moment("10:20:00")}, {"steps": 5, "end": moment("10:20:00")}]
    for one in late:
        refused(own.post("/v1/readings", json={"user_id": "ada", "timestamp": moment("10:05:00"), **one}), 503)
    db.execute("CALL api.refresh()")
    assert {path: strict_json(own.get(path, params=params).text) for path, params in asked.items()} == before
    assert strict_json(own.get("/v1/users/ada/series", params={**span, "bucket": "5m"}).text)["points"] == []
