"""GET /v1/users/{user_id}/export: all that is stored on a user, and nothing on others."""

from __future__ import annotations

import json
from collections import Counter
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
    db.execute("SELECT api.set_time_zone('default', 'ada', 'Europe/Berlin')")
    first, goal, *readings = exported(client)
    assert (first["kind"], first["user_id"], first["tenant_id"]) == ("user", "ada", "default")
    assert first["time_zone"] == "Europe/Berlin"
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
    assert [line["kind"] for line in found] == ["user", "quarter_hour", "last_value", "last_value"]
    assert {(line["metric"], line["value"], line["timestamp"]) for line in found[2:]} == {
        ("heart_rate", 85, moment("10:01:00")),
        ("steps", 5, moment("10:01:00")),
    }
    quarter = found[1]
    assert (quarter["start"], quarter["heart_rate_count"], quarter["heart_rate_avg"], quarter["steps"]) == (
        moment("10:00:00"),
        2,
        80,
        5,
    )


def test_it_has_what_retention_left_of_samples_and_intervals(client: httpx.Client, db: psycopg.Connection) -> None:
    client.post("/v1/readings", json=[reading("10:00:00", device_id="watch")])
    sampled(db, "1 seconds")
    hour = {"timestamp": moment("10:00:00"), "end": moment("11:00:00")}
    client.post("/v1/readings", json={"user_id": "ada", "device_id": "watch", "hydration": 500, **hour})
    db.execute("CALL api.refresh()")
    db.execute(KEEP, ["30 days"])
    db.execute("CALL api.upkeep()")
    found = exported(client)
    quarters = [line for line in found if line["kind"] == "sample_quarter_hour"]
    assert [(line["start"], line["metric"], line["count"]) for line in quarters] == [
        (moment("10:00:00"), "body_weight", 2),
        (moment("10:00:00"), "hydration", 1),
        (moment("10:00:00"), "lean_body_mass", 2),
        (moment("10:00:00"), "spo2", 2),
        *((moment(f"10:{minute}:00"), "hydration", 0) for minute in (15, 30, 45)),
    ]
    assert [line["total"] for line in quarters if line["metric"] == "hydration"] == [125] * 4
    assert [(line["avg"], line["min"], line["max"]) for line in quarters if line["metric"] == "spo2"] == [(70.25,) * 3]
    values = {line["metric"]: line for line in found if line["kind"] == "last_value"}
    assert (values["spo2"]["value"], values["spo2"]["timestamp"]) == (70.25, moment("10:00:01"))
    assert (values["hydration"]["value"], values["hydration"]["last_minute"]) == (500, moment("10:59:00"))
    assert {line["kind"] for line in found} == {"user", "quarter_hour", "sample_quarter_hour", "last_value"}


def test_pages_have_each_line_once(client: httpx.Client, db: psycopg.Connection) -> None:
    """A page has 5000 lines: the second begins in the middle of a minute of two devices."""
    client.post("/v1/readings", json=[reading(device_id=device_id) for device_id in ("watch", "phone")])
    db.execute(
        "INSERT INTO core.reading (user_key, device_key, ts, steps) "
        "SELECT user_key, device_key, ts + n * INTERVAL '1 second', 1 FROM core.reading, generate_series(1, 2600) AS n"
    )
    db.execute(
        "INSERT INTO core.kept_minute (user_key, device_key, bucket, first_ts, last_ts, heart_rate_count, steps) "
        "SELECT user_key, device_key, t, t, t, 0, 1 FROM (SELECT DISTINCT user_key, device_key FROM core.reading), "
        "generate_series('2020-01-01Z', '2020-01-01Z'::timestamptz + INTERVAL '2600 minutes', '1 minute') AS t "
        "WHERE (device_key, t) <> ((SELECT min(device_key) FROM core.device), '2020-01-01Z')"
    )
    db.execute(
        "INSERT INTO rollup.user_15m (user_key, bucket, first_ts, last_ts, heart_rate_count, worn_minutes, steps) "
        "SELECT user_key, t, t, t, 0, 1, 1 FROM core.app_user, "
        "generate_series('2020-01-01Z', '2020-01-01Z'::timestamptz + 5200 * INTERVAL '15 minutes', '15 minutes') AS t"
    )
    db.execute("UPDATE core.horizon SET raw_from = '2021-01-01Z'")
    found = exported(client)
    counts = Counter(line["kind"] for line in found)
    assert counts == {"user": 1, "reading": 5202, "quarter_hour": 5201, "minute": 5201}
    keys = [(line["kind"], line.get("timestamp", line.get("start")), line.get("device_id")) for line in found[1:]]
    assert len(set(keys)) == len(keys)
    for kind in counts - Counter(["user"]):
        ordered = [(at, device_id or "") for one, at, device_id in keys if one == kind]
        assert ordered == sorted(ordered)


def test_it_has_samples(client: httpx.Client, db: psycopg.Connection) -> None:
    client.post("/v1/readings", json=[reading("10:00:00", device_id="watch"), reading(user_id="grace")])
    sampled(db, "0 seconds")
    lines = [line for line in exported(client) if line["kind"] == "sample"]
    at = {"kind": "sample", "timestamp": moment("10:00:00"), "device_id": "watch", "value": 70.25}
    assert lines == [
        at | {"metric": "body_weight", "unit": "kg"},
        at | {"metric": "lean_body_mass", "unit": "kg"},
        at | {"metric": "spo2", "unit": "%"},
    ]


def test_pages_have_each_sample_once(client: httpx.Client, db: psycopg.Connection) -> None:
    """The second page begins between two metrics of a device at one moment."""
    client.post("/v1/readings", json=[reading(device_id=device_id) for device_id in ("watch", "phone")])
    sampled(db, "900 seconds")
    sampled(db, "800 days")
    lines = [line for line in exported(client) if line["kind"] == "sample"]
    keys = [(line["timestamp"], line["device_id"], line["metric"]) for line in lines]
    assert len(keys) == 2 * 3 * (901 + 800)
    assert keys == sorted(set(keys))


def sampled(db: psycopg.Connection, over: str) -> None:
    """Store three samples of each reading, and again every second, or every day of more than one, for so long."""
    db.execute(
        """
        SELECT api_internal.merge_samples(array_agg(r.user_key), array_agg(m.metric_key), array_agg(r.device_key),
                                          array_agg(r.ts + n * s.step), array_agg(70.25::float8))
          FROM core.reading AS r
         CROSS JOIN core.metric AS m
         CROSS JOIN (SELECT CASE WHEN %(over)s::interval > INTERVAL '1 day' THEN INTERVAL '1 day'
                                 ELSE INTERVAL '1 second' END) AS s (step)
         CROSS JOIN generate_series(0, (extract(epoch FROM %(over)s::interval) / extract(epoch FROM s.step))::int) AS n
         WHERE m.name IN ('spo2', 'body_weight', 'lean_body_mass')
        """,
        {"over": over},
    )


def test_nothing_is_left_of_an_erased_user(client: httpx.Client) -> None:
    client.post("/v1/readings", json=reading())
    client.delete("/v1/users/ada")
    refused(client.get("/v1/users/ada/export"), 404)
