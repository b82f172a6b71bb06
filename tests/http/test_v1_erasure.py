"""DELETE /v1/users/{user_id}: the user is gone from every answer, and may come again as somebody new."""

from typing import Any

import httpx
import psycopg
import pytest

from tests.support.wire import beat, event, in_path, moment, reading, refused, strict_json, summary

LEVELS = [f"{of}_{width}" for of in ("user", "device") for width in ("15m", "1h", "4h", "1d")]
SAMPLE_LEVELS = [f"{of}_{width}" for of in ("sample", "sample_device") for width in ("15m", "1h", "1d")]
NOTHING = {
    "readings": 0,
    "samples": 0,
    "intervals": 0,
    "stale_days": 0,
    "names": 0,
    "rollups": dict.fromkeys(LEVELS + SAMPLE_LEVELS, 0),
}
RANGE = {"start": moment("00:00:00"), "end": moment("23:59:59")}


def erased(client: httpx.Client, user_id: str = "ada") -> dict[str, Any]:
    answer = client.delete(f"/v1/users/{in_path(user_id)}")
    assert answer.status_code == 200, answer.text
    return dict(strict_json(answer.text))


def test_a_receipt_tells_what_was_erased(client: httpx.Client, db: psycopg.Connection) -> None:
    client.post("/v1/readings", json=[reading(f"10:0{n}:00", device_id=device) for n in range(5) for device in "ab"])
    client.post("/v1/readings", json=[reading("10:00:00", device_id=device, spo2=97) for device in "ab"])
    db.execute("CALL api.refresh()")
    client.post("/v1/readings", json=reading("10:00:30"))
    assert erased(client) == {
        "user_id": "ada",
        "readings": 11,
        "samples": 2,
        "intervals": 0,
        "stale_days": 1,
        "names": 1,
        "rollups": {level: 1 if level.startswith("user") else 2 for level in LEVELS}
        | {level: 1 if "device" not in level else 2 for level in SAMPLE_LEVELS},
    }


def test_every_answer_is_that_of_somebody_unknown(client: httpx.Client) -> None:
    client.post("/v1/readings", json=reading())
    client.post("/metrics/heart-rate", json=beat(user_id="ada"))
    client.post("/metrics/heart-rate", json=beat())
    erased(client)
    refused(client.get("/v1/users/ada/summary", params=RANGE), 404)
    refused(client.get("/v1/users/ada/latest"), 404)
    refused(client.get("/metrics/heart-rate", params=RANGE | {"user_id": "ada"}), 404)
    assert client.get("/v1/users/ada/series", params=RANGE).json()["points"] == []
    assert summary(client, "user_123")["heart_rate"]["count"] == 1


def test_erasing_again_erases_nothing(client: httpx.Client) -> None:
    client.post("/v1/readings", json=reading())
    assert erased(client)["names"] == 1
    assert erased(client) == {"user_id": "ada"} | NOTHING
    assert erased(client, "nobody") == {"user_id": "nobody"} | NOTHING


def test_who_comes_again_starts_anew(client: httpx.Client) -> None:
    client.post("/v1/readings", json=[reading("10:00:00", steps=1), reading("10:01:00", steps=2)])
    erased(client)
    receipt = client.post("/v1/readings", json=reading("10:01:00", steps=7)).json()
    assert receipt["inserted"] == 1
    assert summary(client)["steps"] == 7


def test_devices_and_events_are_the_tenants_and_stay(client: httpx.Client) -> None:
    client.put("/v1/devices/watch", json={"name": "Ada's watch", "priority": 3})
    client.post("/v1/readings", json=reading(device_id="watch"))
    client.post("/events", json=event(tenant_id="default", source="ada"))
    erased(client)
    assert client.get("/v1/devices/watch").json()["priority"] == 3
    assert client.get("/events", params={"tenant_id": "default"}).json()["total"] == 1


@pytest.mark.parametrize("user_id", ["a/b", "a b", "ü", "100%", "a%2Fb", "'; --", "👩‍⚕️", "..", "/"])
def test_any_user_can_be_erased_and_nobody_else_is(client: httpx.Client, user_id: str) -> None:
    client.post("/v1/readings", json=[reading(user_id=user_id), reading()])
    assert erased(client, user_id)["readings"] == 1
    assert summary(client)["heart_rate"]["count"] == 1


def test_a_page_of_another_site_erases_nobody(client: httpx.Client) -> None:
    client.post("/v1/readings", json=reading())
    refused(client.delete("/v1/users/ada", headers={"origin": "http://elsewhere.example"}), 403)
    assert summary(client)["heart_rate"]["count"] == 1
