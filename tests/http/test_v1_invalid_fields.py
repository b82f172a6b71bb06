"""?invalid=drop-field: a reading is kept without the metrics that are invalid, and the receipt counts them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.support.wire import moment, reading, refused, summary

DAY = {"start": moment("00:00:00"), "end": moment("23:59:59")}
COLUMNS = ("user_id", "timestamp", "heart_rate", "steps", "calories")
NOTHING = {"calories": 0, "heart_rate": 0, "steps": 0}


def as_csv(readings: list[dict[str, Any]]) -> bytes:
    rows = [",".join(str(one.get(name, "")) for name in COLUMNS) for one in readings]
    return "\n".join([",".join(COLUMNS), *rows]).encode()


FORMS: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {
    "application/json": lambda readings: json.dumps(readings).encode(),
    "application/x-ndjson": lambda readings: b"\n".join(json.dumps(one).encode() for one in readings),
    "text/csv": as_csv,
}


def write(client: httpx.Client, readings: list[dict[str, Any]], form: str = "application/json", query: str = "") -> Any:
    headers = {"content-type": form}
    return client.post(f"/v1/readings?invalid=drop-field{query}", content=FORMS[form](readings), headers=headers).json()


def stored(client: httpx.Client) -> list[tuple[Any, ...]]:
    rows = client.get("/v1/users/ada/readings", params=DAY).json()["readings"]
    return [(row["heart_rate"], row["steps"], row["calories"]) for row in rows]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("worn", [255, -1, 0, 65535, "nan"])
def test_a_heart_rate_that_none_was_is_left_out(client: httpx.Client, form: str, worn: Any) -> None:
    receipt = write(client, [reading(heart_rate=worn, steps=31), reading("10:01:00", heart_rate=60)], form)
    assert (receipt["inserted"], receipt["rejected"], receipt["errors"]) == (2, 0, [])
    assert receipt["dropped"] == NOTHING | {"heart_rate": 1}
    assert stored(client) == [(None, 31, None), (60, None, None)]


def test_each_metric_is_counted(client: httpx.Client) -> None:
    receipt = write(
        client,
        [
            reading("10:00:00", heart_rate=255, steps=-5, calories=1.5),
            reading("10:00:01", heart_rate=60, steps=72.5),
            reading("10:00:02", heart_rate=255, calories=10_001, steps=1),
        ],
    )
    assert receipt["dropped"] == {"heart_rate": 2, "steps": 2, "calories": 1}
    assert stored(client) == [(None, None, 1.5), (60, None, None), (None, 1, None)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"heart_rate": 255},
        {"heart_rate": 255, "steps": -1},
        {"heart_rate": 255, "steps": 1, "colour": "red"},
        {"heart_rate": 255, "steps": 1, "timestamp": "2024-01-15T10:00:00"},
        {"heart_rate": 255, "steps": 1, "user_id": ""},
    ],
)
def test_what_is_wrong_otherwise_is_refused_all_the_same(client: httpx.Client, wrong: dict[str, Any]) -> None:
    receipt = write(client, [reading("10:01:00", steps=7), reading("10:00:00", **wrong) | wrong])
    assert (receipt["inserted"], receipt["rejected"], receipt["dropped"]) == (1, 1, NOTHING)
    assert receipt["errors"]
    assert stored(client) == [(None, 7, None)]


def test_it_keeps_what_is_stored(client: httpx.Client) -> None:
    write(client, [reading(heart_rate=60, steps=1)])
    assert write(client, [reading(heart_rate=255, steps=2)])["updated"] == 1
    assert stored(client) == [(60, 2, None)]


def test_with_atomic_only_what_is_refused_counts(client: httpx.Client) -> None:
    dropping = [reading(heart_rate=255, steps=31)]
    assert write(client, dropping, query="&atomic=true")["dropped"]["heart_rate"] == 1
    refused(client.post("/v1/readings?atomic=true", json=dropping), 422)
    assert summary(client)["steps"] == 31


def test_without_being_asked_nothing_is_dropped(client: httpx.Client) -> None:
    receipt = client.post("/v1/readings", json=[reading(heart_rate=255, steps=31), reading("10:01:00")]).json()
    assert (receipt["inserted"], receipt["rejected"]) == (1, 1)
    assert "dropped" not in receipt


def test_another_wish_is_refused(client: httpx.Client) -> None:
    problem = refused(client.post("/v1/readings?invalid=drop", json=reading()), 422)
    assert [fault["at"] for fault in problem["errors"]] == ["invalid"]
