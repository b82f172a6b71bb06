"""DELETE /v1/users/{user_id}/readings: a bad hour goes, from every answer, and nothing else."""

from typing import Any

import httpx
import psycopg
import pytest

from tests.support.live_clients import heard, listening
from tests.support.wire import in_path, moment, post, reading, refused, strict_json, summary

HOUR = {"start": moment("10:00:00"), "end": moment("11:00:00")}
DAY = {"start": moment("00:00:00"), "end": moment("23:59:59")}


def delete(client: httpx.Client, user_id: str = "ada", **asked: str) -> Any:
    answer = client.delete(f"/v1/users/{in_path(user_id)}/readings", params=HOUR | asked)
    assert answer.status_code == 200, answer.text
    return strict_json(answer.text)


def fill(client: httpx.Client) -> None:
    """Store readings of two devices in the hour, at both ends of it, and of another user."""
    clocks = ["09:59:59", "10:00:00", "10:30:00", "11:00:00"]
    readings = [reading(clock, device_id=device, steps=10) for clock in clocks for device in ("watch", "phone")]
    post(client, "/v1/readings", [*readings, reading(user_id="bob", steps=7)])


@pytest.mark.parametrize("refreshed", [False, True])
def test_a_receipt_tells_what_was_deleted_and_every_answer_knows(
    client: httpx.Client, db: psycopg.Connection, refreshed: bool
) -> None:
    fill(client)
    if refreshed:
        db.execute("CALL api.refresh()")
    receipt = {"user_id": "ada", "device_id": None, **HOUR, "deleted": 4, "samples": 0, "intervals": 0}
    assert delete(client) == receipt | {"first": moment("10:00:00"), "last": moment("10:30:00")}
    for _ in range(2):
        assert summary(client)["steps"] == 20
        assert summary(client, "bob")["steps"] == 7
        for bucket in ("raw", "1m", "5m", "15m", "1h", "1d", "1w", "1mo"):
            points = client.get("/v1/users/ada/series", params=DAY | {"bucket": bucket}).json()["points"]
            assert sum(point["steps"] for point in points) == (40 if bucket == "raw" else 20), bucket
        stored = client.get("/v1/users/ada/readings", params=DAY).json()["readings"]
        assert [row["timestamp"] for row in stored] == [moment("09:59:59")] * 2 + [moment("11:00:00")] * 2
        db.execute("CALL api.refresh()")


def test_deleting_again_deletes_nothing(client: httpx.Client) -> None:
    fill(client)
    assert delete(client)["deleted"] == 4
    nothing = {"device_id": None, **HOUR, "deleted": 0, "samples": 0, "intervals": 0, "first": None, "last": None}
    assert delete(client) == {"user_id": "ada"} | nothing
    assert delete(client, "nobody") == {"user_id": "nobody"} | nothing


def test_one_device_is_deleted_and_the_other_counts(client: httpx.Client) -> None:
    fill(client)
    assert delete(client, device_id="watch")["deleted"] == 2
    assert summary(client, start="10:00:00", end="11:00:00")["steps"] == 20
    assert delete(client, device_id="unknown")["deleted"] == 0


def test_a_user_without_readings_stays(client: httpx.Client) -> None:
    post(client, "/v1/readings", reading())
    assert delete(client)["deleted"] == 1
    assert client.get("/v1/users").json()["users"] == [{"user_id": "ada", "last_seen": None}]
    refused(client.get("/v1/users/ada/latest"), 404)
    assert post(client, "/v1/readings", reading())["inserted"] == 1
    assert summary(client)["heart_rate"]["count"] == 1


def test_compressed_readings_go(client: httpx.Client, db: psycopg.Connection) -> None:
    fill(client)
    db.execute("CALL api.refresh()")
    db.execute("CALL api.upkeep()")
    assert delete(client)["deleted"] == 4
    assert summary(client)["steps"] == 20


@pytest.mark.parametrize(
    ("params", "at"),
    [
        ({"start": HOUR["start"]}, "end"),
        ({"end": HOUR["end"]}, "start"),
        ({"start": HOUR["end"], "end": HOUR["start"]}, "start"),
        ({"start": "2024-01-15T10:00:00", "end": HOUR["end"]}, "start"),
        (HOUR | {"device_id": ""}, "device_id"),
    ],
)
def test_a_range_that_is_not_clear_is_refused(client: httpx.Client, params: dict[str, str], at: str) -> None:
    fill(client)
    problem = refused(client.delete("/v1/users/ada/readings", params=params), 422)
    assert [error["at"] for error in problem["errors"]] == [at]
    assert summary(client)["steps"] == 40


def test_what_retention_has_dropped_is_refused(client: httpx.Client, db: psycopg.Connection) -> None:
    fill(client)
    db.execute("CALL api.refresh()")
    db.execute("SELECT api_internal.drop_raw('2024-01-15Z', '2024-01-16Z')")
    problem = refused(client.delete("/v1/users/ada/readings", params=HOUR), 422)
    assert "before 2024-01-16T00:00:00Z are kept as rollups only" in problem["detail"]


def test_who_listens_gets_the_state(client: httpx.Client, base_url: str) -> None:
    post(client, "/v1/readings", [reading("09:00:00", heart_rate=60), reading("10:00:00", heart_rate=200)])
    with listening(base_url, "/v1/live?user_id=ada") as socket:
        assert heard(socket)["users"][0]["latest"]["heart_rate"]["value"] == 200
        delete(client)
        assert heard(socket, "state")["users"][0]["latest"]["heart_rate"]["value"] == 60


def test_a_page_of_another_site_deletes_nothing(client: httpx.Client) -> None:
    fill(client)
    url = "/v1/users/ada/readings"
    refused(client.delete(url, params=HOUR, headers={"origin": "http://elsewhere.example"}), 403)
    assert summary(client)["steps"] == 40
