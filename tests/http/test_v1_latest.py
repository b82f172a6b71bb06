"""GET /v1/users/{user_id}/latest: each metric's latest value and when."""

from typing import Any

import httpx
import pytest

from tests.http.wire import in_path, ingest, moment, numbers_in, reading, refused, strict_json, strings_in


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
