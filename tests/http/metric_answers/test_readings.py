"""Readings with their metrics, in pages and in streams."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from typing import Any

import httpx
import psycopg

from service.model.timestamps import format_timestamp
from tests.http.metric_answers import DEFAULT, WHOLE_DAY, ask, sample
from tests.support.moments import SECOND, moment
from tests.support.samples import write_samples
from tests.support.wire import moment as said_moment
from tests.support.wire import refused, strict_json


def stream(client: httpx.Client, media_type: str, **asked: Any) -> str:
    answer = client.get("/v1/users/ada/readings", params=WHOLE_DAY | asked, headers={"Accept": media_type})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].split(";")[0] == media_type
    return answer.text


def test_an_item_is_a_moment_and_a_device(filled: httpx.Client) -> None:
    answer = ask(filled, "readings", metrics="spo2,steps,distance", end=said_moment("10:45:00"))
    assert answer["readings"] == [
        {
            "timestamp": said_moment(clock),
            "device_id": device,
            "heart_rate": heart_rate,
            "steps": steps,
            "calories": None,
            "metrics": metrics,
        }
        for clock, device, heart_rate, steps, metrics in [
            ("10:00:00", "watch", 75.0, 40, {"steps": 40, "spo2": 96.5}),
            ("10:02:00", "watch", None, None, {"distance": 120.25}),
            ("10:05:00", "watch", None, None, {"spo2": 98.5}),
            ("10:40:00", "phone", None, None, {"distance": 30.0}),
        ]
    ]
    assert list(answer["readings"][0]["metrics"]) == ["steps", "spo2"]
    # A reading without any of the metrics stays, and so does its shape where none is asked for.
    (found,) = ask(filled, "readings", metrics="calories")["readings"]
    assert found["metrics"] == {}
    (plain,) = ask(filled, "readings")["readings"]
    assert found == plain | {"metrics": {}}


def test_a_range_with_samples_only_has_readings_where_they_are_asked_for(filled: httpx.Client) -> None:
    later = WHOLE_DAY | {"start": said_moment("10:30:00"), "end": said_moment("10:50:00")}
    for names in ("spo2", "steps"):
        refused(filled.get("/v1/users/ada/readings", params=later | {"metrics": names}), 404)
    assert ask(filled, "readings", **later, metrics="all")["readings"][0]["metrics"] == {"distance": 30.0}


def test_csv_has_a_column_of_each_metric(filled: httpx.Client) -> None:
    fields = "user_id,device_id,timestamp,heart_rate,steps,calories"
    until = {"end": said_moment("10:45:00")}
    assert stream(filled, "text/csv", metrics="spo2,hydration,steps,distance", **until) == (
        f"{fields},spo2,hydration,distance\n"
        "ada,watch,2024-01-15T10:00:00Z,75,40,,96.5,,\n"
        "ada,watch,2024-01-15T10:02:00Z,,,,,,120.25\n"
        "ada,watch,2024-01-15T10:05:00Z,,,,98.5,,\n"
        "ada,phone,2024-01-15T10:40:00Z,,,,,,30\n"
    )
    assert stream(filled, "text/csv", metrics="all", **until).startswith(f"{fields},spo2,body_weight,distance\n")
    assert stream(filled, "text/csv", metrics="steps") == stream(filled, "text/csv")


def test_ndjson_has_the_metrics_of_an_item(filled: httpx.Client) -> None:
    said = stream(filled, "application/x-ndjson", metrics="steps,spo2", end=said_moment("10:05:00"))
    assert said == (
        '{"user_id":"ada","device_id":"watch","timestamp":"2024-01-15T10:00:00Z","heart_rate":75,"steps":40,'
        '"calories":null,"metrics":{"steps":40,"spo2":96.5}}\n'
    )


def test_streams_go_on_over_pages(client: httpx.Client, db: psycopg.Connection) -> None:
    """More than two pages of 5000, of names that CSV quotes, with several devices at each moment."""
    devices = ['a "quoted", one', "b\nbroken", "c"]
    samples = [
        sample(metric, float(50 + n % 50), n * SECOND, device)
        for n in range(3500)
        for device in devices
        for metric in ("spo2", "distance")[: 1 + n % 2]
    ]
    write_samples(db, DEFAULT, samples)
    expected: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for one in samples:
        expected[format_timestamp(moment(one.ts)), one.device][one.metric] = one.value
    lines = [strict_json(line) for line in stream(client, "application/x-ndjson", metrics="all").splitlines()]
    found = [((line["timestamp"], line["device_id"]), line["metrics"]) for line in lines]
    assert found == list(expected.items())
    header, *rows = csv.reader(io.StringIO(stream(client, "text/csv", metrics="all"), newline=""))
    assert header[6:] == ["spo2", "distance"]
    assert [((row[2], row[1]), [value and float(value) for value in row[6:]]) for row in rows] == [
        (key, [values["spo2"], values.get("distance", "")]) for key, values in expected.items()
    ]
