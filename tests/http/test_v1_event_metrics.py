"""GET /v1/events/metrics: the counts of GET /metrics, half-open and in pages."""

from itertools import product
from typing import Any

import httpx
import pytest

from tests.support.wire import errors_of, event, moment, strict_json

PATH = "/v1/events/metrics"
THE_DAY = {"tenant_id": "tenant_1", "start": moment("00:00:00"), "end": moment("23:59:59")}


def counted(client: httpx.Client, **asked: Any) -> dict[str, Any]:
    answer = client.get(PATH, params=THE_DAY | asked)
    assert answer.status_code == 200, answer.text
    return dict(strict_json(answer.text))


def pages(client: httpx.Client, **asked: Any) -> list[list[dict[str, Any]]]:
    found = []
    for _ in range(100):
        body = counted(client, **asked)
        found.append(body["metrics"])
        if body["next_cursor"] is None:
            return found
        asked["cursor"] = body["next_cursor"]
    raise AssertionError("the pages have no end")


def send(client: httpx.Client, *events: Any) -> None:
    assert client.post("/events/bulk", json={"events": list(events)}).status_code == 200


def many(client: httpx.Client) -> None:
    """Send events of strange sources and types, some of them several to a minute."""
    kinds = product(["web", "a b", "ü", "W", '"', "["], ["click", "null", "2024-01-15T10:00:00Z"], range(4))
    send(
        client,
        *(
            event(f"evt_{n}", f"10:0{minute}:{n % 60:02}", source=source, event_type=kind)
            for n, (source, kind, minute) in enumerate(kinds)
        ),
    )


def test_it_counts_as_the_earlier_path_does(client: httpx.Client) -> None:
    many(client)
    for size in ("minute", "hour", "day"):
        earlier = client.get("/metrics", params={"tenant_id": "tenant_1", "bucket_size": size}).json()
        assert counted(client, bucket_size=size) == earlier | {"next_cursor": None}


def test_pages_follow_each_other_and_miss_nothing(client: httpx.Client) -> None:
    many(client)
    whole = counted(client)["metrics"]
    assert len(whole) == 72
    for limit in (1, 7, 71, 72, 73):
        found = pages(client, limit=limit)
        assert [count for page in found for count in page] == whole
        assert {len(page) for page in found[:-1]} <= {limit}


def test_pages_of_a_cut_bucket_count_what_lies_in_the_range(client: httpx.Client) -> None:
    send(client, *(event(f"evt_{n}", f"10:00:{n:02}", source=f"s{n % 3}") for n in range(60)))
    edges = {"start": moment("10:00:30"), "end": moment("10:00:33")}
    found = pages(client, limit=1, bucket_size="hour", **edges)
    assert [(count["source"], count["count"]) for page in found for count in page] == [("s0", 1), ("s1", 1), ("s2", 1)]


def test_the_range_excludes_its_end(client: httpx.Client) -> None:
    send(client, event("evt_1", "10:00:00"), event("evt_2", "10:01:00"))
    edges = {"start": moment("10:00:00"), "end": moment("10:01:00")}
    assert [count["bucket"] for count in counted(client, **edges)["metrics"]] == [moment("10:00:00")]


def test_the_filters_narrow_the_counts(client: httpx.Client) -> None:
    send(client, event("1"), event("2", source="app"), event("3", event_type="view"), event("4", tenant_id="other"))
    assert sum(count["count"] for count in counted(client)["metrics"]) == 3
    assert [count["source"] for count in counted(client, source="app")["metrics"]] == ["app"]
    assert [count["event_type"] for count in counted(client, event_type="view")["metrics"]] == ["view"]
    assert counted(client, tenant_id="nobody")["metrics"] == []


def test_by_default_the_last_day_is_counted(client: httpx.Client) -> None:
    send(client, event())
    answer = client.get(PATH, params={"tenant_id": "tenant_1"})
    assert answer.json() == {"tenant_id": "tenant_1", "bucket_size": "minute", "metrics": [], "next_cursor": None}


@pytest.mark.parametrize(
    "cursor", ["nonsense", "%", "AAAA", "e30=", "WzFd", "WyJhIl0=", "WyJhIiwiYiIsImMiXQ==", "W10="]
)
def test_a_cursor_of_ones_own_making_is_a_422(visitor: httpx.Client, cursor: str) -> None:
    (error,) = errors_of(visitor.get(PATH, params=THE_DAY | {"cursor": cursor}), 422)
    assert error["at"] == "cursor"


def test_the_cursor_of_another_path_is_a_422(client: httpx.Client) -> None:
    send(client, event("evt_1"), event("evt_2"))
    cursor = client.get("/v1/events", params=THE_DAY | {"limit": 1}).json()["next_cursor"]
    errors_of(client.get(PATH, params=THE_DAY | {"cursor": cursor}), 422)


@pytest.mark.parametrize("asked", [{"bucket_size": "week"}, {"limit": "0"}, {"limit": "1001"}, {"tenant_id": ""}])
def test_a_bad_argument_is_a_422(visitor: httpx.Client, asked: dict[str, str]) -> None:
    (error,) = errors_of(visitor.get(PATH, params=THE_DAY | asked), 422)
    assert error["at"] in asked
