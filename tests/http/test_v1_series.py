"""GET /v1/users/{user_id}/series: buckets of every width, local days, filling, one device or all."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.support.wire import reading, refused

PATH = "/v1/users/user_123/series"
DAY = {"start": "2024-01-15T00:00:00Z", "end": "2024-01-16T00:00:00Z"}


def asked(client: httpx.Client, **question: Any) -> dict[str, Any]:
    answer = client.get(PATH, params=DAY | question)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def post(client: httpx.Client, *readings: dict[str, Any]) -> None:
    assert client.post("/v1/readings", json=list(readings)).status_code == 200


def beat(timestamp: str, heart_rate: float, **more: Any) -> dict[str, Any]:
    return {"user_id": "user_123", "timestamp": timestamp, "heart_rate": heart_rate} | more


def test_buckets_ascend_and_hold_what_was_measured(client: httpx.Client) -> None:
    post(
        client,
        beat("2024-01-15T10:20:00Z", 80, device_id="watch"),
        beat("2024-01-15T10:01:00Z", 70, device_id="watch"),
        beat("2024-01-15T10:02:00Z", 75, steps=4, calories=0.5, device_id="watch"),
    )
    said = asked(client, bucket="15m")
    assert (said["user_id"], said["bucket"], said["tz"]) == ("user_123", "15m", "UTC")
    assert said["points"] == [
        {
            "t": "2024-01-15T10:00:00Z",
            "heart_rate": {"count": 2, "avg": 72.5, "min": 70.0, "max": 75.0, "device_id": "watch"},
            "steps": 4,
            "calories": 0.5,
        },
        {
            "t": "2024-01-15T10:15:00Z",
            "heart_rate": {"count": 1, "avg": 80.0, "min": 80.0, "max": 80.0, "device_id": "watch"},
            "steps": None,
            "calories": None,
        },
    ]


@pytest.mark.parametrize(
    ("seconds", "max_points", "bucket"),
    [
        (86400, 1440, "1m"),
        (86400, 1439, "5m"),
        (86400, 1, "1d"),
        (86401, 1, "1w"),
        (366 * 86400, 1000, "1d"),
        (3600, 60, "1m"),
    ],
)
def test_auto_is_the_finest_that_fits(client: httpx.Client, seconds: int, max_points: int, bucket: str) -> None:
    days, rest = divmod(seconds, 86400)
    end = f"2024-01-01T{rest // 3600:02}:{rest % 3600 // 60:02}:{rest % 60:02}Z"
    start = {0: "2024-01-01", 1: "2023-12-31", 366: "2022-12-31"}[days]
    said = asked(client, start=f"{start}T00:00:00Z", end=end, max_points=max_points)
    assert said["bucket"] == bucket


def test_local_days_have_23_or_25_hours(client: httpx.Client) -> None:
    post(client, beat("2024-03-30T22:59:00Z", 60), beat("2024-03-30T23:00:00Z", 70), beat("2024-03-31T21:59:00Z", 80))
    post(client, beat("2024-03-31T22:00:00Z", 90))
    march = {"start": "2024-03-01T00:00:00Z", "end": "2024-05-01T00:00:00Z"}
    said = asked(client, bucket="1d", tz="Europe/Berlin", **march)
    assert [(point["t"], point["heart_rate"]["count"]) for point in said["points"]] == [
        ("2024-03-29T23:00:00Z", 1),
        ("2024-03-30T23:00:00Z", 2),
        ("2024-03-31T22:00:00Z", 1),
    ]


def test_gaps_are_filled_on_request(client: httpx.Client) -> None:
    post(client, beat("2024-01-15T10:00:00Z", 60))
    said = asked(client, bucket="1h", fill="null")
    assert len(said["points"]) == 24
    assert said["points"][9] == {"t": "2024-01-15T09:00:00Z", "heart_rate": None, "steps": None, "calories": None}


def test_raw_gives_each_reading(client: httpx.Client) -> None:
    post(client, beat("2024-01-15T10:00:00.5Z", 60, device_id="a"), beat("2024-01-15T10:00:01Z", 70, device_id="b"))
    said = asked(client, bucket="raw")
    assert [(point["t"], point["heart_rate"]["device_id"]) for point in said["points"]] == [
        ("2024-01-15T10:00:00.5Z", "a"),
        ("2024-01-15T10:00:01Z", "b"),
    ]


@pytest.mark.parametrize("metric", ["steps", "spo2", "own_metric"])
@pytest.mark.parametrize("priority", [-1, 1_000_001])
def test_a_priority_of_a_metric_has_the_range_of_any_priority(client: httpx.Client, metric: str, priority: int) -> None:
    answer = client.put("/v1/devices/strap", json={"metrics": {metric: priority}})
    expected = {"at": f"metrics.{metric}", "problem": "must be between 0 and 1000000", "value": priority}
    assert refused(answer, 422)["errors"] == [expected]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("a\0b", "must not contain the character NUL"),
        ("a" * 129, "has a name of more than 128 characters"),
    ],
)
def test_a_priority_of_what_no_name_can_be_is_refused(client: httpx.Client, name: str, problem: str) -> None:
    errors = refused(client.put("/v1/devices/strap", json={"metrics": {name: 1}}), 422)["errors"]
    assert [(each["at"], each["problem"]) for each in errors] == [("metrics", problem)]


def test_a_device_is_asked_for_alone(client: httpx.Client) -> None:
    post(
        client, beat("2024-01-15T10:00:00Z", 60, device_id="device_a"), beat("2024-01-15T10:00:01Z", 70, device_id="b")
    )
    assert asked(client, bucket="1m")["points"][0]["heart_rate"]["device_id"] == "device_a"
    assert asked(client, bucket="1m", device_id="b")["points"][0]["heart_rate"]["avg"] == 70.0
    assert asked(client, bucket="1m", device_id="nobody")["points"] == []


@pytest.mark.parametrize(
    "question",
    [
        {"bucket": "2m"},
        {"tz": "Nowhere/Land"},
        {"tz": ""},
        {"tz": "\x00"},
        {"max_points": "0"},
        {"max_points": "many"},
        {"fill": "zero"},
        {"bucket": "1m", "fill": "null", "start": "1990-01-01T00:00:00Z"},
        {"start": "2024-01-17T00:00:00Z"},
    ],
)
def test_what_cannot_be_answered_is_refused(client: httpx.Client, question: dict[str, str]) -> None:
    post(client, {**reading(), "user_id": "user_123"})
    refused(client.get(PATH, params=DAY | question), 422)


@pytest.mark.parametrize(
    ("tz", "day"),
    [
        ("Asia/Calcutta", "2026-07-14T18:30:00Z"),
        ("Europe/Kiev", "2026-07-14T21:00:00Z"),
        ("US/Eastern", "2026-07-14T04:00:00Z"),
        ("UTC", "2026-07-14T00:00:00Z"),
        ("CET", "2026-07-14T22:00:00Z"),
        ("EST", "2026-07-14T05:00:00Z"),
        ("EST5EDT", "2026-07-14T04:00:00Z"),
    ],
)
def test_every_name_of_a_zone_means_the_zone(client: httpx.Client, tz: str, day: str) -> None:
    post(client, {"user_id": "user_123", "timestamp": "2026-07-14T22:30:00Z", "steps": 100})
    july = {"start": "2026-07-01T00:00:00Z", "end": "2026-08-01T00:00:00Z"}
    said = asked(client, bucket="1d", tz=tz, **july)
    assert (said["tz"], [(point["t"], point["steps"]) for point in said["points"]]) == (tz, [(day, 100)])


@pytest.mark.parametrize("tz", ["CEST", "UTC+3", "Europe/Berlin5", "Mars/Phobos", "localtime"])
@pytest.mark.parametrize("bucket", ["auto", "raw", "1h", "1d"])
@pytest.mark.parametrize("user_id", ["user_123", "nobody"])
def test_what_names_no_zone_is_refused_and_named(client: httpx.Client, tz: str, bucket: str, user_id: str) -> None:
    post(client, {**reading(), "user_id": "user_123"})
    answer = client.get(f"/v1/users/{user_id}/series", params={"tz": tz, "bucket": bucket})
    problem = "must be a time zone of the IANA database, such as Europe/Berlin"
    assert refused(answer, 422)["errors"] == [{"at": "tz", "problem": problem, "value": tz}]


def test_a_new_priority_holds_for_the_past(client: httpx.Client) -> None:
    post(client, beat("2024-01-15T10:00:00Z", 60, device_id="a"), beat("2024-01-15T10:00:01Z", 70, device_id="b"))
    assert asked(client, bucket="1d")["points"][0]["heart_rate"]["avg"] == 60.0
    assert client.put("/v1/devices/b", json={"priority": 5}).json() == {
        "device_id": "b",
        "name": None,
        "priority": 5,
        "metrics": {},
    }
    assert asked(client, bucket="1d")["points"][0]["heart_rate"]["avg"] == 70.0


def test_a_metric_may_have_a_priority_of_its_own(client: httpx.Client) -> None:
    post(client, beat("2024-01-15T10:00:00Z", 60, device_id="a"), beat("2024-01-15T10:00:01Z", 70, device_id="b"))
    named = {"device_id": "b", "name": None, "priority": 1000, "metrics": {"heart_rate": 0, "steps": 5}}
    change = {"priority": 1000, "metrics": named["metrics"]}
    assert client.put("/v1/devices/b", json=change).json() == named
    assert client.get("/v1/devices/b").json() == named
    assert asked(client, bucket="1d")["points"][0]["heart_rate"]["avg"] == 70.0
    client.put("/v1/devices/b", json={"metrics": {"heart_rate": None}})
    assert client.get("/v1/devices/b").json() == {**named, "metrics": {"steps": 5}}
    assert asked(client, bucket="1d")["points"][0]["heart_rate"]["avg"] == 60.0


def test_a_device_can_be_named_before_it_reports(client: httpx.Client) -> None:
    assert client.get("/v1/devices/strap").status_code == 404
    named = {"device_id": "strap", "name": "Chest strap", "priority": 999, "metrics": {}}
    assert client.put("/v1/devices/strap", json={"name": "Chest strap"}).json() == named
    assert client.get("/v1/devices/strap").json() == named


@pytest.mark.parametrize(
    "change",
    [
        *({"priority": -1}, {"priority": 1.5}, {"priority": "1"}, {"name": ""}, {"rank": 1}, 7),
        *({"metrics": ["steps"]}, {"metrics": {"steps": -1}}, {"metrics": {"steps": "1"}}, {"metrics": {"": 1}}),
    ],
)
def test_a_device_is_not_changed_to_nonsense(client: httpx.Client, change: object) -> None:
    refused(client.put("/v1/devices/strap", json=change), 422)
    assert client.get("/v1/devices/strap").status_code == 404


def test_a_priority_of_what_is_no_metric_is_refused_with_the_one_that_is_meant(client: httpx.Client) -> None:
    problem = "has a name that is not known; steps is probably meant"
    answer = client.put("/v1/devices/strap", json={"metrics": {"step": 1}})
    assert refused(answer, 422)["errors"] == [{"at": "metrics", "problem": problem, "value": "step"}]
