"""`GET /v1/overview` and `GET /v1/system`: what the dashboard shows at a glance."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import ANY

import httpx
import psycopg
import pytest

MINUTE = timedelta(minutes=1)


def reading(moment: datetime, user_id: str = "ada", **fields: Any) -> dict[str, Any]:
    """Write a reading as it is sent."""
    return {"user_id": user_id, "timestamp": moment.isoformat(), **fields}


def send(client: httpx.Client, *readings: dict[str, Any]) -> None:
    """Store readings."""
    assert client.post("/v1/readings", json=list(readings)).json()["rejected"] == 0


def glance(client: httpx.Client, **params: Any) -> dict[str, Any]:
    """Ask for the overview."""
    answer = client.get("/v1/overview", params=params)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def test_without_readings_there_is_nobody(client: httpx.Client) -> None:
    assert glance(client) == {"tz": "UTC", "day_start": None, "day_end": None, "first_minute": None, "users": []}


@pytest.mark.parametrize("tz", ["UTC", "Asia/Kathmandu", "America/St_Johns", "Pacific/Kiritimati", "Asia/Calcutta"])
def test_today_is_what_the_summary_says(client: httpx.Client, db: psycopg.Connection, tz: str) -> None:
    now = datetime.now(UTC)
    moments = [now - number * timedelta(minutes=31) for number in range(60)]
    for device in "device_a", "phone":
        # Not in every minute the better one.
        worn = enumerate(moments[:: 1 if device == "phone" else 3])
        send(client, *(reading(at, device_id=device, steps=n + 1, calories=0.1 * n) for n, at in worn))
    for late in False, True:
        if late:
            send(client, reading(now - timedelta(hours=3), steps=7, device_id="late"))
        users = glance(client, tz=tz)
        bounds = {"start": users["day_start"], "end": users["day_end"]}
        summary = client.get("/v1/users/ada/summary", params=bounds).json()
        (ada,) = users["users"]
        assert (ada["steps"], ada["calories"]) == (summary["steps"], summary["calories"])
        db.execute("CALL api.refresh()")
        (ada,) = glance(client, tz=tz)["users"]
        assert (ada["steps"], ada["calories"]) == (summary["steps"], summary["calories"])


def test_the_last_half_hour_is_what_the_series_says(client: httpx.Client) -> None:
    now = datetime.now(UTC)
    for device, rate in ("device_b", 60), ("phone", 100):
        send(client, *(reading(now - n * MINUTE, heart_rate=rate + n, device_id=device) for n in range(40)))
    users = glance(client)
    first = datetime.fromisoformat(users["first_minute"])
    series = client.get(
        "/v1/users/ada/series",
        params={
            "start": users["first_minute"],
            "end": (first + 30 * MINUTE).isoformat(),
            "bucket": "1m",
            "fill": "null",
        },
    ).json()
    assert users["users"][0]["heart_rate"] == [p["heart_rate"] and p["heart_rate"]["avg"] for p in series["points"]]


def test_only_those_named_are_told_of(client: httpx.Client) -> None:
    names = ["ada", "grace", "a&b=c/ä"]
    for name in names:
        send(client, reading(datetime.now(UTC), name, steps=1))
    assert [user["user_id"] for user in glance(client)["users"]] == names
    asked = [("user_id", "a&b=c/ä"), ("user_id", "ada"), ("user_id", "nobody")]
    answer = client.get("/v1/overview", params=asked).json()
    assert [user["user_id"] for user in answer["users"]] == ["ada", "a&b=c/ä"]
    assert [(user["steps"], user["calories"]) for user in answer["users"]] == [(1, None)] * 2


def test_a_zone_that_does_not_exist_is_refused(client: httpx.Client) -> None:
    answer = client.get("/v1/overview", params={"tz": "Mars/Olympus"})
    assert (answer.status_code, answer.json()["errors"][0]["at"]) == (422, "tz")


def test_the_system_tells_who_ran_what(client: httpx.Client, db: psycopg.Connection) -> None:
    db.execute("DELETE FROM core.run; INSERT INTO core.run (task) VALUES ('refresh'), ('upkeep')")
    refresh, upkeep = client.get("/v1/system").json()["runs"]
    assert (refresh["task"], refresh["runner"], refresh["seen"], refresh["last_failure"]) == (
        "refresh",
        None,
        None,
        None,
    )
    db.execute("SET application_name = 'psql by hand'")
    db.execute("SELECT api_internal.note_run('refresh', now() - INTERVAL '2 seconds', 7)")
    db.execute("SELECT api_internal.note_failure('upkeep', 'the disk is full')")
    refresh, upkeep = client.get("/v1/system").json()["runs"]
    assert (refresh["runner"], refresh["done"], refresh["runs"]) == ("psql by hand", 7, 1)
    assert 2 <= refresh["last_took"] < 4
    assert refresh["last_start"] < refresh["seen"]
    assert (upkeep["failures"], upkeep["last_failure"], upkeep["runner"]) == (1, "the disk is full", None)
    assert upkeep["last_failed"].endswith("Z")
    db.execute("SELECT api_internal.note_run('refresh', now(), 0)")
    assert client.get("/v1/system").json()["runs"][0] == refresh | {"seen": ANY}, "it found nothing to do"


def test_the_system_tells_of_itself(client: httpx.Client, db: psycopg.Connection) -> None:
    send(client, reading(datetime.now(UTC), heart_rate=61, device_id="watch"))
    send(client, reading(datetime.now(UTC) - timedelta(days=2), heart_rate=61))
    bad = {"user_id": "someone", "timestamp": "2026-01-15T10:00:00Z", "heart_rate": 987}
    for _ in range(3):
        client.post("/v1/readings", json=[bad])
    client.post("/v1/readings", json=[{**bad, "heart_rate": 60, "someone": 1}])
    client.post("/v1/readings", content='{"user_id": "someone", ', headers={"Content-Type": "application/x-ndjson"})
    system = client.get("/v1/system").json()
    assert system["freshness"]["stale_days"] == 1
    assert datetime.fromisoformat(system["freshness"]["horizon"]) < datetime.now(UTC)
    assert [job["name"] for job in system["jobs"]] == ["hyperpulse refresh", "hyperpulse upkeep"]
    assert {part["name"]: part["chunks"] for part in system["storage"]}["core.reading"] == 2
    assert (system["database"]["users"], system["database"]["devices"]) == (1, 2)
    newest, unknown, before, *_ = system["rejected"]
    assert (newest["field"], newest["problem"]) == ("", "is not JSON")
    assert (unknown["field"], unknown["problem"]) == ("", "is not a metric")
    assert (before["field"], before["problem"]) == ("heart_rate", "must be between 30 and 220")
    assert before["count"] >= 3
    assert "someone" not in str(system["rejected"])
    # A moment may hold any digits.
    told = [f"{kind['field']} {kind['problem']}" for kind in system["rejected"]]
    assert not [words for words in told if "987" in words]
