"""POST /v1/readings: every shape of body, and receipts that tell the truth."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.support.wire import (
    DAY,
    beat,
    errors_of,
    ingest,
    moment,
    reading,
    refused,
    says,
    strict_json,
    summary,
    summary_url,
)

PATH = "/v1/readings"


def receipt(received: int = 0, inserted: int = 0, updated: int = 0, unchanged: int = 0) -> dict[str, Any]:
    return {
        "received": received,
        "inserted": inserted,
        "updated": updated,
        "unchanged": unchanged,
        "rejected": received - inserted - updated - unchanged,
        "errors": [],
    }


def counts(answer: httpx.Response) -> tuple[int, ...]:
    body = strict_json(answer.text)
    assert list(body) == ["received", "inserted", "updated", "unchanged", "rejected", "errors"]
    assert body["received"] == body["inserted"] + body["updated"] + body["unchanged"] + body["rejected"]
    return tuple(body[name] for name in ("inserted", "updated", "unchanged", "rejected"))


def stored(client: httpx.Client, user_id: str = "ada") -> bool:
    return (
        client.get(summary_url(user_id), params={"start": moment("00:00:00"), "end": moment("23:59:59")}).status_code
        == 200
    )


def test_one_object_is_inserted(client: httpx.Client) -> None:
    says(client.post(PATH, json=reading()), 200, receipt(1, inserted=1))


def test_an_array_is_inserted(client: httpx.Client) -> None:
    says(client.post(PATH, json=[reading("10:00:00"), reading("10:00:01")]), 200, receipt(2, inserted=2))


def test_readings_by_name_are_inserted(client: httpx.Client) -> None:
    says(
        client.post(PATH, json={"readings": [reading("10:00:00"), reading("10:00:01")]}),
        200,
        receipt(2, inserted=2),
    )


@pytest.mark.parametrize(
    "fields", [{"heart_rate": 71.5}, {"steps": 7}, {"calories": 0.25}, {"steps": 1, "calories": 2}]
)
def test_any_metric_alone_is_a_reading(client: httpx.Client, fields: dict[str, float]) -> None:
    says(client.post(PATH, json=reading(**fields)), 200, receipt(1, inserted=1))
    answer = summary(client)
    assert (answer["heart_rate"] or {"avg": None})["avg"] == fields.get("heart_rate")
    assert answer["steps"] == fields.get("steps")
    assert answer["calories"] == fields.get("calories")


def test_the_same_again_is_unchanged(client: httpx.Client) -> None:
    said = reading(heart_rate=71.5, steps=7, calories=0.1)
    client.post(PATH, json=said)
    says(client.post(PATH, json=said), 200, receipt(1, unchanged=1))
    says(client.post(PATH, json=[said, said]), 200, receipt(2, unchanged=2))


def test_a_number_spelled_differently_is_the_same_number(client: httpx.Client) -> None:
    client.post(PATH, json=reading(heart_rate=70, calories=5.0))
    says(client.post(PATH, json=reading(heart_rate=70.0, calories=5)), 200, receipt(1, unchanged=1))


def test_a_second_write_overwrites_what_it_carries_and_keeps_the_rest(client: httpx.Client) -> None:
    client.post(PATH, json=reading(heart_rate=70, steps=100))
    says(client.post(PATH, json=reading(heart_rate=80, calories=5.5)), 200, receipt(1, updated=1))
    answer = summary(client)
    assert answer["heart_rate"] == {"count": 1, "avg": 80.0, "min": 80.0, "max": 80.0}
    assert (answer["steps"], answer["calories"]) == (100, 5.5)


def test_a_second_write_that_adds_a_metric_is_an_update(client: httpx.Client) -> None:
    client.post(PATH, json=reading(heart_rate=70))
    says(client.post(PATH, json=reading(heart_rate=70, steps=0)), 200, receipt(1, updated=1))


def test_a_second_write_with_fewer_metrics_is_unchanged(client: httpx.Client) -> None:
    client.post(PATH, json=reading(heart_rate=70, steps=1))
    says(client.post(PATH, json=reading(steps=1)), 200, receipt(1, unchanged=1))


def test_duplicates_inside_one_request_count_as_if_one_after_the_other(client: httpx.Client) -> None:
    said = [
        reading(heart_rate=70),  # inserted
        reading(heart_rate=70),  # unchanged
        reading(heart_rate=71),  # updated
        reading(heart_rate=70),  # updated, back to where it was
        reading(steps=5),  # updated: a metric more
        reading(heart_rate=70, steps=5),  # unchanged
        reading("10:00:01", heart_rate=70),  # inserted
    ]
    answer = client.post(PATH, json=said)
    assert counts(answer) == (2, 3, 2, 0)
    assert summary(client)["heart_rate"] == {"count": 2, "avg": 70.0, "min": 70.0, "max": 70.0}


def test_duplicates_of_what_was_stored_before_count_so_too(client: httpx.Client) -> None:
    client.post(PATH, json=reading(heart_rate=70, steps=1))
    answer = client.post(PATH, json=[reading(heart_rate=71), reading(heart_rate=70), reading(heart_rate=70)])
    assert counts(answer) == (0, 2, 1, 0)
    assert summary(client)["heart_rate"]["avg"] == 70.0


def test_one_instant_written_in_two_zones_is_one_reading(client: httpx.Client) -> None:
    client.post(PATH, json=reading(heart_rate=70))
    elsewhere = reading(heart_rate=70) | {"timestamp": f"{DAY}T15:30:00+05:30"}
    says(client.post(PATH, json=elsewhere), 200, receipt(1, unchanged=1))


def test_users_devices_and_instants_tell_readings_apart(client: httpx.Client) -> None:
    said = [
        reading(),
        reading(user_id="bob"),
        reading(device_id="device_a"),
        reading("10:00:00.000001"),
        reading(user_id="ADA"),
    ]
    says(client.post(PATH, json=said), 200, receipt(5, inserted=5))


def test_the_device_is_called_default_when_nobody_names_it(client: httpx.Client) -> None:
    client.post(PATH, json=reading(heart_rate=70))
    says(client.post(PATH, json=reading(heart_rate=70, device_id="default")), 200, receipt(1, unchanged=1))


def test_a_number_as_user_id_means_its_text(client: httpx.Client) -> None:
    client.post(PATH, json=reading(user_id=303, heart_rate=70))
    says(client.post(PATH, json=reading(user_id="303", heart_rate=70)), 200, receipt(1, unchanged=1))


def test_the_earlier_paths_write_the_same_readings(client: httpx.Client) -> None:
    client.post("/ingest", json=ingest())
    said = reading(user_id="303", heart_rate=88, steps=400, calories=15.2, device_id="default")
    says(client.post(PATH, json=said), 200, receipt(1, unchanged=1))
    client.post("/metrics/heart-rate", json=beat())
    said = reading(user_id="user_123", heart_rate=75, device_id="device_a")
    says(client.post(PATH, json=said), 200, receipt(1, unchanged=1))


def test_a_bad_one_is_rejected_and_the_others_stay(client: httpx.Client) -> None:
    answer = client.post(PATH, json={"readings": [reading(), reading("10:00:01", heart_rate=900), reading("10:00:02")]})
    assert answer.status_code == 200
    assert counts(answer) == (2, 0, 0, 1)
    (error,) = answer.json()["errors"]
    assert error["at"] == "readings[1].heart_rate"
    assert error["value"] == 900
    assert "30" in error["problem"]
    assert "220" in error["problem"]
    assert summary(client)["heart_rate"]["count"] == 2


def test_an_array_names_its_bad_ones_by_their_place(client: httpx.Client) -> None:
    answer = client.post(PATH, json=[reading(), reading("10:00:01", heart_rate=900)])
    assert counts(answer) == (1, 0, 0, 1)
    (error,) = answer.json()["errors"]
    assert error["at"].endswith("[1].heart_rate")


def test_a_bad_one_with_several_faults_is_one_rejection(client: httpx.Client) -> None:
    answer = client.post(PATH, json=[reading(), reading("10:00:01", heart_rate=900, steps=-1, calories="x")])
    assert counts(answer) == (1, 0, 0, 1)
    named = {error["at"].rpartition(".")[2] for error in answer.json()["errors"]}
    assert named == {"heart_rate", "steps", "calories"}


@pytest.mark.parametrize("bad", [7, None, "x", [], True, 1.5])
def test_an_item_that_is_no_object_is_rejected(client: httpx.Client, bad: Any) -> None:
    answer = client.post(PATH, json=[reading(), bad])
    assert answer.status_code == 200
    assert counts(answer) == (1, 0, 0, 1)
    assert answer.json()["errors"]


def test_the_first_hundred_errors_are_told(client: httpx.Client) -> None:
    bad = [reading(f"10:{n // 60:02}:{n % 60:02}", heart_rate=900) for n in range(150)]
    answer = client.post(PATH, json={"readings": [*bad, reading("11:00:00")]})
    assert answer.status_code == 200
    assert counts(answer) == (1, 0, 0, 150)
    assert [error["at"] for error in answer.json()["errors"]] == [f"readings[{n}].heart_rate" for n in range(100)]


@pytest.mark.parametrize(
    "body", [reading(heart_rate=900), [reading(heart_rate=900)], {"readings": [reading(heart_rate=900)]}]
)
def test_all_rejected_is_a_422_that_tells_why(client: httpx.Client, body: Any) -> None:
    answer = client.post(PATH, json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["value"] == 900
    assert answer.json()["errors"][0]["at"].endswith("heart_rate")
    assert not stored(client)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("user_id", ""),
        ("user_id", "x" * 129),
        ("user_id", 1.5),
        ("user_id", True),
        ("user_id", None),
        ("user_id", ["ada"]),
        ("user_id", {}),
        ("device_id", ""),
        ("device_id", "x" * 129),
        ("device_id", 7),
        ("device_id", True),
        ("device_id", []),
        ("timestamp", None),
        ("timestamp", ""),
        ("timestamp", 1705312800),
        ("timestamp", "1705312800"),
        ("timestamp", True),
        ("timestamp", f"{DAY}"),
        ("timestamp", f"{DAY}T10:00:00"),
        ("timestamp", f"{DAY}T25:00:00Z"),
        ("timestamp", "2024-02-30T10:00:00Z"),
        ("heart_rate", 29.999),
        ("heart_rate", 220.001),
        ("heart_rate", "75"),
        ("heart_rate", True),
        ("heart_rate", []),
        ("steps", -1),
        ("steps", 100001),
        ("steps", 0.5),
        ("steps", "7"),
        ("steps", True),
        ("calories", -0.001),
        ("calories", 10000.001),
        ("calories", "7"),
        ("calories", False),
    ],
)
def test_an_invalid_field_is_named(visitor: httpx.Client, field: str, value: Any) -> None:
    said = reading(heart_rate=75) | {field: value}
    answer = visitor.post(PATH, json={"readings": [said]})
    assert (answer.status_code, counts(answer)) == (422, (0, 0, 0, 1))
    (error,) = answer.json()["errors"]
    assert error["at"] == f"readings[0].{field}"
    if len(str(value)) > 100:  # what is long may be shown in short
        assert value.startswith(error["value"].rstrip("…"))
    else:
        assert error["value"] == value


@pytest.mark.parametrize("field", ["user_id", "timestamp"])
def test_a_missing_field_is_named(visitor: httpx.Client, field: str) -> None:
    said = {name: value for name, value in reading().items() if name != field}
    answer = visitor.post(PATH, json=said)
    assert answer.status_code == 422
    assert any(error["at"].endswith(field) for error in answer.json()["errors"])


def test_a_reading_of_nothing_is_refused(client: httpx.Client) -> None:
    answer = client.post(PATH, json={"user_id": "ada", "timestamp": moment()})
    assert answer.status_code == 422
    assert answer.json()["errors"]
    assert not stored(client)


@pytest.mark.parametrize(
    "fields",
    [
        {"heart_rate": 30},
        {"heart_rate": 220},
        {"steps": 0},
        {"steps": 100000},
        {"calories": 0},
        {"calories": 10000},
    ],
)
def test_the_bounds_themselves_are_accepted(visitor: httpx.Client, fields: dict[str, float]) -> None:
    assert visitor.post(PATH, json=reading(**fields)).status_code == 200


@pytest.mark.parametrize("user_id", ["x", "x" * 128, "é" * 128, "日" * 128])
def test_an_id_has_up_to_128_characters(client: httpx.Client, user_id: str) -> None:
    says(client.post(PATH, json=reading(user_id=user_id, device_id=user_id)), 200, receipt(1, inserted=1))
    assert summary(client, user_id)["user_id"] == user_id


def test_tomorrow_is_accepted_and_the_day_after_is_not(client: httpx.Client) -> None:
    now = datetime.now(UTC)
    soon = reading() | {"timestamp": (now + timedelta(hours=23)).isoformat()}
    late = reading() | {"timestamp": (now + timedelta(hours=25)).isoformat()}
    assert counts(client.post(PATH, json=soon)) == (1, 0, 0, 0)
    answer = client.post(PATH, json=late)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["at"].endswith("timestamp")
    refused(client.post("/ingest", json=ingest() | {"timestamp": late["timestamp"]}), 422)
    refused(client.post("/metrics/heart-rate", json=beat() | {"timestamp": late["timestamp"]}), 400)


def test_atomic_refuses_everything_for_one_bad_item(client: httpx.Client) -> None:
    answer = client.post(PATH, params={"atomic": "true"}, json=[reading(), reading("10:00:01", heart_rate=900)])
    assert answer.status_code == 422
    errors = answer.json()["errors"]
    assert [error["at"].endswith("[1].heart_rate") for error in errors] == [True]
    assert not stored(client)


def test_atomic_stores_everything_when_all_is_well(client: httpx.Client) -> None:
    answer = client.post(PATH, params={"atomic": "true"}, json=[reading(), reading("10:00:01")])
    says(answer, 200, receipt(2, inserted=2))
    assert stored(client)


def test_not_atomic_is_what_it_says(client: httpx.Client) -> None:
    answer = client.post(PATH, params={"atomic": "false"}, json=[reading(), reading("10:00:01", heart_rate=900)])
    assert counts(answer) == (1, 0, 0, 1)


def test_atomic_is_true_or_false(client: httpx.Client) -> None:
    errors = errors_of(client.post(PATH, params={"atomic": "perhaps"}, json=reading()), 422)
    assert any("atomic" in error["at"] for error in errors)
    assert not stored(client)


def test_a_large_array_is_one_receipt(client: httpx.Client) -> None:
    many = [reading(f"10:{n // 60:02}:{n % 60:02}", heart_rate=60 + n % 100) for n in range(3000)]
    says(client.post(PATH, json=many), 200, receipt(3000, inserted=3000))
    says(client.post(PATH, json=many), 200, receipt(3000, unchanged=3000))
    assert summary(client)["heart_rate"]["count"] == 3000


def test_many_clients_at_once_neither_lose_nor_double_anything(client: httpx.Client) -> None:
    """Eight clients write the same fifty readings in different orders: each reading is inserted by exactly one."""
    many = [reading(f"10:00:{n:02}", heart_rate=60 + n, device_id=f"device_{n % 3}") for n in range(50)]
    orders = [many[turn:] + many[:turn] if turn % 2 else list(reversed(many)) for turn in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda said: client.post(PATH, json=said), orders))
    assert [answer.status_code for answer in answers] == [200] * 8
    told = [counts(answer) for answer in answers]
    assert [sum(column) for column in zip(*told, strict=True)] == [50, 0, 350, 0]


def test_a_write_is_seen_by_the_next_read(client: httpx.Client) -> None:
    for second in range(20):
        client.post(PATH, json=reading(f"10:00:{second:02}"))
        assert summary(client)["heart_rate"]["count"] == second + 1


def sent_as(form: str, said: dict[str, Any]) -> tuple[bytes, str]:
    """Write one reading in a form of body; its type."""
    text = json.dumps(said)
    match form:
        case "ndjson":
            return f"{text}\n{text}\n".encode(), "application/x-ndjson"
        case "csv":
            row = ",".join("" if value is None else str(value) for value in said.values())
            return f"{','.join(said)}\n{row}\n".encode(), "text/csv"
        case "array":
            return f"[{text}]".encode(), "application/json"
        case "large array":
            return f"[{','.join([text] * (2_200_000 // len(text)))}]".encode(), "application/json"
        case "envelope":
            return f'{{"readings": [{text}]}}'.encode(), "application/json"
        case _:
            return text.encode(), "application/json"


FORMS = ["object", "array", "large array", "envelope", "ndjson", "csv"]


@pytest.mark.parametrize("form", FORMS)
def test_a_whole_number_may_have_a_fraction_of_zero(client: httpx.Client, form: str) -> None:
    body, kind = sent_as(form, reading(steps=72.0))
    assert client.post(PATH, content=body, headers={"content-type": kind}).status_code == 200
    assert '"steps":72,' in client.get(summary_url(), params={"start": moment("00:00:00")}).text
    body, kind = sent_as(form, reading("11:00:00", steps=72.5))
    answer = client.post(PATH, content=body, headers={"content-type": kind})
    error = strict_json(answer.text)["errors"][0]
    assert (answer.status_code, error["problem"], error["value"]) == (422, "must be a whole number", 72.5)


@pytest.mark.parametrize("form", FORMS)
def test_a_device_of_null_is_the_default_one(client: httpx.Client, form: str) -> None:
    body, kind = sent_as(form, reading(steps=1, device_id=None))
    assert client.post(PATH, content=body, headers={"content-type": kind}).status_code == 200
    assert client.get("/v1/users/ada/latest").json()["steps"]["device_id"] == "default"


@pytest.mark.parametrize("form", FORMS)
def test_a_byte_order_mark_is_no_part_of_a_body(client: httpx.Client, form: str) -> None:
    body, kind = sent_as(form, reading(steps=1))
    answer = client.post(PATH, content=b"\xef\xbb\xbf" + body, headers={"content-type": kind})
    assert (answer.status_code, answer.json()["inserted"]) == (200, 1), answer.text
    problem = refused(
        client.post(PATH, content=b"\xff\xfe" + body.decode().encode("utf-16-le"), headers={"content-type": kind}), 400
    )
    assert "UTF-16" in problem["detail"]


def test_a_user_id_may_be_a_whole_number_however_it_is_written(client: httpx.Client) -> None:
    client.post(PATH, json=reading(user_id=303.0, steps=1))
    assert stored(client, "303")
    assert client.post("/ingest", json=ingest(303.0, steps=7.0)).status_code == 200
    assert client.post(PATH, json=reading(user_id=303.5, steps=1)).status_code == 422
    assert client.post(PATH, json=reading(user_id=2.0**60, steps=1)).status_code == 422
