"""The model's aggregates and device rule against a brute force over the readings."""

from __future__ import annotations

from collections import defaultdict
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.simulate.check import aligned, expected_metrics, expected_summary, ragged, ranks
from scripts.simulate.model import MINUTE, NO_MINIMUM, Model, Total
from scripts.simulate.reading import MICRO, Reading, as_body, as_json, fold, instant

START = 1_760_000_000 * MICRO // MINUTE * MINUTE
END = START + 150 * MINUTE
DEVICES = ["phone", "device_b", "watch", "device_a"]
RANK = ranks(["watch", "phone"])
VALUE = st.none() | st.integers(0, 200 * MICRO)
READINGS = st.lists(
    st.builds(
        Reading, st.just("101"), st.sampled_from(DEVICES), st.integers(START, END - 1), VALUE, VALUE, VALUE
    ).filter(lambda reading: set(reading[3:]) != {None}),
    max_size=40,
    unique_by=lambda reading: reading.identity,
)
MOMENTS = st.integers(START, END)


def brute_force(readings: list[Reading], start: int, end: int) -> dict[str, list[int]]:
    found: dict[tuple[str, int], dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for reading in readings:
        if start <= reading.at < end:
            for name in ("heart_rate", "steps", "calories"):
                if (value := getattr(reading, name)) is not None:
                    found[name, reading.at // MINUTE][reading.device].append(value)
    values: dict[str, list[int]] = defaultdict(list)
    for (name, _), by_device in found.items():
        order = ["device_a", "device_b", "watch", "phone"]
        values[name] += by_device[min(by_device, key=order.index)]
    return values


def as_total(values: dict[str, list[int]]) -> Total:
    beats, steps, calories = values["heart_rate"], values["steps"], values["calories"]
    low, high = min(beats, default=NO_MINIMUM), max(beats, default=0)
    return Total(len(beats), sum(beats), low, high, len(steps), sum(steps), len(calories), sum(calories))


@settings(deadline=None)
@given(READINGS, MOMENTS, MOMENTS)
def test_a_ragged_range_whose_edges_are_kept(readings: list[Reading], one: int, other: int) -> None:
    start, end = sorted((one, other))
    end += 1
    model = Model([start, end - 1])
    for reading in readings:
        model.settle(reading)
    assert model.total("101", start, end, RANK) == as_total(brute_force(readings, start, end))


@settings(deadline=None)
@given(READINGS, st.integers(0, 149), st.integers(1, 150))
def test_a_range_of_whole_minutes(readings: list[Reading], first: int, count: int) -> None:
    start, end = START + first * MINUTE, START + (first + count) * MINUTE
    model = Model([START + 70 * MINUTE])
    for reading in readings:
        model.settle(reading)
    assert model.total("101", start, end, RANK) == as_total(brute_force(readings, start, end))


def test_a_user_without_readings() -> None:
    total = Model().total("101", START, END, RANK)
    assert total.empty
    assert set(expected_summary(total).values()) == set(expected_metrics(total).values()) == {None}


def test_expected_values_are_correctly_rounded() -> None:
    total = Total(3, 100_100_000 + 70_200_000 + 70_200_000, 70_200_000, 100_100_000, 2, 7, 1, 120_000)
    assert expected_summary(total) == {
        "heart_rate.count": 3,
        "heart_rate.avg": 240_500_000 / 3_000_000,
        "heart_rate.min": 70.2,
        "heart_rate.max": 100.1,
        "steps": 7,
        "calories": 0.12,
    }
    assert expected_metrics(total)["total_calories"] == 0.12


@settings(deadline=None)
@given(st.integers(0, 10**6))
def test_ranges_of_the_check(seed: int) -> None:
    for where in ragged(Random(seed), START, END, 3):
        assert START <= where.start < where.end <= END
        assert where.past
    for where in aligned(Random(seed), START + 1, END - 1, 2):
        assert START < where.start < where.end < END
        assert where.start % MINUTE == where.end % MINUTE == 0


def test_a_short_run_has_no_whole_minutes() -> None:
    assert aligned(Random(1), START + 1, START + 2 * MINUTE, 2) == []


def test_ties_go_to_the_device_registered_first() -> None:
    assert sorted(DEVICES, key=RANK) == ["device_a", "device_b", "watch", "phone"]


def test_a_fold_keeps_what_the_later_write_lacks() -> None:
    first = Reading("101", "default", START, 1, 2, 3)
    assert fold(first, Reading("101", "default", START, None, 9, None)) == Reading("101", "default", START, 1, 9, 3)
    assert fold(None, first) is first


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_760_000_000_000_001, "2025-10-09T08:53:20.000001Z"),
        (1_760_000_000_500_000, "2025-10-09T08:53:20.500000Z"),
    ],
)
def test_instants(at: int, text: str) -> None:
    assert instant(at) == text


def test_bodies_of_requests() -> None:
    reading = Reading("101", "default", 0, 88_400_000, 5, 1_250_000)
    text = '"timestamp":"1970-01-01T00:00:00Z","heart_rate":88.4,"steps":5,"calories":1.25}'
    assert as_json(reading, integer_user=True) == '{"user_id":101,' + text
    assert as_json(reading, integer_user=False) == '{"user_id":"101",' + text
    assert as_json(reading._replace(device='a"b', steps=None), integer_user=False).startswith(
        '{"user_id":"101","device_id":"a\\"b","timestamp"'
    )
    assert as_body([reading], integer_user=True).startswith(b"{")
    assert as_body([reading, reading], integer_user=True).startswith(b"[{")
