"""Arguments that a path of /v1 does not know are refused and named, with what was probably meant."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from tests.support.live_clients import listening
from tests.support.wire import moment, reading, refused, send, summary

DAY = {"start": moment("00:00:00"), "end": moment("23:59:59")}
PATHS = [
    "/v1/users",
    "/v1/users/ada/summary",
    "/v1/users/ada/series",
    "/v1/users/ada/readings",
    "/v1/users/ada/devices",
    "/v1/users/ada/latest",
    "/v1/devices/watch",
    "/v1/metrics",
    "/v1/events",
    "/v1/events/metrics",
    "/v1/overview",
    "/v1/system",
    "/v1/live",
]


def faults(answer: httpx.Response) -> list[dict[str, Any]]:
    return list(refused(answer, 422)["errors"])


@pytest.mark.parametrize("path", PATHS)
def test_every_path_names_what_it_does_not_know(visitor: httpx.Client, path: str) -> None:
    (fault,) = faults(visitor.get(path, params={"colour": "red"}))
    assert (fault["at"], fault["value"]) == ("colour", "red")
    assert fault["problem"].startswith("is not known here")


@pytest.mark.parametrize(
    ("path", "asked", "meant"),
    [
        ("summary", "from", "start"),
        ("summary", "to", "end"),
        ("summary", "start_date", "start"),
        ("summary", "end_date", "end"),
        ("summary", "Start", "start"),
        ("summary", "strat", "start"),
        ("summary", "device", "device_id"),
        ("summary", "deviceId", "device_id"),
        ("series", "timezone", "tz"),
        ("series", "bucket_size", "bucket"),
        ("series", "resolution", "bucket"),
        ("series", "maxPoints", "max_points"),
        ("readings", "page_size", "limit"),
        ("readings", "page", "cursor"),
    ],
)
def test_what_was_probably_meant_is_suggested(visitor: httpx.Client, path: str, asked: str, meant: str) -> None:
    (fault,) = faults(visitor.get(f"/v1/users/ada/{path}", params={asked: "x"}))
    assert fault == {"at": asked, "problem": f"is not known here; {meant} is probably meant", "value": "x"}


def test_what_resembles_nothing_is_answered_with_what_there_is(visitor: httpx.Client) -> None:
    (fault,) = faults(visitor.get("/v1/users/ada/summary", params={"colour": "red"}))
    assert fault["problem"] == "is not known here: start, end, device_id, metrics"
    (fault,) = faults(visitor.get("/v1/devices/watch", params={"colour": "red"}))
    assert fault["problem"] == "is not known here, where no argument is"


def test_no_other_range_is_answered(client: httpx.Client) -> None:
    """The last 24 hours came where those of 2024 were asked for."""
    send(client, "/v1/readings", b'{"user_id": "ada", "timestamp": "2024-01-15T10:00:00Z", "steps": 1}')
    answer = client.get("/v1/users/ada/summary", params={"from": DAY["start"], "to": DAY["end"]})
    assert [fault["at"] for fault in faults(answer)] == ["from", "to"]


@pytest.mark.parametrize(
    "params", [{"device": "watch"}, [("device_id", "watch"), ("device_id", "phone")]], ids=["unknown", "twice"]
)
def test_nothing_is_deleted_by_a_question_that_says_something_else(client: httpx.Client, params: Any) -> None:
    client.post("/v1/readings", json=reading())
    refused(client.delete("/v1/users/ada/readings", params=[*DAY.items(), *dict_items(params)]), 422)
    refused(client.delete("/v1/users/ada", params=DAY), 422)
    assert summary(client)["heart_rate"]["count"] == 1


def dict_items(params: Any) -> list[tuple[str, str]]:
    return list(params.items()) if isinstance(params, dict) else params


def test_a_write_with_an_unknown_flag_stores_nothing(client: httpx.Client) -> None:
    answer = client.post("/v1/readings?atomc=true", json=reading())
    assert faults(answer) == [
        {"at": "atomc", "problem": "is not known here; atomic is probably meant", "value": "true"}
    ]
    refused(client.get("/v1/users/ada/latest"), 404)


def test_an_argument_that_counts_once_is_given_once(visitor: httpx.Client) -> None:
    twice = [*DAY.items(), ("start", moment("10:00:00"))]
    assert faults(visitor.get("/v1/users/ada/summary", params=twice)) == [
        {"at": "start", "problem": "is given 2 times", "value": moment("10:00:00")}
    ]
    assert visitor.get("/v1/overview", params=[("user_id", "ada"), ("user_id", "bob")]).status_code == 200


def test_many_are_answered_briefly(visitor: httpx.Client) -> None:
    answer = visitor.get("/v1/users/ada/summary", params={f"{n}{'x' * 100}": "y" * 300 for n in range(100)})
    assert len(faults(answer)) == 20
    assert len(answer.content) < 20_000


def test_a_socket_is_refused_too(visitor: httpx.Client, base_url: str) -> None:
    with pytest.raises(InvalidStatus) as caught, listening(base_url, "/v1/live?user=ada"):
        pass
    assert caught.value.response.status_code == 422
    assert b"user_id is probably meant" in caught.value.response.body


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/metrics", DAY | {"user_id": "303"}),
        ("/metrics", {"tenant_id": "tenant_1"}),
        ("/metrics/heart-rate", DAY | {"user_id": "ada"}),
        ("/events", {"tenant_id": "tenant_1"}),
        ("/health", {}),
        ("/ready", {}),
        ("/prometheus", {}),
    ],
)
def test_earlier_paths_go_on_ignoring_them(client: httpx.Client, path: str, params: dict[str, str]) -> None:
    client.post("/v1/readings", json=[reading(), reading(user_id=303)])
    assert client.get(path, params=params | {"colour": "red", "from": "x"}).status_code == 200
