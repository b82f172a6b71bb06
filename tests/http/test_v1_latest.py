"""GET /v1/users/{user_id}/latest: each metric's latest value and when."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from tests.support.live_clients import heard, listening
from tests.support.wire import in_path, ingest, moment, numbers_in, post, reading, refused, strict_json, strings_in


def latest(client: httpx.Client, user_id: str = "ada") -> dict[str, Any]:
    answer = client.get(f"/v1/users/{in_path(user_id)}/latest")
    assert answer.status_code == 200, answer.text
    body = strict_json(answer.text)
    assert body["user_id"] == user_id
    return dict(body)


def told(body: dict[str, Any], metric: str, value: float, clock: str) -> bool:
    """Whether this metric's latest is this value at this moment, whatever the two are called."""
    return value in set(numbers_in(body[metric])) and moment(clock) in set(strings_in(body[metric]))


def test_each_metric_has_its_own_latest(client: httpx.Client) -> None:
    said = [
        reading("10:00:00", heart_rate=60, steps=1, calories=1.5),
        reading("10:01:00", heart_rate=61, steps=2),
        reading("10:02:00", heart_rate=62),
    ]
    client.post("/v1/readings", json=said)
    body = latest(client)
    assert told(body, "heart_rate", 62.0, "10:02:00")
    assert told(body, "steps", 2, "10:01:00")
    assert told(body, "calories", 1.5, "10:00:00")


def test_a_metric_never_measured_is_null(client: httpx.Client) -> None:
    client.post("/v1/readings", json=reading(steps=3))
    body = latest(client)
    assert (body["heart_rate"], body["calories"]) == (None, None)
    assert told(body, "steps", 3, "10:00:00")


def test_late_data_does_not_become_the_latest(client: httpx.Client) -> None:
    client.post("/v1/readings", json=reading("10:02:00", heart_rate=62))
    client.post("/v1/readings", json=reading("10:01:00", heart_rate=61))
    assert told(latest(client), "heart_rate", 62.0, "10:02:00")


def test_late_data_may_fill_in_a_metric(client: httpx.Client) -> None:
    client.post("/v1/readings", json=reading("10:02:00", heart_rate=62))
    client.post("/v1/readings", json=reading("09:00:00", steps=9))
    body = latest(client)
    assert told(body, "heart_rate", 62.0, "10:02:00")
    assert told(body, "steps", 9, "09:00:00")


def test_a_correction_is_told(client: httpx.Client) -> None:
    client.post("/v1/readings", json=reading(heart_rate=62))
    client.post("/v1/readings", json=reading(heart_rate=64))
    assert told(latest(client), "heart_rate", 64.0, "10:00:00")


def test_the_latest_may_come_from_any_device(client: httpx.Client) -> None:
    said = [
        reading("10:00:00", device_id="device_a", heart_rate=60),
        reading("10:05:00", device_id="phone", heart_rate=65, steps=5),
        reading("10:09:00", device_id="device_a", heart_rate=69),
    ]
    client.post("/v1/readings", json=said)
    body = latest(client)
    assert told(body, "heart_rate", 69.0, "10:09:00")
    assert told(body, "steps", 5, "10:05:00")


def test_what_the_earlier_paths_wrote_is_there(client: httpx.Client) -> None:
    client.post("/ingest", json=ingest(303))
    assert told(latest(client, "303"), "heart_rate", 88.0, "10:00:00")


def test_an_unknown_user_is_a_404(client: httpx.Client) -> None:
    client.post("/v1/readings", json=reading())
    refused(client.get("/v1/users/nobody/latest"), 404)


@pytest.mark.parametrize("user_id", ["a/b", "a b", "ü/ß", "100%", "a%2Fb", "a/latest", "👩‍⚕️", "..", "/"])
def test_any_user_id_can_be_asked_for(visitor: httpx.Client, user_id: str) -> None:
    visitor.post("/v1/readings", json=reading(user_id=user_id, heart_rate=66))
    assert told(latest(visitor, user_id), "heart_rate", 66.0, "10:00:00")


# A clock that is wrong ------------------------------------------------------------------------------------


def hours(ahead: float, **fields: Any) -> dict[str, Any]:
    """Make a reading so many hours ahead of now."""
    at = (datetime.now(UTC) + timedelta(hours=ahead)).replace(microsecond=0)
    return {"user_id": "ada", "timestamp": at.isoformat().replace("+00:00", "Z"), **fields}


@pytest.mark.parametrize("refreshed", [False, True])
def test_what_lies_ahead_never_hides_what_is_now(client: httpx.Client, db: psycopg.Connection, refreshed: bool) -> None:
    future = hours(6, device_id="phone", heart_rate=200, steps=9)
    post(client, "/v1/readings", future)
    present = hours(-0.01, device_id="watch", heart_rate=61)
    old = hours(-72, device_id="watch", steps=3)
    post(client, "/v1/readings", [present, old])
    if refreshed:
        db.execute("CALL api.refresh()")
    body = latest(client)
    assert body["heart_rate"] == {"value": 61.0, "timestamp": present["timestamp"], "device_id": "watch"}
    assert body["steps"] == {"value": 3, "timestamp": old["timestamp"], "device_id": "watch"}
    assert body["ahead"] == {"timestamp": future["timestamp"], "device_id": "phone"}
    assert body["last_seen"] == present["timestamp"]
    assert client.get("/v1/users").json()["users"] == [{"user_id": "ada", "last_seen": present["timestamp"]}]


def test_a_user_who_is_only_ahead_is_known_as_that(client: httpx.Client) -> None:
    future = hours(6, heart_rate=200)
    post(client, "/v1/readings", [future, hours(5, steps=1)])
    body = latest(client)
    assert [body[name] for name in ("last_seen", "heart_rate", "steps", "calories")] == [None] * 4
    assert body["ahead"] == {"timestamp": future["timestamp"], "device_id": "default"}
    assert client.get("/v1/users").json()["users"] == [{"user_id": "ada", "last_seen": None}]


def test_where_nothing_is_ahead_nothing_is_said_of_it(client: httpx.Client) -> None:
    post(client, "/v1/readings", hours(-0.01, heart_rate=60))
    assert "ahead" not in latest(client)


@pytest.mark.parametrize("by", ["service", "psql"])
def test_live_tells_what_is_now(client: httpx.Client, db: psycopg.Connection, base_url: str, by: str) -> None:
    post(client, "/v1/readings", hours(-1, heart_rate=60))
    with listening(base_url, "/v1/live?user_id=ada") as socket:
        heard(socket, "state")
        future = hours(6, heart_rate=200)
        if by == "service":
            post(client, "/v1/readings", future)
        else:
            insert = "INSERT INTO api.readings (user_id, ts, heart_rate) VALUES ('ada', %s, 200)"
            db.execute(insert, [future["timestamp"]])
        told = heard(socket, "readings")["latest"]
        assert (told["heart_rate"]["value"], told["ahead"]["timestamp"]) == (60, future["timestamp"])
        for value in (61, 62):
            present = hours((value - 99) / 3600, heart_rate=value)
            post(client, "/v1/readings", present)
            told = heard(socket, "readings")["latest"]
            assert (told["heart_rate"]["value"], told["last_seen"]) == (value, present["timestamp"])
            assert told["ahead"]["timestamp"] == future["timestamp"]
