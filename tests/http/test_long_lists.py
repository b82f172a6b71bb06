"""Answers that are sent in pieces since they are long: whole, in order, and the documents that short ones are."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from service.answers.event_pages import PIECE
from tests.support.service_process import running_service
from tests.support.wire import dial, event, moment, post, raw_request, reading, refused, strict_json

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


def test_counts_of_events_are_bounded(client: httpx.Client, database_url: str) -> None:
    """All minutes of all time were one answer, and 16 at once took 900 MB."""
    client.post("/events/bulk", json={"events": [event(f"evt_{n}", minute(n)) for n in range(61)]})
    with running_service(database_url, MAX_EVENT_COUNTS="60") as url:
        asked = {"tenant_id": "tenant_1", "bucket_size": "minute"}
        problem = refused(httpx.get(url + "/metrics", params=asked), 422)
        assert "more than 60 counts" in problem["detail"]
        assert "start and end" in problem["detail"]
        answer = httpx.get(url + "/metrics", params=asked | {"start": moment(minute(1))})
        assert len(strict_json(answer.text)["metrics"]) == 60
        assert (
            len(strict_json(httpx.get(url + "/metrics", params=asked | {"bucket_size": "hour"}).text)["metrics"]) == 2
        )


def send_large(client: httpx.Client, sizes: list[int], text: str = "é") -> list[dict[str, Any]]:
    """Store an event a minute whose payloads have so many characters; return them as they were sent."""
    events = [
        event(f"evt_{n}", minute(n // 2), payload={"n": n, "text": text * size, "deep": [{"a": [1, 2.5, None]}]})
        for n, size in enumerate(sizes)
    ]
    for each in events:
        assert client.post("/v1/events", json=each).json()["created"] == 1
    return sorted(events, key=lambda each: (each["timestamp"], each["event_id"]))


SIZES = {
    "small": [10] * 9,
    "large": [120_000] * 17,  # two or three to a piece
    "large between small ones": [10, 10, 250_000, 10, 250_000, 250_000, 10, 0, 250_000],
    "as much as a piece": [PIECE // 4] * 8,
}


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_a_page_of_large_events_is_whole(client: httpx.Client, sizes: list[int]) -> None:
    events = send_large(client, sizes, "é" if max(sizes) < PIECE // 5 else "e")
    asked = {"tenant_id": "tenant_1", "page_size": 1000}
    answer = client.get("/events", params=asked)
    said = strict_json(answer.text)
    assert list(said) == ["events", "page", "page_size", "total"]
    assert said == {"events": events, "page": 1, "page_size": 1000, "total": len(events)}
    assert client.get("/events", params=asked, headers={"Accept-Encoding": "identity"}).text == answer.text
    assert client.head("/events", params=asked).status_code == 200
    for page_size in 1, 3, len(sizes) - 1, len(sizes):
        told = []
        for page in range(1, len(sizes) // page_size + 2):
            said = client.get("/events", params=asked | {"page": page, "page_size": page_size}).json()
            assert len(said["events"]) == max(0, min(page_size, len(events) - (page - 1) * page_size))
            told += said["events"]
        assert told == events


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("limit", [1, 2, 3, 1000])
def test_cursors_lead_through_large_events(client: httpx.Client, sizes: list[int], limit: int) -> None:
    events = send_large(client, sizes, "e")
    told: list[dict[str, Any]] = []
    asked = DAY | {"tenant_id": "tenant_1", "limit": str(limit)}
    while True:
        said = strict_json(client.get("/v1/events", params=asked).text)
        assert list(said) == ["events", "next_cursor"]
        told += said["events"]
        if said["next_cursor"] is None:
            break
        assert len(said["events"]) == limit
        asked["cursor"] = said["next_cursor"]
    assert told == events


def test_who_leaves_in_the_middle_of_a_page_leaves_nothing_behind(client: httpx.Client, base_url: str) -> None:
    send_large(client, [250_000] * 24, "e")
    for _ in range(12):  # more than there are connections to the database
        with dial(base_url) as line:
            line.sendall(raw_request("/events?tenant_id=tenant_1&page_size=1000", method="GET"))
            assert line.recv(65536).startswith(b"HTTP/1.1 200 ")
    answer = client.get("/events", params={"tenant_id": "tenant_1", "page_size": 1000})
    assert len(answer.json()["events"]) == 24
