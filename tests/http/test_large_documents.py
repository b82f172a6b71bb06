"""Documents that are parsed in parts since they are large: what is said of them is what is said of small ones."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.support.wire import beat, errors_of, event, refused, send, strict_json

LARGE = 2 * 1024 * 1024  # bytes that are still parsed at once
BALLAST = {"text": 'é"},{[' * 250}  # some 3 kB


def events(count: int) -> list[dict[str, Any]]:
    """Make so many different events, of which 700 are a large document."""
    return [event(f"evt_{n:04}", f"10:{n // 60 % 60:02}:{n % 60:02}", payload=BALLAST) for n in range(count)]


def post(client: httpx.Client, path: str, document: Any, large: bool = True) -> httpx.Response:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    assert (len(body) > LARGE) == large
    return send(client, path, body)


def stored(client: httpx.Client) -> int:
    total: int = client.get("/events", params={"tenant_id": "tenant_1"}).json()["total"]
    return total


@pytest.mark.parametrize("enveloped", [False, True])
def test_a_receipt_tells_of_each_event_in_order(client: httpx.Client, enveloped: bool) -> None:
    post(client, "/v1/events", [event("evt_0003"), event("evt_0690")], large=False)
    sent: list[Any] = [*events(1200), event("evt_0001"), 7]
    sent[5] = event("evt_0005", source=1)
    sent[650] = {"event_id": "evt_0650"}
    answer = post(client, "/v1/events", {"of": "a gateway", "events": sent, "more": [{}]} if enveloped else sent)
    assert answer.status_code == 200, answer.text
    receipt = strict_json(answer.text)
    assert list(receipt) == ["received", "created", "duplicates", "rejected", "events", "errors"]
    assert [receipt[name] for name in ("received", "created", "duplicates", "rejected")] == [1202, 1196, 3, 3]
    duplicates = {"evt_0003", "evt_0690"}
    expected = [(f"evt_{n:04}", n) for n in range(1200) if n not in (5, 650)]
    assert [(said["event_id"], said["status"]) for said in receipt["events"]] == [
        (event_id, "duplicate" if event_id in duplicates else "created") for event_id, _ in expected
    ] + [("evt_0001", "duplicate")]
    assert {error["at"].split("]")[0] for error in receipt["errors"]} == {"events[5", "events[650", "events[1201"}
    assert stored(client) == 1198
    (kept,) = client.get(
        "/v1/events", params={"tenant_id": "tenant_1", "start": sent[9]["timestamp"], "limit": 1}
    ).json()["events"]
    assert kept == sent[9]


def test_a_bulk_is_stored_whole(client: httpx.Client) -> None:
    answer = post(client, "/events/bulk", {"events": [*events(900), event("evt_0001")]})
    assert answer.json() == {"status": "ok", "received": 901, "created": 900, "duplicates": 1}
    assert stored(client) == 900


def test_one_invalid_event_refuses_a_bulk(client: httpx.Client) -> None:
    sent = events(900)
    sent[888]["timestamp"] = "never"
    answer = post(client, "/events/bulk", {"events": sent})
    (error,) = errors_of(answer, 422)
    assert error["at"] == "events[888].timestamp"
    assert answer.json()["detail"] == "1 of 900 items are invalid; nothing was stored."
    assert stored(client) == 0


def test_a_bulk_of_too_many_is_a_422(client: httpx.Client) -> None:
    said = refused(post(client, "/events/bulk", {"events": [{"source": "x" * 500}] * 5001}), 422)
    assert said["detail"] == "The array 'events' has 5001 items; at most 5000 are taken at once."
    assert said["errors"] == [{"at": "events", "problem": "must have at most 5000 items", "value": 5001}]


def test_a_bulk_is_an_envelope(visitor: httpx.Client) -> None:
    assert "an array 'events'" in refused(post(visitor, "/events/bulk", events(900)), 422)["detail"]


@pytest.mark.parametrize("path", ["/v1/events", "/events/bulk"])
def test_what_ends_early_is_a_400(client: httpx.Client, path: str) -> None:
    body = json.dumps({"events": events(900)}).encode()[:-1]
    detail = refused(post(client, path, body), 400)["detail"]
    assert f"{stored(client)} events from before are stored" in detail or stored(client) == 0


def test_a_batch_of_heart_rates_is_judged_alike(client: httpx.Client) -> None:
    path = "/metrics/heart-rate/batch"
    sent = [beat(f"10:00:{n:02}") | {"ballast": "x" * 100_000} for n in range(30)]
    sent[20]["heart_rate"] = 900
    answer = post(client, path, {"readings": sent})
    assert answer.status_code == 202, answer.text
    assert [answer.json()[name] for name in ("accepted", "rejected", "total")] == [29, 1, 30]
    assert [error["at"] for error in answer.json()["errors"]] == ["readings[20].heart_rate"]
    many = {"readings": [beat() | {"ballast": "x" * 2500}] * 1001}
    assert "at most 1000" in refused(post(client, path, many), 400)["detail"]


@pytest.mark.parametrize("path", ["/v1/readings", "/ingest", "/v1/events", "/events/bulk", "/metrics/heart-rate/batch"])
@pytest.mark.parametrize("array", [b"[", b'{"events":[', b'{"readings":['])
def test_nesting_without_end_is_refused(visitor: httpx.Client, path: str, array: bytes) -> None:
    body = array + b'{"a":{}},{"a":' + b"[" * LARGE + b"{},"
    refused(post(visitor, path, body), 400, 413, 422)


@pytest.mark.parametrize("path", ["/events", "/v1/events", "/metrics/heart-rate", "/v1/devices/watch"])
def test_one_thing_is_never_as_large(visitor: httpx.Client, path: str) -> None:
    body = json.dumps(event(payload={"numbers": [1] * LARGE})).encode()
    method = "PUT" if "devices" in path else "POST"
    answer = visitor.request(method, path, content=body, headers={"content-type": "application/json"})
    refused(answer, 413)
