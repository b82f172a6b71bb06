"""POST /v1/readings with an end, and what stands in the database afterwards."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from service.model.timestamps import parse_timestamp
from tests.support.keys import add_key, bearer
from tests.support.live_clients import heard, listening
from tests.support.service_process import running_service
from tests.support.wire import moment

NDJSON, CSV = "application/x-ndjson", "text/csv"


def interval(
    clock: str = "10:00:00", end: str | None = "10:10:00", user_id: str = "ada", **fields: Any
) -> dict[str, Any]:
    ends = {} if end is None else {"end": moment(end)}
    return {"user_id": user_id, "device_id": "phone", "timestamp": moment(clock)} | ends | fields


def receipt(client: httpx.Client, body: Any, query: str = "", **headers: str) -> dict[str, Any]:
    answer = client.post(f"/v1/readings{query}", json=body, headers=headers)
    assert answer.status_code in (200, 422), answer.text
    return dict(answer.json())


def outcomes(client: httpx.Client, body: Any) -> tuple[int, int, int]:
    found = receipt(client, body)
    assert found["rejected"] == 0, found
    return found["inserted"], found["updated"], found["unchanged"]


def stored(db: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    """Every interval, total and worn window: what it is, of whom, from when to when, how much."""
    db.execute("SET timezone = 'UTC'")
    rows = db.execute(
        """
        SELECT metric, user_id, device_id, to_char(ts, 'HH24:MI'), to_char(ends_at, 'HH24:MI'), value FROM api.intervals
         UNION ALL
        SELECT metric || ' of a day', user_id, device_id, to_char(ts, 'HH24:MI'), to_char(ends_at, 'HH24:MI'), value
          FROM api.daily_totals
         UNION ALL
        SELECT 'worn', user_id, device_id, to_char(ts, 'HH24:MI'), to_char(ends_at, 'HH24:MI'), NULL
          FROM api.worn_windows
         ORDER BY 2, 3, 4, 1
        """
    )
    return [(what, *rest) for what, *rest in rows.fetchall()]


def test_sums_are_intervals_and_the_rest_is_of_the_moment(client: httpx.Client, db: psycopg.Connection) -> None:
    body = interval(steps=720, calories=31.5, heart_rate=91, spo2=97, distance={"value": 0.5, "unit": "km"}, worn=True)
    for given in ([body], {"readings": [body]}, body):
        assert outcomes(client, given) in ((1, 0, 0), (0, 0, 1))
    at = ("ada", "phone", "10:00", "10:10")
    assert stored(db) == [("calories", *at, 31.5), ("distance", *at, 500.0), ("steps", *at, 720.0), ("worn", *at, None)]
    assert db.execute("SELECT heart_rate, steps, calories FROM api.readings").fetchall() == [(91.0, None, None)]
    assert db.execute("SELECT metric, value FROM api.samples").fetchall() == [("spo2", 97.0)]


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("application/json", json.dumps([interval(steps=72, worn=True), interval("11:00:00", None, steps=1)])),
        (NDJSON, "\n".join(map(json.dumps, [interval(steps=72.0, worn=True), interval("11:00:00", None, steps=1)]))),
        (NDJSON, json.dumps(interval(metrics={"steps": 72}, steps=None, worn=True, daily_total=False)) + "\n"
                 + json.dumps(interval("11:00:00", None, worn=None, steps=1))),
        (CSV, f"user_id,device_id,timestamp,end,steps,worn,daily_total\n"
              f"ada,phone,{moment()},{moment('10:10:00')},72,true,\nada,phone,{moment('11:00:00')},,1,,false\n"),
        (CSV, f"user_id;device_id;ts;END;Steps;Worn\n"
              f"ada;phone;{moment()};{moment('10:10:00')};72,0;1\nada;phone;{moment('11:00:00')};;1;\n"),
    ],
)  # fmt: skip
def test_every_format_carries_an_end(client: httpx.Client, db: psycopg.Connection, media_type: str, body: str) -> None:
    answer = client.post("/v1/readings", content=body, headers={"Content-Type": media_type})
    assert (answer.status_code, answer.json()["inserted"]) == (200, 2), answer.text
    at = ("ada", "phone", "10:00", "10:10")
    assert stored(db) == [("steps", *at, 72.0), ("worn", *at, None)]
    assert db.execute("SELECT steps FROM api.readings").fetchall() == [(1,)]


def test_an_empty_column_changes_nothing(client: httpx.Client, db: psycopg.Connection) -> None:
    body = (
        f"user_id,timestamp,end,worn,daily_total,heart_rate\nada,{moment()},,,,61\nada,{moment('10:01:00')},  ,,,62\n"
    )
    answer = client.post("/v1/readings", content=body, headers={"Content-Type": CSV})
    assert answer.json()["inserted"] == 2, answer.text
    assert stored(db) == []


def test_an_interval_is_in_answers_beyond_where_it_begins(client: httpx.Client) -> None:
    receipt(client, interval("10:00:00", "12:30:00", distance=150))
    about = f"start={moment('11:00:00')}&end={moment('13:00:00')}&metrics=distance"
    summary = client.get(f"/v1/users/ada/summary?{about}")
    assert summary.status_code == 200, summary.text
    assert summary.json()["metrics"] == {"distance": {"total": 90, "unit": "m"}}
    assert (summary.json()["first"], summary.json()["last"]) == (moment("11:00:00"), moment("12:29:00"))
    points = client.get(f"/v1/users/ada/series?{about}&bucket=1h").json()["points"]
    assert [point["metrics"]["distance"]["total"] for point in points] == [60, 30]


def test_a_total_of_a_day_is_kept_apart(client: httpx.Client, db: psycopg.Connection) -> None:
    day = {"user_id": "ada", "device_id": "phone", "timestamp": "2024-01-15T00:00:00Z", "end": "2024-01-16T00:00:00Z"}
    assert outcomes(client, [day | {"steps": 9878}, interval(steps=3, daily_total=True)]) == (2, 0, 0)
    assert [row[0] for row in stored(db)] == ["steps of a day"] * 2


def test_growing_uploads_replace_what_began_at_the_same_moment(client: httpx.Client, db: psycopg.Connection) -> None:
    assert outcomes(client, interval(end="10:02:00", steps=100)) == (1, 0, 0)
    assert outcomes(client, interval(end="10:04:00", steps=100)) == (0, 1, 0)
    assert outcomes(client, interval(end="10:04:00", steps=180)) == (0, 1, 0)
    assert outcomes(client, interval(end="10:04:00", steps=180)) == (0, 0, 1)
    assert outcomes(client, interval(end="10:04:00", steps=180, worn=True)) == (0, 1, 0), "one is new"
    assert outcomes(client, interval(end="10:04:00", steps=180, heart_rate=60)) == (0, 1, 0)
    assert outcomes(client, interval(end=None, steps=7)) == (0, 1, 0)
    at = ("ada", "phone", "10:00", "10:04")
    assert stored(db) == [("steps", *at, 180.0), ("worn", *at, None)]
    assert db.execute("SELECT heart_rate, steps FROM api.readings").fetchall() == [(60.0, 7)]


def test_a_batch_that_repeats_an_identity_counts_as_one_after_the_other(
    client: httpx.Client, db: psycopg.Connection
) -> None:
    one = [
        interval(end="10:02:00", steps=100),
        interval(end="10:04:00", steps=180),
        interval(end="10:04:00", steps=180),
        interval(end="10:04:00", distance=90),
        interval(end="10:06:00", steps=200),
        interval(end="10:06:00", steps=200, spo2=97),
        interval(end="10:06:00", steps=200, daily_total=True),
    ]
    assert outcomes(client, one) == (3, 3, 1)
    assert outcomes(client, one[4:]) == (0, 0, 3)
    assert [(row[0], row[4], row[5]) for row in stored(db)] == [
        ("distance", "10:04", 90.0),
        ("steps", "10:06", 200.0),
        ("steps of a day", "10:06", 200.0),
    ]
    # One that was the last of its batch is compared with what is stored.
    assert outcomes(client, one[:2]) == (0, 2, 0)


def test_intervals_samples_and_readings_of_one_request(client: httpx.Client, db: psycopg.Connection) -> None:
    """New samples are copied where intervals stand beside them, and known ones merged."""
    body = [
        interval(f"10:{number:02}:00", f"10:{number + 1:02}:00", steps=number, spo2=90 + number % 5, heart_rate=60)
        for number in range(50)
    ]
    for expected in ((50, 0, 0), (0, 0, 50)):
        assert outcomes(client, body) == expected
    more = [one | {"spo2": 99} for one in body] + [interval("11:00:00", "11:01:00", steps=1, spo2=97)]
    assert outcomes(client, more) == (1, 50, 0)
    assert len(stored(db)) == 51
    assert db.execute("SELECT count(*), sum(value) FROM api.samples").fetchone() == (51, 50 * 99.0 + 97)


def test_one_bad_reading_refuses_all_where_asked(client: httpx.Client, db: psycopg.Connection) -> None:
    body = [interval(steps=1), interval("11:00:00", "10:00:00", steps=1)]
    answer = client.post("/v1/readings?atomic=true", json=body)
    assert (answer.status_code, stored(db)) == (422, [])
    assert receipt(client, body)["inserted"] == 1


def test_what_is_wrong_is_named(client: httpx.Client, db: psycopg.Connection) -> None:
    later = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    body = [
        interval(end="10:00:00", steps=1),
        interval(steps=3001),
        interval(worn=True, end=None),
        interval(daily_total=True, heart_rate=60),
        interval(steps=1) | {"end": later},
        interval(floors=0.5),
    ]
    found = receipt(client, body)
    assert [(fault["at"], fault["problem"]) for fault in found["errors"]][:4] == [
        ("readings[0].end", f"must be after the timestamp, {moment()}"),
        ("readings[1].steps", "must be at most 3000 {steps} in 600 s, 5 a second"),
        ("readings[2].worn", "needs an end: the reading is from timestamp to end"),
        ("readings[3].daily_total", "needs a metric that adds up, such as steps"),
    ]
    assert found["errors"][4]["problem"].startswith("is further in the future than what is accepted")
    assert (found["errors"][5]["at"], found["errors"][5]["problem"]) == ("readings[5].floors", "must be a whole number")
    assert found["rejected"] == 6
    for media_type, text in (
        (NDJSON, json.dumps(interval(steps=3001))),
        (CSV, f"user_id,timestamp,end,steps\nada,{moment()},{moment('10:10:00')},3001\n"),
    ):
        answer = client.post("/v1/readings", content=text, headers={"Content-Type": media_type})
        (fault,) = answer.json()["errors"]
        line = 1 if media_type == NDJSON else 2
        assert (fault["at"], fault["value"]) == (f"line {line}.steps", 3001)


def test_a_rate_that_is_exceeded_may_be_dropped(client: httpx.Client, db: psycopg.Connection) -> None:
    body = [
        interval(steps=3001, heart_rate=60),
        interval("11:00:00", "11:10:00", steps=3001, worn=True),
        interval("12:00:00", "12:10:00", metrics={"steps": 3001, "calories": 7}),
        interval("13:00:00", "13:10:00", steps=3001),
        interval("14:00:00", "14:10:00", steps=3001, daily_total=True),
    ]
    found = receipt(client, body, "?invalid=drop-field")
    assert (found["inserted"], found["rejected"], found["dropped"]["steps"]) == (3, 2, 3)
    assert [row[0] for row in stored(db)] == ["worn", "calories"]


def test_the_paths_of_earlier_services_know_no_end(client: httpx.Client, db: psycopg.Connection) -> None:
    item = {
        "user_id": 303,
        "timestamp": moment(),
        "end": moment("10:10:00"),
        "heart_rate": 60,
        "steps": 4,
        "calories": 1,
    }
    assert client.post("/ingest", json=item).status_code == 200
    one = {"device_id": "a", "user_id": "b", "timestamp": moment(), "end": 7, "heart_rate": 60}
    assert client.post("/metrics/heart-rate", json=one).status_code == 202
    assert stored(db) == []
    assert db.execute("SELECT steps FROM api.readings WHERE user_id = '303'").fetchall() == [(4,)]


def test_the_view_by_minute_says_what_the_series_says(client: httpx.Client, db: psycopg.Connection) -> None:
    """A phone counts ten minutes at once; a watch counts single ones, omits many, and is worn for half an hour."""
    phone = [
        interval(f"10:{start:02}:30", f"10:{start + 9:02}:30", device_id="phone", steps=97 + start, calories=31.25)
        for start in range(0, 50, 10)
    ]
    watch = [
        {
            "user_id": "ada",
            "device_id": "device_a",
            "timestamp": moment(f"10:{minute:02}:07"),
            "steps": minute,
            "heart_rate": 60,
        }
        for minute in range(0, 60, 3)
    ]
    worn = interval("10:20:00", "10:50:00", device_id="device_a", worn=True)
    outcomes(client, [*phone, *watch, worn, watch[3] | {"user_id": "bob"}])
    minutes = """
        SELECT bucket, steps, calories, heart_rate_count, heart_rate_device FROM api.vitals_1m
         WHERE user_id = %s AND bucket >= '2024-01-15 09:00Z' AND bucket < '2024-01-15 12:00Z' ORDER BY bucket
    """
    for user_id in ("ada", "bob"):
        span = {"start": moment("09:00:00"), "end": moment("12:00:00"), "bucket": "1m"}
        points = client.get(f"/v1/users/{user_id}/series", params=span).json()["points"]
        rates = [point["heart_rate"] or {"count": 0, "device_id": None} for point in points]
        said = [
            (parse_timestamp(point["t"]), point["steps"], point["calories"], rate["count"], rate["device_id"])
            for point, rate in zip(points, rates, strict=True)
        ]
        assert db.execute(minutes, [user_id]).fetchall() == said
        assert len(said) == (53 if user_id == "ada" else 1)


def test_live_clients_hear_of_intervals(client: httpx.Client, base_url: str) -> None:
    with listening(base_url, "/v1/live?user_id=ada") as socket:
        assert heard(socket)["type"] == "state"
        outcomes(client, interval(steps=97))
        assert heard(socket)["user_id"] == "ada"
        outcomes(client, interval("10:10:00", "10:20:00", worn=True))
        assert heard(socket)["user_id"] == "ada"


def test_own_metrics_are_counted_over_intervals(db: psycopg.Connection, database_url: str) -> None:
    admin = bearer(add_key(db, ["admin", "ingest", "read"], "lab"))
    other = bearer(add_key(db, ["ingest"], "clinic"))
    laps = {"unit": "{laps}", "kind": "sum", "lowest": 0, "highest": 1000, "most_per_second": 1}
    body = interval(laps=601)
    with running_service(database_url) as url, httpx.Client(base_url=url, timeout=30) as client:
        assert client.put("/v1/metrics/laps", json=laps, headers=admin).status_code == 200
        assert (
            receipt(client, body, **admin)["errors"][0]["problem"] == "must be at most 600 {laps} in 600 s, 1 a second"
        )
        assert client.put("/v1/metrics/laps", json=laps | {"most_per_second": 2}, headers=admin).status_code == 200
        assert receipt(client, body, **admin)["inserted"] == 1, "bounds that were widened hold at once"
        assert receipt(client, body, **other)["errors"][0]["at"] == "laps"
        assert receipt(client, interval(steps=5), **other)["inserted"] == 1
    tenants = db.execute("SELECT tenant_id, metric FROM api.intervals ORDER BY 1").fetchall()
    assert tenants == [("clinic", "steps"), ("lab", "laps")]
