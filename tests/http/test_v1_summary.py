"""GET /v1/users/{user_id}/summary: exact, over a range that excludes its end."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.support.wire import errors_of, moment, reading, refused, summary, summary_url

KEYS = ["user_id", "start", "end", "heart_rate", "steps", "calories", "first", "last", "sources"]
STRANGE = [
    "a/b",
    "a//b",
    "/a",
    "a/",
    "/",
    "a b",
    " ",
    "ü",
    "日本語",
    "👩‍⚕️",
    "100%",
    "%",
    "a%2Fb",
    "%41",
    "a+b",
    "a?b",
    "a#b",
    "a&b=c",
    "a;b",
    "a\\b",
    "'; DROP TABLE core.reading; --",
    '"quoted"',
    "<\\>",
    "summary",
    "a/summary",
    "..",
    ".",
    "a/../b",
    "e\u0301",
    "\u200b",
    "tab\there",
    "NULL",
    "-1",
]


def test_a_summary_has_these_keys_in_this_order(client: httpx.Client) -> None:
    client.post("/v1/readings", json=reading(heart_rate=75, steps=10, calories=1.5))
    answer = summary(client, "ada", "09:00:00", "11:00:00")
    assert list(answer) == KEYS
    assert isinstance(answer.pop("sources"), list)
    assert answer == {
        "user_id": "ada",
        "start": moment("09:00:00"),
        "end": moment("11:00:00"),
        "heart_rate": {"count": 1, "avg": 75.0, "min": 75.0, "max": 75.0},
        "steps": 10,
        "calories": 1.5,
        "first": moment("10:00:00"),
        "last": moment("10:00:00"),
    }
    assert list(answer["heart_rate"]) == ["count", "avg", "min", "max"]


def test_a_summary_is_exact(client: httpx.Client) -> None:
    said = [
        reading("10:00:00", heart_rate=60.1, steps=1, calories=0.1),
        reading("10:00:01", heart_rate=60.2, steps=2, calories=0.2),
        reading("10:30:00", heart_rate=60.4, steps=4, calories=0.4),
    ]
    client.post("/v1/readings", json=said)
    answer = summary(client)
    assert answer["heart_rate"] == {"count": 3, "avg": 1807 / 30, "min": 60.1, "max": 60.4}
    assert (answer["steps"], answer["calories"]) == (7, 0.7)
    assert (answer["first"], answer["last"]) == (moment("10:00:00"), moment("10:30:00"))


def test_what_was_not_measured_is_null(client: httpx.Client) -> None:
    client.post("/v1/readings", json=[reading(steps=5), reading(user_id="bob", heart_rate=70)])
    answer = summary(client)
    assert (answer["heart_rate"], answer["steps"], answer["calories"]) == (None, 5, None)
    answer = summary(client, "bob")
    assert (answer["heart_rate"]["count"], answer["steps"], answer["calories"]) == (1, None, None)


def test_a_measured_zero_is_not_null(client: httpx.Client) -> None:
    client.post("/v1/readings", json=reading(steps=0, calories=0))
    answer = summary(client)
    assert (answer["heart_rate"], answer["steps"], answer["calories"]) == (None, 0, 0)


def test_the_start_belongs_to_the_range_and_the_end_does_not(client: httpx.Client) -> None:
    client.post("/v1/readings", json=[reading("10:00:00", heart_rate=60), reading("10:05:00", heart_rate=80)])
    assert summary(client, "ada", "10:00:00", "10:05:00")["heart_rate"]["avg"] == 60.0
    assert summary(client, "ada", "10:00:00", "10:05:00.000001")["heart_rate"]["avg"] == 70.0
    assert summary(client, "ada", "10:00:00.000001", "10:05:00.000001")["heart_rate"]["avg"] == 80.0


def test_a_range_of_no_length_holds_nothing(client: httpx.Client) -> None:
    client.post("/v1/readings", json=reading())
    refused(client.get(summary_url(), params={"start": moment(), "end": moment()}), 404)


def test_a_range_without_a_reading_is_a_404(client: httpx.Client) -> None:
    client.post("/v1/readings", json=reading())
    refused(client.get(summary_url(), params={"start": moment("11:00:00"), "end": moment("12:00:00")}), 404)


def test_an_unknown_user_is_a_404(client: httpx.Client) -> None:
    refused(
        client.get(summary_url("nobody"), params={"start": moment("00:00:00"), "end": moment("12:00:00")}),
        404,
    )


def test_an_unknown_device_is_a_404(client: httpx.Client) -> None:
    client.post("/v1/readings", json=reading())
    asked = {"start": moment("00:00:00"), "end": moment("12:00:00"), "device_id": "nothing"}
    refused(client.get(summary_url(), params=asked), 404)


def test_a_device_alone(client: httpx.Client) -> None:
    said = [
        reading("10:00:00", device_id="device_a", heart_rate=60),
        reading("10:00:10", device_id="phone", heart_rate=90, steps=5),
        reading("10:00:20", device_id="phone", heart_rate=91, steps=6),
    ]
    client.post("/v1/readings", json=said)
    answer = summary(client, "ada", device_id="phone")
    assert answer["heart_rate"] == {"count": 2, "avg": 90.5, "min": 90.0, "max": 91.0}
    assert answer["steps"] == 11
    assert (answer["first"], answer["last"]) == (moment("10:00:10"), moment("10:00:20"))


def test_first_and_last_tell_microseconds(client: httpx.Client) -> None:
    client.post("/v1/readings", json=[reading("10:00:00.5"), reading("10:00:00.123456")])
    answer = summary(client)
    assert (answer["first"], answer["last"]) == (moment("10:00:00.123456"), moment("10:00:00.5"))


def test_a_sum_may_be_larger_than_32_bits(client: httpx.Client) -> None:
    seconds = (f"{n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}" for n in range(22_000))
    client.post("/v1/readings", json=[reading(clock, steps=100_000) for clock in seconds])
    assert summary(client)["steps"] == 2_200_000_000
    asked = {"user_id": "ada", "start": moment("00:00:00"), "end": moment("23:59:59")}
    assert client.get("/metrics/heart-rate", params=asked).status_code == 404


def test_a_summary_crosses_days(client: httpx.Client) -> None:
    days = [reading() | {"timestamp": f"2024-01-{day:02}T12:00:00Z", "steps": day} for day in range(1, 32)]
    client.post("/v1/readings", json=days)
    asked = {"start": "2024-01-01T00:00:00Z", "end": "2024-02-01T00:00:00Z"}
    answer = client.get(summary_url(), params=asked).json()
    assert (answer["steps"], answer["heart_rate"]["count"]) == (sum(range(1, 32)), 31)
    assert (answer["first"], answer["last"]) == ("2024-01-01T12:00:00Z", "2024-01-31T12:00:00Z")


def test_the_longest_range_there_is_can_be_asked_for(client: httpx.Client) -> None:
    client.post("/v1/readings", json=reading())
    asked = {"start": "0001-01-01T00:00:00Z", "end": "9999-12-31T23:59:59.999999Z"}
    answer = client.get(summary_url(), params=asked)
    assert answer.status_code == 200, answer.text
    assert answer.json()["heart_rate"]["count"] == 1
    assert (answer.json()["start"], answer.json()["end"]) == (asked["start"], asked["end"])


def test_the_range_defaults_to_the_last_24_hours(client: httpx.Client) -> None:
    now = datetime.now(UTC)
    ages = {"steps": timedelta(hours=1), "calories": timedelta(hours=25)}
    for metric, age in ages.items():
        client.post("/v1/readings", json=reading(**{metric: 7}) | {"timestamp": (now - age).isoformat()})
    answer = client.get(summary_url())
    assert answer.status_code == 200, answer.text
    assert (answer.json()["steps"], answer.json()["calories"]) == (7, None)
    start, end = (datetime.fromisoformat(answer.json()[edge]) for edge in ("start", "end"))
    assert end - start == timedelta(hours=24)
    assert now <= end <= datetime.now(UTC)


def test_the_start_defaults_to_24_hours_before_the_end(client: httpx.Client) -> None:
    client.post("/v1/readings", json=[reading("10:00:00", steps=1), reading("12:00:00", steps=2)])
    answer = client.get(summary_url(), params={"end": "2024-01-16T11:00:00Z"}).json()
    assert (answer["start"], answer["steps"]) == (moment("11:00:00"), 2)


def test_the_end_defaults_to_now(client: httpx.Client) -> None:
    client.post(
        "/v1/readings",
        json=[reading(steps=1), reading(steps=2) | {"timestamp": datetime.now(UTC).isoformat()}],
    )
    assert client.get(summary_url(), params={"start": moment()}).json()["steps"] == 3


def test_a_start_after_the_end_is_an_error(visitor: httpx.Client) -> None:
    errors_of(visitor.get(summary_url(), params={"start": moment("11:00:00"), "end": moment("10:00:00")}), 422)


def test_a_start_in_the_future_is_after_the_end_of_now(visitor: httpx.Client) -> None:
    errors_of(visitor.get(summary_url(), params={"start": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}), 422)


@pytest.mark.parametrize("name", ["start", "end"])
@pytest.mark.parametrize(
    "value", ["", "soon", "2024-01-15", "2024-01-15T10:00:00", "1705312800", "2024-02-30T00:00:00Z"]
)
def test_a_bad_date_is_named(visitor: httpx.Client, name: str, value: str) -> None:
    errors = errors_of(visitor.get(summary_url(), params={name: value}), 422)
    assert any(name in error["at"] for error in errors)


@pytest.mark.parametrize("user_id", STRANGE)
def test_any_user_id_can_be_asked_for(visitor: httpx.Client, user_id: str) -> None:
    assert visitor.post("/v1/readings", json=reading(user_id=user_id)).status_code == 200
    assert summary(visitor, user_id)["user_id"] == user_id


def test_similar_user_ids_are_different_users(client: httpx.Client) -> None:
    for heart_rate, user_id in enumerate(STRANGE, start=60):
        client.post("/v1/readings", json=reading(user_id=user_id, heart_rate=heart_rate))
    assert [summary(client, user_id)["heart_rate"]["avg"] for user_id in STRANGE] == [*range(60, 60 + len(STRANGE))]


def test_a_strange_device_can_be_asked_for(client: httpx.Client) -> None:
    for device_id in STRANGE:
        client.post("/v1/readings", json=reading(device_id=device_id, steps=1))
        assert summary(client, device_id=device_id)["steps"] == 1


def test_a_path_with_nobody_in_it_is_a_404(visitor: httpx.Client) -> None:
    refused(visitor.get("/v1/users//summary"), 404, 422)


def test_an_id_too_long_to_exist_is_refused(visitor: httpx.Client) -> None:
    refused(visitor.get(f"/v1/users/{'x' * 129}/summary"), 404, 422)
