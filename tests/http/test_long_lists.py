"""Answers that are sent in pieces since they are long: whole, in order, and the documents that short ones are."""

from __future__ import annotations

import httpx

from tests.http.wire import event, moment, post, reading, strict_json

COUNT = 1201  # three pieces
DAY = {"start": moment("00:00:00"), "end": "2024-01-16T00:00:00Z"}


def minute(n: int) -> str:
    return f"{n // 60:02}:{n % 60:02}:00"


def test_a_long_series_is_whole(client: httpx.Client) -> None:
    post(client, "/v1/readings", [reading(minute(n), heart_rate=60 + n % 100, steps=n) for n in range(COUNT)])
    answer = client.get("/v1/users/ada/series", params=DAY | {"bucket": "1m"})
    said = strict_json(answer.text)
    assert list(said) == ["user_id", "bucket", "tz", "points", "sources"]
    assert [(point["t"], point["steps"]) for point in said["points"]] == [(moment(minute(n)), n) for n in range(COUNT)]
    assert said["sources"]
    plain = client.get("/v1/users/ada/series", params=DAY | {"bucket": "1m"}, headers={"Accept-Encoding": "identity"})
    assert plain.text == answer.text
    assert client.head("/v1/users/ada/series", params=DAY | {"bucket": "1m"}).status_code == 200


def test_long_minutes_of_heart_rate_are_whole(client: httpx.Client) -> None:
    post(client, "/v1/readings", [reading(minute(n), heart_rate=60 + n % 100) for n in range(COUNT)])
    said = strict_json(client.get("/metrics/heart-rate", params=DAY | {"user_id": "ada"}).text)
    assert list(said) == ["user_id", "data", "count"]
    assert said["count"] == COUNT
    assert [point["heart_rate"] for point in said["data"]] == [60 + n % 100 for n in range(COUNT)]


def test_long_counts_of_events_are_whole(client: httpx.Client) -> None:
    client.post("/events/bulk", json={"events": [event(f"evt_{n}", minute(n)) for n in range(COUNT)]})
    said = strict_json(client.get("/metrics", params={"tenant_id": "tenant_1", "bucket_size": "minute"}).text)
    assert list(said) == ["tenant_id", "bucket_size", "metrics"]
    assert [row["bucket"] for row in said["metrics"]] == [moment(minute(n)) for n in range(COUNT)]
