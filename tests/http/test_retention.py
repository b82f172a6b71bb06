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
