"""The conversations of the second earlier service: heart rates by device, one by one and in batches."""

from typing import Any

import httpx
import pytest

from tests.support.wire import beat, errors_of, moment, refused, says, send, strict_json

ONE = "/metrics/heart-rate"
MANY = "/metrics/heart-rate/batch"


def rates(client: httpx.Client, start: str = "00:00:00", end: str = "23:59:59", **more: str) -> httpx.Response:
    return client.get(ONE, params={"user_id": "user_123", "start": moment(start), "end": moment(end)} | more)


def point(clock: str, heart_rate: float, device_id: str = "device_a") -> dict[str, Any]:
    return {"timestamp": moment(clock), "heart_rate": heart_rate, "device_id": device_id}


def data(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    body = strict_json(answer.text)
    assert list(body) == ["user_id", "data", "count"]
    assert body["count"] == len(body["data"])
    return list(body["data"])


def test_the_conversation_is_word_for_word_the_earlier_one(client: httpx.Client) -> None:
    says(client.post(ONE, json=beat()), 202, {"status": "accepted"})
    says(rates(client), 200, {"user_id": "user_123", "data": [point("10:00:00", 75.0)], "count": 1})


def test_a_batch_is_accepted_whole(client: httpx.Client) -> None:
    answer = client.post(MANY, json={"readings": [beat("10:00:00"), beat("10:01:00")]})
    says(answer, 202, {"status": "accepted", "accepted": 2, "rejected": 0, "total": 2})
    assert data(rates(client)) == [point("10:00:00", 75.0), point("10:01:00", 75.0)]


def test_a_user_id_may_be_a_number_and_means_its_text(client: httpx.Client) -> None:
    says(client.post(ONE, json=beat(user_id=123)), 202, {"status": "accepted"})
    answer = rates(client, user_id="123")
    says(answer, 200, {"user_id": "123", "data": [point("10:00:00", 75.0)], "count": 1})


def test_a_minute_is_averaged_and_named_by_its_start(client: httpx.Client) -> None:
    client.post(MANY, json={"readings": [beat("10:00:05", 70), beat("10:00:30", 71), beat("10:00:59.999999", 71)]})
    assert data(rates(client)) == [point("10:00:00", 212 / 3)]


def test_minutes_ascend_whatever_the_order_of_arrival(client: httpx.Client) -> None:
    client.post(MANY, json={"readings": [beat("10:02:00", 72), beat("10:00:00", 70), beat("10:01:00", 71)]})
    assert data(rates(client)) == [point("10:00:00", 70.0), point("10:01:00", 71.0), point("10:02:00", 72.0)]


def test_minutes_without_a_reading_are_absent(client: httpx.Client) -> None:
    client.post(MANY, json={"readings": [beat("10:00:00"), beat("10:05:00")]})
    assert [at["timestamp"] for at in data(rates(client))] == [moment("10:00:00"), moment("10:05:00")]


def test_the_better_device_wins_minute_by_minute(client: httpx.Client) -> None:
    readings = [
        beat("10:00:00", 70, "device_b"),
        beat("10:00:10", 80, "device_a"),
        beat("10:01:00", 71, "device_b"),
        beat("10:01:10", 99, "unknown"),
        beat("10:02:00", 98, "unknown"),
    ]
    client.post(MANY, json={"readings": readings})
    assert data(rates(client)) == [
        point("10:00:00", 80.0, "device_a"),
        point("10:01:00", 71.0, "device_b"),
        point("10:02:00", 98.0, "unknown"),
    ]


def test_only_the_winners_values_are_averaged(client: httpx.Client) -> None:
    readings = [beat("10:00:00", 60), beat("10:00:20", 61), beat("10:00:40", 200, "device_b")]
    client.post(MANY, json={"readings": readings})
    assert data(rates(client)) == [point("10:00:00", 60.5)]


def test_a_device_asked_for_by_name_answers_for_itself(client: httpx.Client) -> None:
    client.post(MANY, json={"readings": [beat("10:00:00", 60), beat("10:00:20", 80, "device_b")]})
    assert data(rates(client, device_id="device_b")) == [point("10:00:00", 80.0, "device_b")]
    assert data(rates(client, device_id="device_a")) == [point("10:00:00", 60.0, "device_a")]
    refused(rates(client, device_id="device_c"), 404)


def test_both_ends_of_the_range_belong_to_it(client: httpx.Client) -> None:
    client.post(MANY, json={"readings": [beat("10:00:00", 60), beat("10:01:00", 80)]})
    assert len(data(rates(client, "10:00:00", "10:01:00"))) == 2
    assert data(rates(client, "10:00:00.000001", "10:01:00")) == [point("10:01:00", 80.0)]
    assert data(rates(client, "10:00:00", "10:00:59.999999")) == [point("10:00:00", 60.0)]
    refused(rates(client, "10:00:00.000001", "10:00:59.999999"), 404)


def test_a_range_cuts_a_minute(client: httpx.Client) -> None:
    client.post(MANY, json={"readings": [beat("10:00:10", 60), beat("10:00:30", 62), beat("10:00:50", 200)]})
    assert data(rates(client, "10:00:10", "10:00:30")) == [point("10:00:00", 61.0)]


def test_the_same_again_changes_nothing_and_another_value_overwrites(client: httpx.Client) -> None:
    for heart_rate in (75, 75, 78):
        says(client.post(ONE, json=beat(heart_rate=heart_rate)), 202, {"status": "accepted"})
    assert data(rates(client)) == [point("10:00:00", 78.0)]


def test_a_batch_with_the_same_moment_twice_keeps_the_last(client: httpx.Client) -> None:
    answer = client.post(MANY, json={"readings": [beat(heart_rate=70), beat(heart_rate=80)]})
    says(answer, 202, {"status": "accepted", "accepted": 2, "rejected": 0, "total": 2})
    assert data(rates(client)) == [point("10:00:00", 80.0)]


def test_each_reading_of_a_batch_is_judged_alone(client: httpx.Client) -> None:
    readings = [beat("10:00:00"), beat("10:01:00", 900), beat("10:02:00"), {"user_id": "user_123"}, 7]
    answer = client.post(MANY, json={"readings": readings})
    assert answer.status_code == 202, answer.text
    body = strict_json(answer.text)
    errors = body.pop("errors")
    assert body == {"status": "accepted", "accepted": 2, "rejected": 3, "total": 5}
    assert list(body) == ["status", "accepted", "rejected", "total"]
    (too_fast,) = [error for error in errors if error["at"] == "readings[1].heart_rate"]
    assert too_fast["value"] == 900
    assert too_fast["problem"]
    assert {error["at"].partition("]")[0] for error in errors} == {"readings[1", "readings[3", "readings[4"}
    assert len(data(rates(client))) == 2


def test_a_thousand_readings_are_a_batch(client: httpx.Client) -> None:
    readings = [beat(f"10:{n // 60:02}:{n % 60:02}", 60 + n % 60) for n in range(1000)]
    answer = client.post(MANY, json={"readings": readings})
    says(answer, 202, {"status": "accepted", "accepted": 1000, "rejected": 0, "total": 1000})
    minutes = data(rates(client))
    assert len(minutes) == 17
    assert minutes[0] == point("10:00:00", 89.5)


def test_a_thousand_and_one_are_not(client: httpx.Client) -> None:
    readings = [beat(f"10:{n // 60:02}:{n % 60:02}") for n in range(1001)]
    refused(client.post(MANY, json={"readings": readings}), 400)
    refused(rates(client), 404)


def test_a_batch_of_none_is_refused(visitor: httpx.Client) -> None:
    refused(visitor.post(MANY, json={"readings": []}), 400)


def test_a_batch_of_only_bad_ones_is_refused(client: httpx.Client) -> None:
    errors = errors_of(client.post(MANY, json={"readings": [beat(heart_rate=900), beat(heart_rate=1)]}), 400)
    assert {error["at"] for error in errors} == {"readings[0].heart_rate", "readings[1].heart_rate"}
    refused(rates(client), 404)


@pytest.mark.parametrize("body", [{}, [], [beat()], {"readings": None}, {"readings": {}}, {"readings": "x"}, 7, "x"])
def test_a_batch_of_another_shape_is_a_400(visitor: httpx.Client, body: Any) -> None:
    refused(visitor.post(MANY, json=body), 400)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("heart_rate", 29),
        ("heart_rate", 221),
        ("heart_rate", "75"),
        ("heart_rate", True),
        ("heart_rate", None),
        ("heart_rate", []),
        ("user_id", ""),
        ("user_id", "x" * 129),
        ("user_id", 1.5),
        ("user_id", True),
        ("user_id", None),
        ("device_id", ""),
        ("device_id", "x" * 129),
        ("device_id", 7),
        ("device_id", {}),
        ("timestamp", "2024-01-15T10:00:00"),
        ("timestamp", "2024-01-15"),
        ("timestamp", "now"),
        ("timestamp", 1705312800),
        ("timestamp", None),
    ],
)
def test_an_invalid_reading_is_a_400(visitor: httpx.Client, field: str, value: Any) -> None:
    errors = errors_of(visitor.post(ONE, json=beat(**{field: value})), 400)
    assert any(field in error["at"] for error in errors)


@pytest.mark.parametrize("field", ["user_id", "timestamp", "heart_rate"])
def test_a_missing_field_is_a_400(visitor: httpx.Client, field: str) -> None:
    said = {name: value for name, value in beat().items() if name != field}
    errors = errors_of(visitor.post(ONE, json=said), 400)
    assert any(field in error["at"] for error in errors)


@pytest.mark.parametrize("path", [ONE, MANY])
@pytest.mark.parametrize("body", [b"", b"{", b"[", b"nonsense", b"\xff", b"null", b"[]", b"{}"])
def test_what_cannot_be_understood_is_a_400(visitor: httpx.Client, path: str, body: bytes) -> None:
    refused(send(visitor, path, body), 400)


def test_an_unknown_user_is_a_404(client: httpx.Client) -> None:
    refused(rates(client), 404)


def test_a_user_without_a_heart_rate_is_a_404(client: httpx.Client) -> None:
    client.post("/v1/readings", json={"user_id": "user_123", "timestamp": moment(), "steps": 5})
    refused(rates(client), 404)


@pytest.mark.parametrize("missing", ["user_id", "start", "end"])
def test_no_argument_may_be_missing(visitor: httpx.Client, missing: str) -> None:
    asked = {"user_id": "user_123", "start": moment("09:00:00"), "end": moment("11:00:00")}
    del asked[missing]
    errors_of(visitor.get(ONE, params=asked), 400)


@pytest.mark.parametrize("name", ["start", "end"])
@pytest.mark.parametrize("value", ["", "soon", "2024-01-15", "2024-01-15T10:00:00", "1705312800"])
def test_a_bad_date_is_a_400(visitor: httpx.Client, name: str, value: str) -> None:
    asked = {"user_id": "user_123", "start": moment(), "end": moment()} | {name: value}
    errors_of(visitor.get(ONE, params=asked), 400)


def test_a_range_that_ends_before_it_starts_is_a_400(visitor: httpx.Client) -> None:
    errors_of(rates(visitor, "11:00:00", "10:00:00"), 400)


@pytest.mark.parametrize("user_id", ["a/b", "a b", "ü", "100%", "a%2Fb", "a+b", "a&b=c", "日本語", "👩‍⚕️", "x" * 128])
def test_any_user_id_can_be_asked_for(visitor: httpx.Client, user_id: str) -> None:
    says(visitor.post(ONE, json=beat(user_id=user_id)), 202, {"status": "accepted"})
    says(
        rates(visitor, user_id=user_id),
        200,
        {"user_id": user_id, "data": [point("10:00:00", 75.0)], "count": 1},
    )
