"""Summaries, series and latest values: what they say of each kind of metric."""

from __future__ import annotations

import re
from typing import Any

import httpx
import psycopg
import pytest
from pydantic import TypeAdapter

from service.answers.schemas.readings import ReadingsAfterDocument
from service.answers.schemas.series import SeriesDocument, SummaryDocument
from service.answers.schemas.users import LatestDocument
from tests.http.metric_answers import DEFAULT, ask, sample
from tests.support.samples import write_samples
from tests.support.wire import moment as said_moment
from tests.support.wire import refused


def test_a_summary_has_the_figures_of_each_kind(filled: httpx.Client) -> None:
    plain = ask(filled, "summary")
    answer = ask(filled, "summary", metrics="distance,spo2,body_weight,hydration,steps,heart_rate,calories")
    assert list(answer) == [*plain, "metrics"]
    metrics = answer.pop("metrics")
    assert list(metrics.items()) == [
        ("heart_rate", {"count": 1, "avg": 75.0, "min": 75.0, "max": 75.0, "unit": "/min"}),
        ("steps", {"total": 40, "unit": "{steps}"}),
        ("calories", None),
        ("spo2", {"count": 2, "avg": 97.5, "min": 96.5, "max": 98.5, "unit": "%"}),
        ("body_weight", {"last": 71.2, "timestamp": said_moment("12:00:00"), "unit": "kg"}),
        ("distance", {"total": 150.25, "unit": "m"}),
        ("hydration", None),
    ]
    assert list(metrics["spo2"]) == ["count", "avg", "min", "max", "unit"]
    assert answer == plain | {"last": said_moment("12:00:00")}


def test_all_are_those_that_were_measured_in_the_range(filled: httpx.Client) -> None:
    assert list(ask(filled, "summary", metrics="all")["metrics"]) == [
        *("heart_rate", "steps", "spo2", "body_weight", "distance")
    ]
    after_ten = {"start": said_moment("10:30:00"), "end": said_moment("10:50:00")}
    answer = ask(filled, "summary", metrics="all", **after_ten)
    assert answer["metrics"] == {"distance": {"total": 30.0, "unit": "m"}}


def test_a_range_with_a_sample_that_is_asked_for_is_no_404(filled: httpx.Client) -> None:
    after_ten = {"start": said_moment("10:30:00"), "end": said_moment("10:50:00")}
    url = "/v1/users/ada/summary"
    refused(filled.get(url, params=after_ten), 404)
    refused(filled.get(url, params=after_ten | {"metrics": "spo2,steps"}), 404)
    refused(filled.get(url, params=after_ten | {"metrics": "steps"}), 404)
    answer = ask(filled, "summary", metrics="distance,spo2", **after_ten)
    assert answer["metrics"] == {"spo2": None, "distance": {"total": 30.0, "unit": "m"}}
    assert (answer["heart_rate"], answer["steps"], answer["calories"]) == (None, None, None)
    assert (answer["first"], answer["last"]) == (said_moment("10:40:00"), said_moment("10:40:00"))
    assert "raw" in answer["sources"]


def test_points_have_the_metrics_with_a_value_in_the_bucket(filled: httpx.Client) -> None:
    answer = ask(filled, "series", bucket="15m", metrics="all")
    assert answer["points"] == [
        {
            "t": said_moment("10:00:00"),
            "heart_rate": {"count": 1, "avg": 75.0, "min": 75.0, "max": 75.0, "device_id": "watch"},
            "steps": 40,
            "calories": None,
            "metrics": {
                "heart_rate": {"count": 1, "avg": 75.0, "min": 75.0, "max": 75.0, "unit": "/min", "device_id": "watch"},
                "steps": {"total": 40, "unit": "{steps}", "device_id": None},
                "spo2": {"count": 2, "avg": 97.5, "min": 96.5, "max": 98.5, "unit": "%", "device_id": "watch"},
                "distance": {"total": 120.25, "unit": "m", "device_id": "watch"},
            },
        },
        {
            "t": said_moment("10:30:00"),
            "heart_rate": None,
            "steps": None,
            "calories": None,
            "metrics": {"distance": {"total": 30.0, "unit": "m", "device_id": "phone"}},
        },
        *(
            {
                "t": said_moment(clock),
                "heart_rate": None,
                "steps": None,
                "calories": None,
                "metrics": {"body_weight": {"last": last, "unit": "kg", "device_id": "watch"}},
            }
            for clock, last in [("11:00:00", 71.5), ("12:00:00", 71.2)]
        ),
    ]
    assert (answer["bucket"], answer["sources"][-1]) == ("15m", "raw")


def test_buckets_without_a_value_are_filled(filled: httpx.Client) -> None:
    hour = {"start": said_moment("10:00:00"), "end": said_moment("11:00:00"), "bucket": "15m", "fill": "null"}
    points = ask(filled, "series", metrics="distance", **hour)["points"]
    assert [(point["t"], list(point["metrics"])) for point in points] == [
        (said_moment("10:00:00"), ["distance"]),
        (said_moment("10:15:00"), []),
        (said_moment("10:30:00"), ["distance"]),
        (said_moment("10:45:00"), []),
    ]


def test_a_raw_point_is_a_moment_and_a_device(filled: httpx.Client, db: psycopg.Connection) -> None:
    write_samples(db, DEFAULT, [sample("spo2", 90.0, device="phone")])
    points = ask(filled, "series", bucket="raw", metrics="spo2,steps", end=said_moment("10:01:00"))["points"]
    assert [(point["steps"], point["metrics"]) for point in points] == [
        (None, {"spo2": {"count": 1, "avg": 90.0, "min": 90.0, "max": 90.0, "unit": "%", "device_id": "phone"}}),
        (
            40,
            {
                "steps": {"total": 40, "unit": "{steps}", "device_id": "watch"},
                "spo2": {"count": 1, "avg": 96.5, "min": 96.5, "max": 96.5, "unit": "%", "device_id": "watch"},
            },
        ),
    ]


def test_latest_values_have_their_units(filled: httpx.Client) -> None:
    plain = ask(filled, "latest")
    answer = ask(filled, "latest", metrics="body_weight,hydration,steps,calories")
    assert list(answer.pop("metrics").items()) == [
        ("steps", plain["steps"] | {"unit": "{steps}"}),
        ("calories", None),
        ("body_weight", {"value": 71.2, "timestamp": said_moment("12:00:00"), "device_id": "watch", "unit": "kg"}),
        ("hydration", None),
    ]
    assert answer == plain | {"last_seen": said_moment("12:00:00")}
    assert list(ask(filled, "latest", metrics="all")["metrics"]) == [
        *("heart_rate", "steps", "spo2", "body_weight", "distance")
    ]
    assert ask(filled, "latest", metrics="steps") == plain | {
        "metrics": {"steps": plain["steps"] | {"unit": "{steps}"}}
    }


def test_who_has_samples_only_has_latest_values_when_they_are_asked_for(
    client: httpx.Client, db: psycopg.Connection
) -> None:
    write_samples(db, DEFAULT, [sample(user="bob")])
    for params in ({}, {"metrics": "steps"}, {"metrics": "hydration"}):
        refused(client.get("/v1/users/bob/latest", params=params), 404)
    answer = ask(client, "latest", "bob", metrics="spo2")
    assert (answer["last_seen"], answer["steps"]) == (said_moment("10:00:00"), None)
    assert answer["metrics"]["spo2"]["value"] == 97.0


def test_a_metric_called_ahead_is_no_reading_that_lies_ahead(client: httpx.Client, db: psycopg.Connection) -> None:
    db.execute("SELECT api.set_metric('default', 'ahead', 'm', 'gauge', 0, 10)")
    write_samples(db, DEFAULT, [sample("ahead", 3.0)])
    answer = ask(client, "latest", metrics="ahead")
    assert "ahead" not in answer
    assert answer["metrics"]["ahead"]["value"] == 3.0


@pytest.mark.parametrize(
    ("what", "shape"),
    [
        ("summary", SummaryDocument),
        ("series", SeriesDocument),
        ("latest", LatestDocument),
        ("readings", ReadingsAfterDocument),
    ],
)
@pytest.mark.parametrize("names", ["all", "heart_rate,steps,calories", "spo2,body_weight,distance,hydration"])
def test_answers_have_the_documented_shape(filled: httpx.Client, what: str, shape: Any, names: str) -> None:
    """Nothing is in them that the OpenAPI document does not name, and nothing is missing."""
    answer = ask(filled, what, metrics=names)
    assert TypeAdapter(shape).validate_python(answer) == answer
    (described,) = (
        parameter
        for parameter in filled.get("/openapi.json").json()["paths"][f"/v1/users/{{user_id}}/{what}"]["get"][
            "parameters"
        ]
        if parameter["name"] == "metrics"
    )
    pattern = described["schema"]["pattern"]
    assert re.search(pattern, names)
    assert not any(re.search(pattern, bad) for bad in ("", "spo2,", "SpO2", ",".join(["a"] * 101), "a" * 128))
