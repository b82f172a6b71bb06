"""Between devices the rule is per minute and per metric.

The winner is the best device that reported that metric in that minute, within the range asked for, and only its
values count. A smaller priority is better; between equals, the device registered first.
"""

from typing import Any

import httpx
import pytest

from tests.support.wire import moment, post, reading, summary

WATCH, PHONE = "device_a", "device_b"  # priorities 1 and 2; anything else has 999


def worn(client: httpx.Client, *readings: tuple[str, str, dict[str, Any]]) -> None:
    """Post what devices measured on user 303, each reading by itself and in this order."""
    for device_id, clock, fields in readings:
        post(client, "/v1/readings", reading(clock, 303, device_id=device_id, **fields))


def metrics(client: httpx.Client, start: str = "10:00:00", end: str = "10:59:59") -> Any:
    asked = {"user_id": "303", "start_date": moment(start), "end_date": moment(end)}
    return client.get("/metrics", params=asked).json()


def both_ways(client: httpx.Client, start: str = "10:00:00", end: str = "10:59:59") -> tuple[Any, Any, Any]:
    """Average heart rate, steps and calories by /v1, and the same by /metrics for a range without its last instant."""
    exact = summary(client, "303", start, end)
    told = metrics(client, start, end)
    answers = (exact["heart_rate"] and exact["heart_rate"]["avg"], exact["steps"], exact["calories"])
    earlier = (told["avg_heart_rate"], told["total_steps"], told["total_calories"])
    assert [known for known in answers if known is not None] == [told for told in earlier if told]
    return answers


def test_the_watch_wins_every_metric_it_reported(client: httpx.Client) -> None:
    worn(
        client,
        (PHONE, "10:00:05", {"heart_rate": 90, "steps": 100, "calories": 9.5}),
        (WATCH, "10:00:30", {"heart_rate": 70, "steps": 80, "calories": 5.5}),
    )
    assert both_ways(client) == (70.0, 80, 5.5)


def test_the_phone_wins_the_metrics_that_the_watch_did_not_report(client: httpx.Client) -> None:
    worn(
        client,
        (WATCH, "10:00:30", {"heart_rate": 70}),
        (PHONE, "10:00:05", {"heart_rate": 90, "steps": 100}),
        ("scale", "10:00:06", {"heart_rate": 99, "steps": 999, "calories": 3.5}),
    )
    assert both_ways(client) == (70.0, 100, 3.5)


def test_minutes_are_judged_one_by_one(client: httpx.Client) -> None:
    worn(
        client,
        (WATCH, "10:00:59.999999", {"steps": 1}),
        (PHONE, "10:00:00", {"steps": 10}),
        (PHONE, "10:01:00", {"steps": 100}),
        (WATCH, "10:02:00", {"steps": 1000}),
        (PHONE, "10:02:59.999999", {"steps": 10000}),
    )
    assert summary(client, "303")["steps"] == metrics(client)["total_steps"] == 1 + 100 + 1000


def test_all_values_of_the_winner_count_and_none_of_the_loser(client: httpx.Client) -> None:
    worn(
        client,
        *((WATCH, f"10:00:{second:02}", {"heart_rate": 60 + second, "steps": 1}) for second in range(5)),
        *((PHONE, f"10:00:{second:02}", {"heart_rate": 200, "steps": 50}) for second in range(30)),
    )
    answer = summary(client, "303")
    assert answer["heart_rate"] == {"count": 5, "avg": 62.0, "min": 60.0, "max": 64.0}
    assert answer["steps"] == 5


def test_a_zero_is_a_report(client: httpx.Client) -> None:
    worn(
        client,
        (WATCH, "10:00:00", {"steps": 0, "calories": 0}),
        (PHONE, "10:00:01", {"steps": 50, "calories": 5}),
    )
    assert (summary(client, "303")["steps"], summary(client, "303")["calories"]) == (0, 0)


def test_a_range_cuts_the_minute_and_then_the_winner_is_chosen(client: httpx.Client) -> None:
    worn(
        client,
        (WATCH, "10:00:10", {"heart_rate": 60, "steps": 1, "calories": 1.5}),
        (PHONE, "10:00:40", {"heart_rate": 90, "steps": 10, "calories": 2.5}),
    )
    assert both_ways(client, "10:00:00", "10:01:00") == (60.0, 1, 1.5)
    assert both_ways(client, "10:00:10.000001", "10:01:00") == (90.0, 10, 2.5)
    assert both_ways(client, "10:00:00", "10:00:40.000001") == (60.0, 1, 1.5)
    assert both_ways(client, "10:00:00", "10:00:39.999999") == (60.0, 1, 1.5)


def test_the_last_instant_decides_where_it_belongs(client: httpx.Client) -> None:
    """The watch reports at the very end: seen by /metrics, whose end is included, and not by /v1."""
    worn(client, (PHONE, "10:00:10", {"steps": 10}), (WATCH, "10:00:40", {"steps": 1}))
    assert metrics(client, "10:00:00", "10:00:40")["total_steps"] == 1
    assert summary(client, "303", "10:00:00", "10:00:40")["steps"] == 10
    assert summary(client, "303", "10:00:00", "10:00:40.000001")["steps"] == 1


def test_both_edges_of_a_range_can_cut(client: httpx.Client) -> None:
    worn(
        client,
        (WATCH, "10:00:10", {"steps": 1}),
        (PHONE, "10:00:50", {"steps": 10}),
        (WATCH, "10:01:30", {"steps": 100}),
        (PHONE, "10:02:10", {"steps": 1000}),
        (WATCH, "10:02:50", {"steps": 10000}),
    )
    assert summary(client, "303", "10:00:30", "10:02:30")["steps"] == 10 + 100 + 1000
    assert metrics(client, "10:00:30", "10:02:30")["total_steps"] == 10 + 100 + 1000


@pytest.mark.parametrize("first", ["phone", "tablet"])
def test_between_equals_the_one_registered_first_wins(client: httpx.Client, first: str) -> None:
    second = {"phone": "tablet", "tablet": "phone"}[first]
    worn(client, (first, "09:00:00", {"steps": 1}), (second, "09:00:00", {"steps": 1}))
    worn(
        client,
        (second, "10:00:00", {"heart_rate": 80, "steps": 20}),
        (first, "10:00:30", {"heart_rate": 60, "steps": 10}),
    )
    assert both_ways(client, "10:00:00", "10:01:00")[:2] == (60.0, 10)


def test_a_device_is_registered_with_its_first_reading_of_any_user(client: httpx.Client) -> None:
    post(client, "/v1/readings", reading(user_id="somebody", device_id="zeta", steps=1))
    worn(client, ("alpha", "10:00:00", {"steps": 20}), ("zeta", "10:00:30", {"steps": 10}))
    assert summary(client, "303")["steps"] == 10


def test_a_named_consumer_device_beats_the_default_one(client: httpx.Client) -> None:
    """/ingest names no device, so its readings come from the one called `default`."""
    said = {"user_id": 303, "timestamp": moment("10:00:00"), "heart_rate": 88, "steps": 400, "calories": 15.5}
    post(client, "/ingest", said)
    worn(client, (PHONE, "10:00:30", {"heart_rate": 70}))
    assert both_ways(client) == (70.0, 400, 15.5)
    assert summary(client, "303", device_id="default")["heart_rate"]["avg"] == 88.0


def test_a_device_asked_for_by_name_meets_no_other(client: httpx.Client) -> None:
    worn(
        client,
        (WATCH, "10:00:00", {"heart_rate": 60, "steps": 1}),
        (PHONE, "10:00:30", {"heart_rate": 90, "steps": 10}),
    )
    answer = summary(client, "303", device_id=PHONE)
    assert (answer["heart_rate"]["avg"], answer["steps"], answer["calories"]) == (90.0, 10, None)
    assert answer["first"] == answer["last"] == moment("10:00:30")


def test_a_correction_that_adds_a_metric_changes_the_winner(client: httpx.Client) -> None:
    worn(client, (WATCH, "10:00:00", {"heart_rate": 60}), (PHONE, "10:00:30", {"steps": 10}))
    assert summary(client, "303")["steps"] == 10
    worn(client, (WATCH, "10:00:00", {"steps": 3}))
    assert both_ways(client)[:2] == (60.0, 3)
