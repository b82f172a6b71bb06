"""POST and GET /v1/events: as the earlier paths, with a receipt for each item and pages by cursor."""

from typing import Any

import httpx
import pytest

from tests.support.wire import errors_of, event, moment, refused, strict_json, strings_in

PATH = "/v1/events"
THE_DAY = {"tenant_id": "tenant_1", "start": moment("00:00:00"), "end": moment("23:59:59")}
CURSORS = ("next_cursor", "cursor", "next")


def sent(client: httpx.Client, *events: Any) -> dict[str, Any]:
    answer = client.post(PATH, json={"events": list(events)})
    assert answer.status_code in (200, 201), answer.text
    return dict(strict_json(answer.text))


def verdicts(receipt: dict[str, Any]) -> list[tuple[str, str]]:
    """Read each item's id, and what became of it, from the receipt."""
    (items,) = [value for value in receipt.values() if isinstance(value, list) and value and "event_id" in value[0]]
    return [(item["event_id"], item["status"]) for item in items]


def listed(client: httpx.Client, **asked: Any) -> dict[str, Any]:
    answer = client.get(PATH, params=THE_DAY | asked)
    assert answer.status_code == 200, answer.text
    return dict(strict_json(answer.text))


def ids(client: httpx.Client, **asked: Any) -> list[str]:
    return [said["event_id"] for said in listed(client, **asked)["events"]]


def pages(client: httpx.Client, **asked: Any) -> list[list[str]]:
    """Collect the ids of all pages, following the cursor until there is none."""
    found = []
    for _ in range(100):
        page = listed(client, **asked)
        found.append([said["event_id"] for said in page["events"]])
        cursor = next((page[name] for name in CURSORS if page.get(name)), None)
        if cursor is None:
            return found
        asked["cursor"] = cursor
    raise AssertionError("the pages have no end")


def test_a_receipt_tells_of_each_item(client: httpx.Client) -> None:
    client.post("/events", json=event("evt_2"))
    receipt = sent(client, event("evt_1"), event("evt_2"), event("evt_3"), event("evt_3"))
    assert verdicts(receipt) == [
        ("evt_1", "created"),
        ("evt_2", "duplicate"),
        ("evt_3", "created"),
        ("evt_3", "duplicate"),
    ]
    assert (receipt["received"], receipt["created"], receipt["duplicates"]) == (4, 2, 2)


@pytest.mark.parametrize("body", [event(), [event()], {"events": [event()]}])
def test_one_event_or_several_may_be_sent(client: httpx.Client, body: Any) -> None:
    answer = client.post(PATH, json=body)
    assert answer.status_code in (200, 201), answer.text
    assert "evt_001" in set(strings_in(answer.json()))
    assert ids(client) == ["evt_001"]


def test_the_first_content_stays(client: httpx.Client) -> None:
    sent(client, event(), event(payload={"page": "second"}))
    sent(client, event(payload={"page": "third"}))
    (said,) = listed(client)["events"]
    assert said.items() >= event().items()


def test_both_families_see_the_same_events(client: httpx.Client) -> None:
    sent(client, event("evt_1"))
    client.post("/events", json=event("evt_2"))
    earlier = client.get("/events", params={"tenant_id": "tenant_1"}).json()["events"]
    assert earlier == listed(client)["events"]
    assert [said["event_id"] for said in earlier] == ["evt_1", "evt_2"]


def test_the_range_excludes_its_end(client: httpx.Client) -> None:
    sent(client, event("evt_1", "10:00:00"), event("evt_2", "10:01:00"))
    assert ids(client, start=moment("10:00:00"), end=moment("10:01:00")) == ["evt_1"]
    assert ids(client, start=moment("10:00:00"), end=moment("10:01:00.000001")) == ["evt_1", "evt_2"]


def test_the_filters_narrow_the_list(client: httpx.Client) -> None:
    sent(
        client,
        event("evt_1"),
        event("evt_2", source="app"),
        event("evt_3", event_type="view"),
        event("evt_4", tenant_id="tenant_2"),
    )
    assert ids(client, source="app") == ["evt_2"]
    assert ids(client, event_type="view") == ["evt_3"]
    assert ids(client, tenant_id="tenant_2") == ["evt_4"]
    assert ids(client, source="nowhere") == []


def test_pages_follow_each_other_and_miss_nothing(client: httpx.Client) -> None:
    sent(client, *(event(f"evt_{n:02}", f"10:00:{n // 5:02}") for n in reversed(range(23))))
    found = pages(client, limit=10)
    assert [len(page) for page in found if page] == [10, 10, 3]
    assert [event_id for page in found for event_id in page] == [f"evt_{n:02}" for n in range(23)]


def test_pages_of_a_filtered_list_stay_filtered(client: httpx.Client) -> None:
    sent(client, *(event(f"evt_{n:02}", source="web" if n % 2 else "app") for n in range(20)))
    found = pages(client, limit=3, source="app")
    assert [event_id for page in found for event_id in page] == [f"evt_{n:02}" for n in range(0, 20, 2)]


def test_strange_ids_do_not_disturb_the_cursor(client: httpx.Client) -> None:
    strange = [
        "a b",
        "a,b",
        "a|b",
        "a\\b",
        "ü",
        "👩‍⚕️",
        "%",
        "+",
        "=",
        "'",
        '"',
        "2024-01-15T10:00:00Z",
        "null",
        "A",
        "a",
    ]
    sent(client, *(event(event_id) for event_id in strange))
    found = [event_id for page in pages(client, limit=1) for event_id in page]
    assert sorted(found) == sorted(strange)


def test_a_page_stays_put_when_events_arrive_before_it(client: httpx.Client) -> None:
    sent(client, *(event(f"evt_{n}", f"10:00:0{n}") for n in range(6)))
    first = listed(client, limit=3)
    cursor = next(first[name] for name in CURSORS if first.get(name))
    sent(client, event("evt_early", "09:00:00"))
    assert ids(client, limit=3, cursor=cursor) == ["evt_3", "evt_4", "evt_5"]


def test_numbered_pages_shift_where_cursors_do_not(client: httpx.Client) -> None:
    """As docs/http.md says of an earlier event that arrives between two pages."""
    client.post("/events/bulk", json={"events": [event(f"evt_{n}", f"10:00:0{n}") for n in range(4)]})
    numbered = {"tenant_id": "tenant_1", "page_size": 2}
    by_cursor = {"tenant_id": "tenant_1", "limit": 2, "start": moment("00:00:00"), "end": moment("23:59:59")}
    first, begun = client.get("/events", params=numbered).json(), client.get("/v1/events", params=by_cursor).json()
    client.post("/events", json=event("late", "09:00:00"))
    second = client.get("/events", params=numbered | {"page": 2}).json()
    assert [one["event_id"] for page in (first, second) for one in page["events"]] == [
        "evt_0",
        "evt_1",
        "evt_1",
        "evt_2",
    ]
    assert ids(client, limit=2, cursor=begun["next_cursor"]) == ["evt_2", "evt_3"]


@pytest.mark.parametrize("cursor", ["nonsense", "%", "AAAA", "e30=", "\x00", "x" * 5000])
def test_a_cursor_of_ones_own_making_is_a_422(visitor: httpx.Client, cursor: str) -> None:
    errors_of(visitor.get(PATH, params=THE_DAY | {"cursor": cursor}), 422)


@pytest.mark.parametrize(
    "asked",
    [{"limit": "0"}, {"limit": "-1"}, {"limit": "x"}, {"start": "soon"}, {"end": "2024-01-15T10:00:00"}],
)
def test_a_bad_argument_is_a_422(visitor: httpx.Client, asked: dict[str, str]) -> None:
    errors_of(visitor.get(PATH, params=THE_DAY | asked), 422)


def test_a_range_that_ends_before_it_starts_is_a_422(visitor: httpx.Client) -> None:
    errors_of(visitor.get(PATH, params=THE_DAY | {"start": moment("11:00:00"), "end": moment("10:00:00")}), 422)


def test_an_invalid_event_is_refused(client: httpx.Client) -> None:
    answer = client.post(PATH, json=event(timestamp="never"))
    assert answer.status_code == 422
    assert any("timestamp" in error["at"] for error in answer.json()["errors"])
    assert ids(client) == []


def test_what_is_not_json_is_a_400(visitor: httpx.Client) -> None:
    refused(visitor.post(PATH, content=b"{", headers={"content-type": "application/json"}), 400)
