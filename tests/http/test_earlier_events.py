"""The conversations of the third earlier service: events, once each, and their counts."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.support.wire import errors_of, event, moment, refused, says, send, strict_json

FIELDS = ["event_id", "tenant_id", "source", "event_type", "timestamp"]


def listed(client: httpx.Client, **asked: Any) -> dict[str, Any]:
    answer = client.get("/events", params={"tenant_id": "tenant_1"} | asked)
    assert answer.status_code == 200, answer.text
    body = strict_json(answer.text)
    assert list(body) == ["events", "page", "page_size", "total"]
    return dict(body)


def ids(client: httpx.Client, **asked: Any) -> list[str]:
    return [said["event_id"] for said in listed(client, **asked)["events"]]


def bulk(client: httpx.Client, *events: Any) -> httpx.Response:
    return client.post("/events/bulk", json={"events": list(events)})


def counts(client: httpx.Client, **asked: str) -> list[tuple[str, str, str, int]]:
    answer = client.get("/metrics", params={"tenant_id": "tenant_1"} | asked)
    assert answer.status_code == 200, answer.text
    metrics = strict_json(answer.text)["metrics"]
    assert [row["bucket"] for row in metrics] == sorted(row["bucket"] for row in metrics)
    return sorted((row["bucket"], row["source"], row["event_type"], row["count"]) for row in metrics)


def test_the_conversation_is_word_for_word_the_earlier_one(client: httpx.Client) -> None:
    says(client.post("/events", json=event()), 201, {"status": "created", "event_id": "evt_001"})
    says(client.post("/events", json=event()), 200, {"status": "duplicate", "event_id": "evt_001"})
    answer = client.get("/metrics", params={"tenant_id": "tenant_1", "bucket_size": "minute"})
    counted = {"bucket": moment(), "source": "web", "event_type": "click", "count": 1}
    says(answer, 200, {"tenant_id": "tenant_1", "bucket_size": "minute", "metrics": [counted]})


def test_an_event_comes_back_as_it_went_in(client: httpx.Client) -> None:
    client.post("/events", json=event())
    page = listed(client)
    assert (page["page"], page["page_size"], page["total"]) == (1, 100, 1)
    (said,) = page["events"]
    assert said.items() >= event().items()


def test_a_duplicate_with_other_content_leaves_the_first(client: httpx.Client) -> None:
    client.post("/events", json=event())
    other = event(source="app", event_type="view", timestamp=moment("11:00:00"), payload={"page": "other"})
    says(client.post("/events", json=other), 200, {"status": "duplicate", "event_id": "evt_001"})
    (said,) = listed(client)["events"]
    assert said.items() >= event().items()


def test_the_same_id_of_another_tenant_is_another_event(client: httpx.Client) -> None:
    client.post("/events", json=event())
    answer = client.post("/events", json=event(tenant_id="tenant_2"))
    says(answer, 201, {"status": "created", "event_id": "evt_001"})
    assert listed(client)["total"] == listed(client, tenant_id="tenant_2")["total"] == 1


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"nested": {"list": [1, 2.5, -3, True, None, "x", {"deep": []}]}},
        {"text": 'quote " backslash \\ newline \n tab \t', "ключ": "значение", "emoji": "👩‍⚕️"},
        {"big": 9007199254740993, "small": 1e-7, "zero": 0},
        {"": "an empty key"},
    ],
)
def test_a_payload_is_kept(client: httpx.Client, payload: dict[str, Any]) -> None:
    client.post("/events", json=event(payload=payload))
    assert listed(client)["events"][0]["payload"] == payload


def test_a_payload_may_not_be_large_once_its_numbers_are_written_out(client: httpx.Client) -> None:
    """The database writes 1e308 with all of its 309 digits."""
    for number in 1e308, 1e-308:
        refused(client.post("/events", json=event(payload={"n": [number] * 900})), 422)
        said = event(payload={"n": [number] * 800})
        assert client.post("/events", json=said).status_code in (200, 201)
    assert client.post("/events", json=event("evt_2", payload={"text": "e+308" * 50_000})).status_code == 201
    (first, second) = listed(client)["events"]
    assert [float(number) for number in first["payload"]["n"]] == [1e308] * 800
    assert len(second["payload"]["text"]) == 250_000


def test_a_bulk_is_counted(client: httpx.Client) -> None:
    answer = bulk(client, event("evt_001"), event("evt_002"))
    says(answer, 200, {"status": "ok", "received": 2, "created": 2, "duplicates": 0})
    assert ids(client) == ["evt_001", "evt_002"]


def test_a_bulk_knows_its_duplicates_inside_and_from_before(client: httpx.Client) -> None:
    client.post("/events", json=event("evt_001"))
    answer = bulk(
        client,
        event("evt_001", payload={"page": "later"}),
        event("evt_002"),
        event("evt_002", payload={"page": "again"}),
        event("evt_003"),
    )
    says(answer, 200, {"status": "ok", "received": 4, "created": 2, "duplicates": 2})
    events = listed(client)["events"]
    assert [said["event_id"] for said in events] == ["evt_001", "evt_002", "evt_003"]
    assert all(said["payload"] == {"page": "home"} for said in events)


def test_a_bulk_may_hold_several_tenants(client: httpx.Client) -> None:
    answer = bulk(client, event("evt_001"), event("evt_001", tenant_id="tenant_2"))
    says(answer, 200, {"status": "ok", "received": 2, "created": 2, "duplicates": 0})


def test_many_clients_at_once_create_each_event_once(client: httpx.Client) -> None:
    """Six clients send the same two hundred events in different orders, in bulks and one by one."""
    events = [event(f"evt_{n:03}") for n in range(200)]
    orders = [events[turn * 30 :] + events[: turn * 30] for turn in range(6)]

    def one_by_one() -> int:
        return sum(client.post("/events", json=said).status_code == 201 for said in reversed(events))

    with ThreadPoolExecutor(7) as pool:
        alone = pool.submit(one_by_one)
        answers = list(pool.map(lambda order: bulk(client, *order).json(), orders))
    assert sum(answer["created"] for answer in answers) + alone.result() == 200
    assert all(answer["created"] + answer["duplicates"] == 200 for answer in answers)
    assert listed(client)["total"] == 200


def test_the_same_bulk_again_is_all_duplicates(client: httpx.Client) -> None:
    events = [event(f"evt_{n}") for n in range(10)]
    bulk(client, *events)
    says(bulk(client, *events), 200, {"status": "ok", "received": 10, "created": 0, "duplicates": 10})
    assert listed(client)["total"] == 10


def test_five_thousand_events_are_a_bulk_and_one_more_is_not(client: httpx.Client) -> None:
    page = {"page": "home", "text": "x" * 300}
    events = [event(f"evt_{n:04}", f"10:{n // 60 % 60:02}:{n % 60:02}", payload=page) for n in range(5001)]
    assert 400 <= bulk(client, *events).status_code < 500
    assert listed(client)["total"] == 0
    says(
        bulk(client, *events[:5000]),
        200,
        {"status": "ok", "received": 5000, "created": 5000, "duplicates": 0},
    )
    assert listed(client)["total"] == 5000


@pytest.mark.parametrize("bad", [event("evt_2", timestamp="never"), {"event_id": "evt_2"}, 7, None, []])
def test_an_invalid_item_refuses_the_whole_bulk(client: httpx.Client, bad: Any) -> None:
    errors = errors_of(bulk(client, event("evt_1"), bad), 422)
    assert all(error["at"].startswith("events[1]") for error in errors)
    assert listed(client)["total"] == 0


@pytest.mark.parametrize("field", FIELDS)
def test_a_missing_field_is_a_422(visitor: httpx.Client, field: str) -> None:
    said = {name: value for name, value in event().items() if name != field}
    errors = errors_of(visitor.post("/events", json=said), 422)
    assert any(field in error["at"] for error in errors)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", [None, True, 1.5, [], {}])
def test_a_field_of_another_type_is_a_422(visitor: httpx.Client, field: str, value: Any) -> None:
    errors = errors_of(visitor.post("/events", json=event(**{field: value})), 422)
    assert any(field in error["at"] for error in errors)


@pytest.mark.parametrize("path", ["/events", "/events/bulk"])
@pytest.mark.parametrize("body", [b"", b"{", b'{"events": [', b"nonsense"])
def test_what_is_not_json_is_a_400(visitor: httpx.Client, path: str, body: bytes) -> None:
    refused(send(visitor, path, body), 400)


@pytest.mark.parametrize(
    "body", [b"{}", b"[]", b"null", b"7", b'{"events": null}', b'{"events": {}}', b'{"events": "x"}']
)
def test_a_bulk_of_another_shape_is_a_422(visitor: httpx.Client, body: bytes) -> None:
    refused(send(visitor, "/events/bulk", body), 422)


def test_the_filters_narrow_the_list(client: httpx.Client) -> None:
    bulk(
        client,
        event("evt_1", "10:00:00"),
        event("evt_2", "10:01:00", source="app"),
        event("evt_3", "10:02:00", event_type="view"),
        event("evt_4", "10:03:00", source="app", event_type="view"),
        event("evt_5", "10:00:00", tenant_id="tenant_2"),
    )
    assert ids(client) == ["evt_1", "evt_2", "evt_3", "evt_4"]
    assert ids(client, source="app") == ["evt_2", "evt_4"]
    assert ids(client, event_type="view") == ["evt_3", "evt_4"]
    assert ids(client, source="app", event_type="view") == ["evt_4"]
    assert ids(client, start=moment("10:01:00")) == ["evt_2", "evt_3", "evt_4"]
    assert ids(client, end=moment("10:01:00")) == ["evt_1", "evt_2"]
    assert ids(client, start=moment("10:01:00"), end=moment("10:02:00")) == ["evt_2", "evt_3"]
    assert ids(client, tenant_id="tenant_2") == ["evt_5"]
    assert listed(client, source="app")["total"] == 2
    assert listed(client, source="nowhere") == {"events": [], "page": 1, "page_size": 100, "total": 0}


def test_pages_follow_each_other_and_miss_nothing(client: httpx.Client) -> None:
    bulk(client, *(event(f"evt_{n:02}") for n in reversed(range(25))))
    pages = [listed(client, page=page, page_size=10) for page in (1, 2, 3, 4)]
    assert [len(page["events"]) for page in pages] == [10, 10, 5, 0]
    assert all(page["total"] == 25 and page["page_size"] == 10 for page in pages)
    assert [page["page"] for page in pages] == [1, 2, 3, 4]
    seen = [said["event_id"] for page in pages for said in page["events"]]
    assert seen == [f"evt_{n:02}" for n in range(25)]


def test_the_order_is_by_time_and_then_by_id(client: httpx.Client) -> None:
    bulk(client, event("evt_3", "10:00:00"), event("evt_1", "10:00:01"), event("evt_2", "10:00:00"))
    assert ids(client) == ["evt_2", "evt_3", "evt_1"]


def test_a_page_is_a_hundred_unless_asked_and_a_thousand_at_most(client: httpx.Client) -> None:
    bulk(client, *(event(f"evt_{n:04}") for n in range(1001)))
    assert len(ids(client)) == 100
    assert len(ids(client, page_size=1000)) == 1000
    assert ids(client, page=2, page_size=1000) == ["evt_1000"]
    errors_of(client.get("/events", params={"tenant_id": "tenant_1", "page_size": 1001}), 422)


@pytest.mark.parametrize(
    "asked",
    [
        {"page": "0"},
        {"page": "-1"},
        {"page": "one"},
        {"page": "1.5"},
        {"page_size": "0"},
        {"page_size": "-1"},
        {"page_size": "many"},
        {"start": "2024-01-15T10:00:00"},
        {"end": "soon"},
        {"start": moment("11:00:00"), "end": moment("10:00:00")},
    ],
)
def test_a_bad_argument_is_a_422(visitor: httpx.Client, asked: dict[str, str]) -> None:
    errors_of(visitor.get("/events", params={"tenant_id": "tenant_1"} | asked), 422)


def test_a_list_is_of_one_tenant(visitor: httpx.Client) -> None:
    errors_of(visitor.get("/events"), 422)


def test_an_unknown_tenant_has_no_events(client: httpx.Client) -> None:
    says(
        client.get("/events", params={"tenant_id": "nobody"}),
        200,
        {"events": [], "page": 1, "page_size": 100, "total": 0},
    )


def test_events_are_counted_by_minute_hour_and_day(client: httpx.Client) -> None:
    bulk(
        client,
        event("evt_1", "10:00:00"),
        event("evt_2", "10:00:59.999999"),
        event("evt_3", "10:01:00"),
        event("evt_4", "11:00:00", source="app"),
        event("evt_5", event_type="view", timestamp="2024-01-16T00:00:00Z"),
    )
    assert counts(client, bucket_size="minute") == [
        (moment("10:00:00"), "web", "click", 2),
        (moment("10:01:00"), "web", "click", 1),
        (moment("11:00:00"), "app", "click", 1),
        ("2024-01-16T00:00:00Z", "web", "view", 1),
    ]
    assert counts(client, bucket_size="hour") == [
        (moment("10:00:00"), "web", "click", 3),
        (moment("11:00:00"), "app", "click", 1),
        ("2024-01-16T00:00:00Z", "web", "view", 1),
    ]
    assert counts(client, bucket_size="day") == [
        (moment("00:00:00"), "app", "click", 1),
        (moment("00:00:00"), "web", "click", 3),
        ("2024-01-16T00:00:00Z", "web", "view", 1),
    ]


def test_counts_are_narrowed_by_the_same_filters(client: httpx.Client) -> None:
    bulk(
        client,
        event("evt_1", "10:00:00"),
        event("evt_2", "10:00:10", source="app"),
        event("evt_3", "10:00:20", event_type="view"),
        event("evt_4", "10:00:30", tenant_id="tenant_2"),
    )
    hour = moment("10:00:00")
    assert counts(client, bucket_size="hour", source="app") == [(hour, "app", "click", 1)]
    assert counts(client, bucket_size="hour", event_type="view") == [(hour, "web", "view", 1)]
    assert counts(client, bucket_size="hour", start=moment("10:00:10"), end=moment("10:00:20")) == [
        (hour, "app", "click", 1),
        (hour, "web", "view", 1),
    ]
    assert counts(client, bucket_size="hour", tenant_id="tenant_2") == [(hour, "web", "click", 1)]


def test_duplicates_are_not_counted(client: httpx.Client) -> None:
    for _ in range(3):
        client.post("/events", json=event())
    assert counts(client, bucket_size="day") == [(moment("00:00:00"), "web", "click", 1)]


@pytest.mark.parametrize("size", ["minute", "hour", "day"])
def test_no_events_are_an_empty_list(client: httpx.Client, size: str) -> None:
    answer = client.get("/metrics", params={"tenant_id": "tenant_1", "bucket_size": size})
    says(answer, 200, {"tenant_id": "tenant_1", "bucket_size": size, "metrics": []})


@pytest.mark.parametrize(
    "asked",
    [
        {"bucket_size": "week"},
        {"bucket_size": ""},
        {"bucket_size": "MINUTE"},
        {"bucket_size": "minute", "start": "2024-01-15T10:00:00"},
        {"bucket_size": "minute", "end": "soon"},
        {"bucket_size": "minute", "start": moment("11:00:00"), "end": moment("10:00:00")},
    ],
)
def test_counts_with_a_bad_argument_are_a_422(visitor: httpx.Client, asked: dict[str, str]) -> None:
    errors_of(visitor.get("/metrics", params={"tenant_id": "tenant_1"} | asked), 422)
