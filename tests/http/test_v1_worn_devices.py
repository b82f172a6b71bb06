"""GET /v1/users/{user_id}/devices: which devices a user wore in a range."""

import httpx
import psycopg
import pytest

from tests.support.database import empty
from tests.support.wire import in_path, reading

DAY = {"start": "2024-01-15T00:00:00Z", "end": "2024-01-16T00:00:00Z"}


def worn(client: httpx.Client, user_id: str = "ada", **asked: str) -> list[str]:
    answer = client.get(f"/v1/users/{in_path(user_id)}/devices", params={**DAY, **asked})
    assert answer.status_code == 200, answer.text
    assert answer.json()["user_id"] == user_id
    return [device["device_id"] for device in answer.json()["devices"]]


def test_they_come_best_first_each_once(client: httpx.Client) -> None:
    names = ["phone", "device_b", "ring"]
    said = [reading(f"10:00:0{n}", user_id="ada", device_id=name) for n, name in enumerate(names)]
    said += [reading("11:00:00", user_id="ada", device_id=name) for name in ("device_a", "phone")]
    client.post("/v1/readings", json=said)
    assert worn(client) == ["device_a", "device_b", "phone", "ring"]
    client.put("/v1/devices/ring", json={"name": "Ada's ring", "priority": 0})
    assert worn(client) == ["ring", "device_a", "device_b", "phone"]


def test_the_first_one_counts_though_the_service_knows_a_name_of_before(
    client: httpx.Client, db: psycopg.Connection
) -> None:
    names = ["ring", "phone"]
    said = [reading(f"10:00:0{n}", user_id="ada", device_id=name) for n, name in enumerate(names)]
    client.post("/v1/readings", json=said[:1])
    empty(db)  # the service hears of it when it writes again
    client.post("/v1/readings", json=said)
    assert worn(client) == names


def test_only_readings_of_the_user_in_the_half_open_range_count(client: httpx.Client) -> None:
    said = [reading("10:00:00", user_id="ada", device_id="early"), reading("11:00:00", user_id="ada", device_id="late")]
    client.post("/v1/readings", json=[*said, reading("10:30:00", user_id="lin", device_id="other")])
    assert worn(client, end="2024-01-15T11:00:00Z") == ["early"]
    assert worn(client, start="2024-01-15T10:00:00.000001Z") == ["late"]


@pytest.mark.parametrize(
    ("user_id", "asked", "status"),
    [
        ("nobody", DAY, 404),
        ("ada", {"start": "2024-02-01T00:00:00Z", "end": "2024-02-02T00:00:00Z"}, 404),
        ("ada", {"start": "2024-01-16T00:00:00Z", "end": "2024-01-15T00:00:00Z"}, 422),
        ("ada", {"start": "yesterday"}, 422),
    ],
)
def test_it_refuses(client: httpx.Client, user_id: str, asked: dict[str, str], status: int) -> None:
    client.post("/v1/readings", json=reading(user_id="ada"))
    assert client.get(f"/v1/users/{user_id}/devices", params=asked).status_code == status
