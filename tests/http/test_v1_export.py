"""GET /v1/users/{user_id}/export: all that is stored on a user, and nothing on others."""

from __future__ import annotations

import json
from typing import Any

import httpx
import psycopg

from tests.support.wire import moment, reading, refused

KEEP = "UPDATE core.setting SET value = %s WHERE name = 'raw_retention'"


def exported(client: httpx.Client, user_id: str = "ada") -> list[dict[str, Any]]:
    """Return the lines of an export."""
    answer = client.get(f"/v1/users/{user_id}/export")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in answer.text.splitlines()]


def test_it_has_what_was_sent(client: httpx.Client, db: psycopg.Connection) -> None:
    sent = [
        reading("10:00:00", device_id="watch", heart_rate=75),
        reading("10:00:00", device_id="phone", steps=3, calories=1.25),
        reading("11:00:00", device_id="watch", heart_rate=80.5, steps=7),
    ]
    client.post("/v1/readings", json=[*sent, reading("10:00:00", user_id="grace")])
    db.execute("SELECT api.set_goal('default', 'ada', 'steps', 70000)")
    first, goal, *readings = exported(client)
    assert (first["kind"], first["user_id"], first["tenant_id"]) == ("user", "ada", "default")
    assert goal == {"kind": "goal", "metric": "steps", "target": 70000}
    blank = {"heart_rate": None, "steps": None, "calories": None}
    wanted = [{"kind": "reading", **blank, **{k: v for k, v in item.items() if k != "user_id"}} for item in sent]
    assert readings == [wanted[1], wanted[0], wanted[2]]


def test_it_has_what_retention_left(client: httpx.Client, db: psycopg.Connection) -> None:
    client.post("/v1/readings", json=[reading("10:00:00"), reading("10:01:00", heart_rate=85, steps=5)])
    db.execute("CALL api.refresh()")
    db.execute(KEEP, ["30 days"])
    db.execute("CALL api.upkeep()")
    found = exported(client)
    assert [line["kind"] for line in found] == ["user", "last_value", "last_value", "quarter_hour"]
    assert {(line["metric"], line["value"], line["timestamp"]) for line in found[1:3]} == {
        ("heart_rate", 85, moment("10:01:00")),
        ("steps", 5, moment("10:01:00")),
    }
    quarter = found[3]
    assert (quarter["start"], quarter["heart_rate_count"], quarter["heart_rate_avg"], quarter["steps"]) == (
        moment("10:00:00"),
        2,
        80,
        5,
    )


def test_nothing_is_left_of_an_erased_user(client: httpx.Client) -> None:
    client.post("/v1/readings", json=reading())
    client.delete("/v1/users/ada")
    refused(client.get("/v1/users/ada/export"), 404)
