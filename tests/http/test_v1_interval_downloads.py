"""Intervals, worn windows and daily totals where readings are read as they were sent, and the way back."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from tests.support.wire import moment

NDJSON, CSV = "application/x-ndjson", "text/csv"
START = datetime(2024, 1, 15, tzinfo=UTC)
MONTH = {"start": "2024-01-01T00:00:00Z", "end": "2024-02-01T00:00:00Z"}
COUNTS = ("interval", "worn_window", "daily_total", "reading", "sample")


def sent(clock: str, device_id: str = "phone", **fields: Any) -> dict[str, Any]:
    return {"user_id": "ada", "device_id": device_id, "timestamp": moment(clock)} | fields


MIXED = [
    sent("10:00:00", heart_rate=61, steps=3, spo2=97.5),
    sent("10:00:00", end=moment("10:05:00"), exercise_time=4.5),
    sent("10:00:00", end=moment("10:10:00"), steps=720, calories=31.5, distance=512.25, floors=2, worn=True),
    sent("10:00:00", end=moment("12:00:00"), worn=True, device_id="watch"),
    sent("10:00:00", end=moment("22:00:00"), steps=9, daily_total=True),
    sent("10:00:00", end="2024-01-16T10:00:00.000001Z", calories=2000.125),
    sent("11:00:00", steps=4),
]


def post(client: httpx.Client, body: Any) -> dict[str, int]:
    answer = client.post("/v1/readings", json=body)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["rejected"] == 0, found
    return {name: found[name] for name in ("inserted", "updated", "unchanged")}


def stream(client: httpx.Client, media_type: str, **asked: str) -> str:
    answer = client.get("/v1/users/ada/readings", params=MONTH | asked, headers={"Accept": media_type})
    assert answer.status_code == 200, answer.text
    return answer.text


def pages(client: httpx.Client, limit: int, **asked: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    more: dict[str, Any] = {}
    while True:
        answer = client.get("/v1/users/ada/readings", params=MONTH | asked | {"limit": limit} | more)
        assert answer.status_code == 200, answer.text
        document = answer.json()
        found += document["readings"]
        if document["next_cursor"] is None:
            return found
        more = {"cursor": document["next_cursor"]}


def counts(db: psycopg.Connection[Any]) -> list[Any]:
    """How many rows each table has, and all that stands in them, but for versions."""
    rows: list[Any] = []
    for table, columns in (
        ("reading", "device_id, ts, heart_rate, steps, calories"),
        ("sample", "device_id, metric_key, ts, value"),
        ("interval", "device_id, metric_key, ts, ends_at, value"),
        ("daily_total", "device_id, metric_key, ts, ends_at, value"),
        ("worn_window", "device_id, ts, ends_at"),
    ):
        query = f"SELECT '{table}', {columns} FROM core.{table} JOIN core.device USING (device_key)"
        rows += sorted(db.execute(query.encode()).fetchall(), key=repr)
    return rows


def test_who_asks_for_no_metrics_sees_what_was_there_before(client: httpx.Client) -> None:
    post(client, MIXED)
    plain = pages(client, 1)
    assert [set(one) for one in plain] == [{"timestamp", "device_id", "heart_rate", "steps", "calories"}] * 2
    assert [one["steps"] for one in plain] == [3, 4]
    assert len(stream(client, NDJSON).splitlines()) == 2
    assert stream(client, CSV).splitlines()[0] == "user_id,device_id,timestamp,heart_rate,steps,calories"


@pytest.mark.parametrize("limit", [1, 2, 3, 1000])
def test_pages_have_what_begins_at_one_moment_once(client: httpx.Client, limit: int) -> None:
    post(client, MIXED)
    found = pages(client, limit, metrics="all")
    seen = [
        (one["device_id"], one.get("end"), one.get("worn"), one.get("daily_total"), one["metrics"]) for one in found
    ]
    assert seen == [
        ("phone", None, None, None, {"heart_rate": 61.0, "steps": 3, "spo2": 97.5}),
        ("phone", moment("10:05:00"), None, None, {"exercise_time": 4.5}),
        ("phone", moment("10:10:00"), True, None, {"steps": 720, "calories": 31.5, "distance": 512.25, "floors": 2.0}),
        ("phone", moment("22:00:00"), None, True, {"steps": 9}),
        ("phone", "2024-01-16T10:00:00.000001Z", None, True, {"calories": 2000.125}),
        ("watch", moment("12:00:00"), True, None, {}),
        ("phone", None, None, None, {"steps": 4}),
    ]
    assert [one["steps"] for one in found] == [3, None, 720, 9, None, None, 4]
    some = pages(client, limit, metrics="floors")
    with_metrics = [(one["end"], one["metrics"]) for one in some if one["metrics"]]
    assert with_metrics == [(moment("10:10:00"), {"floors": 2.0})]
    assert len(some) == 6, "all but the exercise, which was not asked for"
    watch = pages(client, limit, metrics="all", device_id="watch")
    assert [one.get("worn") for one in watch] == [True]


@pytest.mark.parametrize("cursor", ["WyJhIl0=", "WyIyMDI0LTAxLTE1VDEwOjAwOjAwWiIsInBob25lIiwieCIsIiJd"])
def test_a_cursor_of_someones_own_making(client: httpx.Client, cursor: str) -> None:
    answer = client.get("/v1/users/ada/readings", params=MONTH | {"metrics": "all", "cursor": cursor})
    assert (answer.status_code, answer.json()["errors"][0]["at"]) == (422, "cursor")


@pytest.mark.parametrize("media_type", [NDJSON, CSV])
def test_a_download_goes_back_in(client: httpx.Client, db: psycopg.Connection, media_type: str) -> None:
    post(client, MIXED)
    before = counts(db)
    text = stream(client, media_type, metrics="all")
    headers = {"Content-Type": media_type}
    answer = client.post("/v1/readings", content=text, headers=headers).json()
    assert (answer["received"], answer["unchanged"], answer["errors"]) == (7, 7, [])
    assert client.delete("/v1/users/ada").status_code == 200
    answer = client.post("/v1/readings", content=text, headers=headers).json()
    assert (answer["received"], answer["inserted"], answer["errors"]) == (7, 7, [])
    assert counts(db) == before


def test_items_of_a_page_go_back_in(client: httpx.Client, db: psycopg.Connection) -> None:
    post(client, MIXED)
    before = counts(db)
    items = [one | {"user_id": "ada"} for one in pages(client, 1000, metrics="all")]
    assert post(client, items) == {"inserted": 0, "updated": 0, "unchanged": 7}
    assert counts(db) == before


def test_csv_has_columns_of_ends_where_there_are_any(client: httpx.Client) -> None:
    post(client, [sent("10:00:00", steps=3, spo2=97)])
    fields = "user_id,device_id,timestamp,heart_rate,steps,calories"
    assert stream(client, CSV, metrics="spo2").splitlines()[0] == f"{fields},spo2"
    post(client, MIXED)
    assert stream(client, CSV, metrics="floors").splitlines() == [
        f"{fields},floors,end,worn,daily_total",
        f"ada,phone,{moment()},61,3,,,,,",
        f"ada,phone,{moment()},,720,31.5,2,{moment('10:10:00')},true,",
        f"ada,phone,{moment()},,9,,,{moment('22:00:00')},,true",
        f"ada,phone,{moment()},,,2000.125,,2024-01-16T10:00:00.000001Z,,true",
        f"ada,watch,{moment()},,,,,{moment('12:00:00')},true,",
        f"ada,phone,{moment('11:00:00')},,4,,,,,",
    ]


def many(count: int) -> list[dict[str, Any]]:
    """So many intervals of two devices, two of which begin at each moment."""
    readings = []
    for number in range(count // 4):
        at = START + timedelta(minutes=2 * number)
        for device_id in ("phone", "watch"):
            for minutes in (1, 2):
                end = (at + timedelta(minutes=minutes)).isoformat()
                counted = {"steps": number % 50} if minutes == 1 else {"distance": number % 50, "worn": True}
                one = {"user_id": "ada", "device_id": device_id, "timestamp": at.isoformat(), "end": end}
                readings.append(one | counted)
    return readings


def test_pages_of_streams_have_each_interval_once(client: httpx.Client, db: psycopg.Connection) -> None:
    """A page has 5000 lines: the second begins between two items of one moment."""
    assert post(client, many(10_400)) == {"inserted": 10_400, "updated": 0, "unchanged": 0}
    lines = [json.loads(line) for line in stream(client, NDJSON, metrics="all").splitlines()]
    keys = [(one["timestamp"], one["device_id"], one["end"]) for one in lines]
    assert len(keys) == 10_400
    assert keys == sorted(set(keys))
    assert len(stream(client, CSV, metrics="all").splitlines()) == 10_401
    exported = [json.loads(line) for line in client.get("/v1/users/ada/export").text.splitlines()]
    found = [
        (one["timestamp"], one["device_id"], one["kind"], one.get("metric", ""))
        for one in exported
        if one["kind"] in COUNTS
    ]
    assert len(found) == 10_400 + 5200
    assert found == sorted(set(found))


def test_an_export_has_all_that_has_an_end(client: httpx.Client) -> None:
    post(client, MIXED)
    lines = [json.loads(line) for line in client.get("/v1/users/ada/export").text.splitlines()]
    found = [
        (line["kind"], line.get("metric"), line.get("unit"), line["end"], line.get("value"))
        for line in lines
        if "end" in line and (line["device_id"], line["timestamp"]) == ("phone", moment())
    ]
    ten = moment("10:10:00")
    assert found == [
        ("daily_total", "calories", "kcal", "2024-01-16T10:00:00.000001Z", 2000.125),
        ("daily_total", "steps", "{steps}", moment("22:00:00"), 9),
        ("interval", "calories", "kcal", ten, 31.5),
        ("interval", "distance", "m", ten, 512.25),
        ("interval", "exercise_time", "min", moment("10:05:00"), 4.5),
        ("interval", "floors", "{floors}", ten, 2),
        ("interval", "steps", "{steps}", ten, 720),
        ("worn_window", None, None, ten, None),
    ]
    assert {"kind": "worn_window", "timestamp": moment(), "end": moment("12:00:00"), "device_id": "watch"} in lines
