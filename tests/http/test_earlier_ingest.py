"""The conversations of the first earlier service: POST /ingest and GET /metrics?user_id."""

from typing import Any

import httpx
import pytest

from tests.support.wire import errors_of, ingest, moment, refused, says, send

FIELDS = ["user_id", "timestamp", "heart_rate", "steps", "calories"]
NOTHING_DATED = {"user_id": "303", "start_date": moment("09:00:00"), "end_date": moment("11:00:00")}


def metrics(client: httpx.Client, start: str = "00:00:00", end: str = "23:59:59", user_id: Any = 303) -> httpx.Response:
    asked = {"user_id": str(user_id), "start_date": moment(start), "end_date": moment(end)}
    return client.get("/metrics", params=asked)


def test_the_conversation_is_word_for_word_the_earlier_one(client: httpx.Client) -> None:
    says(client.post("/ingest", json=ingest()), 200, {"message": "Data received", "ingested": 1})
    answer = client.get("/metrics", params=NOTHING_DATED)
    says(answer, 200, {"avg_heart_rate": 88.0, "total_steps": 400, "total_calories": 15.2})


def test_an_array_is_counted(client: httpx.Client) -> None:
    many = [ingest(clock=f"10:00:{second:02}", heart_rate=60 + second) for second in range(3)]
    says(client.post("/ingest", json=many), 200, {"message": "Data received", "ingested": 3})
    says(metrics(client), 200, {"avg_heart_rate": 61.0, "total_steps": 1200, "total_calories": 45.6})


def test_an_array_of_one_is_an_array(client: httpx.Client) -> None:
    says(client.post("/ingest", json=[ingest()]), 200, {"message": "Data received", "ingested": 1})


def test_both_names_of_the_range_are_understood(client: httpx.Client) -> None:
    client.post("/ingest", json=ingest())
    asked = {"user_id": "303", "start": moment("09:00:00"), "end": moment("11:00:00")}
    says(
        client.get("/metrics", params=asked),
        200,
        {"avg_heart_rate": 88.0, "total_steps": 400, "total_calories": 15.2},
    )


def test_both_ends_of_the_range_belong_to_it(client: httpx.Client) -> None:
    client.post("/ingest", json=[ingest(clock="10:00:00", heart_rate=60), ingest(clock="10:05:00", heart_rate=80)])
    says(
        metrics(client, "10:00:00", "10:05:00"),
        200,
        {"avg_heart_rate": 70.0, "total_steps": 800, "total_calories": 30.4},
    )
    assert metrics(client, "10:00:00", "10:04:59.999999").json()["total_steps"] == 400
    assert metrics(client, "10:00:00.000001", "10:05:00").json()["total_steps"] == 400
    assert metrics(client, "10:05:00", "10:05:00").json()["avg_heart_rate"] == 80.0
    assert metrics(client, "10:00:00.000001", "10:04:59.999999").status_code == 404


def test_an_average_is_not_rounded(client: httpx.Client) -> None:
    beats = (60, 61, 61)
    client.post("/ingest", json=[ingest(clock=f"10:00:0{n}", heart_rate=beat) for n, beat in enumerate(beats)])
    assert metrics(client).json()["avg_heart_rate"] == 182 / 3


def test_sums_of_tenths_are_exact(client: httpx.Client) -> None:
    client.post("/ingest", json=[ingest(clock=f"10:00:0{n}", calories=0.1) for n in range(3)])
    assert metrics(client).json()["total_calories"] == 0.3


def test_sending_the_same_again_changes_nothing(client: httpx.Client) -> None:
    for _ in range(3):
        says(client.post("/ingest", json=ingest()), 200, {"message": "Data received", "ingested": 1})
    says(metrics(client), 200, {"avg_heart_rate": 88.0, "total_steps": 400, "total_calories": 15.2})


def test_a_second_write_of_the_same_moment_overwrites(client: httpx.Client) -> None:
    client.post("/ingest", json=ingest())
    client.post("/ingest", json=ingest(heart_rate=90, steps=1, calories=2.5))
    says(metrics(client), 200, {"avg_heart_rate": 90.0, "total_steps": 1, "total_calories": 2.5})


def test_users_do_not_mix(client: httpx.Client) -> None:
    client.post("/ingest", json=[ingest(303), ingest(304, heart_rate=60, steps=1, calories=1.5)])
    says(metrics(client, user_id=304), 200, {"avg_heart_rate": 60.0, "total_steps": 1, "total_calories": 1.5})


@pytest.mark.parametrize("number", [0, 1, 2**31, 2**63, 10**100])
def test_any_integer_names_a_user(client: httpx.Client, number: int) -> None:
    says(client.post("/ingest", json=ingest(number)), 200, {"message": "Data received", "ingested": 1})
    assert metrics(client, user_id=number).json()["total_steps"] == 400


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_is_required(visitor: httpx.Client, field: str) -> None:
    said = {name: value for name, value in ingest().items() if name != field}
    errors = errors_of(visitor.post("/ingest", json=said), 422)
    assert any(field in error["at"] for error in errors)


@pytest.mark.parametrize("field", FIELDS)
def test_no_field_may_be_null(visitor: httpx.Client, field: str) -> None:
    errors_of(visitor.post("/ingest", json=ingest(**{field: None})), 422)


@pytest.mark.parametrize("user_id", ["303", "abc", "", 303.5, True, [303], {}])
def test_a_user_id_is_an_integer(visitor: httpx.Client, user_id: Any) -> None:
    errors_of(visitor.post("/ingest", json=ingest(user_id)), 422)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("heart_rate", 29),
        ("heart_rate", 221),
        ("heart_rate", "88"),
        ("heart_rate", True),
        ("steps", -1),
        ("steps", 100001),
        ("steps", 1.5),
        ("steps", "400"),
        ("steps", True),
        ("calories", -0.1),
        ("calories", 10000.5),
        ("calories", "15.2"),
        ("calories", False),
        ("timestamp", "yesterday"),
        ("timestamp", 1705312800),
        ("timestamp", "2024-01-15T10:00:00"),
    ],
)
def test_an_invalid_item_refuses_the_whole_array(client: httpx.Client, field: str, value: Any) -> None:
    errors = errors_of(client.post("/ingest", json=[ingest(), ingest(clock="10:00:01", **{field: value})]), 422)
    assert any("1" in error["at"] and field in error["at"] for error in errors)
    assert metrics(client).status_code == 404


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("heart_rate", 30),
        ("heart_rate", 220),
        ("heart_rate", 71.25),
        ("steps", 0),
        ("steps", 100000),
        ("calories", 0),
        ("calories", 10000),
    ],
)
def test_the_bounds_themselves_are_accepted(client: httpx.Client, field: str, value: float) -> None:
    says(
        client.post("/ingest", json=ingest(**{field: value})),
        200,
        {"message": "Data received", "ingested": 1},
    )
    name = {"heart_rate": "avg_heart_rate"}.get(field, f"total_{field}")
    assert metrics(client).json()[name] == value


@pytest.mark.parametrize("body", [b"", b"{", b'{"user_id": 303,', b"nonsense", b"\xff\xfe"])
def test_what_is_not_json_is_a_400(visitor: httpx.Client, body: bytes) -> None:
    refused(send(visitor, "/ingest", body), 400)


@pytest.mark.parametrize("body", [b"null", b"true", b"7", b'"text"', b"[null]", b"[[]]", b"{}"])
def test_json_of_another_shape_is_a_422(visitor: httpx.Client, body: bytes) -> None:
    errors_of(send(visitor, "/ingest", body), 422)


def test_an_unknown_user_is_a_404(client: httpx.Client) -> None:
    refused(client.get("/metrics", params=NOTHING_DATED), 404)


def test_no_reading_in_the_range_is_a_404(client: httpx.Client) -> None:
    client.post("/ingest", json=ingest())
    refused(metrics(client, "11:00:00", "12:00:00"), 404)


@pytest.mark.parametrize("user_id", ["abc", "", "3.5", "1e3", "null", "true", "user_123"])
def test_a_user_id_in_the_query_is_an_integer(visitor: httpx.Client, user_id: str) -> None:
    errors = errors_of(metrics(visitor, user_id=user_id), 422)
    assert any("user_id" in error["at"] for error in errors)


@pytest.mark.parametrize("missing", ["user_id", "start_date", "end_date"])
def test_no_argument_may_be_missing(visitor: httpx.Client, missing: str) -> None:
    asked = {name: value for name, value in NOTHING_DATED.items() if name != missing}
    errors_of(visitor.get("/metrics", params=asked), 422)


@pytest.mark.parametrize("name", ["start_date", "end_date", "start", "end"])
@pytest.mark.parametrize(
    "value", ["", "soon", "2024-01-15", "2024-01-15T10:00:00", "2024-02-30T10:00:00Z", "1705312800"]
)
def test_a_bad_date_is_a_422(visitor: httpx.Client, name: str, value: str) -> None:
    other = {"start_date": "end_date", "end_date": "start_date", "start": "end", "end": "start"}[name]
    errors_of(visitor.get("/metrics", params={"user_id": "303", name: value, other: moment()}), 422)


def test_a_range_that_ends_before_it_starts_is_a_422(visitor: httpx.Client) -> None:
    errors_of(metrics(visitor, "11:00:00", "10:00:00"), 422)


def test_metrics_of_nobody_in_particular_are_a_422(visitor: httpx.Client) -> None:
    errors_of(visitor.get("/metrics"), 422)
