"""The schedule of measurements."""

from __future__ import annotations

from itertools import islice, pairwise
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.simulate import schedule
from scripts.simulate.reading import MICRO, Reading

START = 1_760_000_000 * MICRO
ONE = schedule.Population(1, ("101", "202"), ("default",))
THREE = schedule.Population(1, ("101", "202"), ("device_a", "device_b", "phone"))


def test_every_user_ticks_once_in_every_interval() -> None:
    ticks = list(islice(schedule.ticks(ONE, START, 8.0), 20))
    assert [tick.due - START for tick in ticks] == [4 * MICRO * number for number in range(20)]
    assert [tick.readings[0].user for tick in ticks] == ["101", "202"] * 10
    assert all(reading.at == tick.due for tick in ticks for reading in tick.readings)


def test_each_device_of_a_user_measures() -> None:
    tick = next(schedule.ticks(THREE, START, 8.0))
    assert [reading.device for reading in tick.readings] == list(THREE.devices)


def test_a_single_device_reports_everything() -> None:
    for tick in islice(schedule.ticks(ONE, START, 8.0), 500):
        assert None not in tick.readings[0]


def test_of_several_devices_each_lacks_something_at_times_but_never_everything() -> None:
    readings = list(schedule.history(THREE, START, START + 86_400 * MICRO, 60))
    assert all(set(reading[3:]) != {None} for reading in readings)
    assert all(reading.heart_rate is None for reading in readings if reading.device == "phone")
    for metric in ("heart_rate", "steps", "calories"):
        assert any(getattr(r, metric) is None for r in readings if r.device == "device_a")


@settings(max_examples=40, deadline=None)
@given(
    st.integers(START, START + 10**12),
    st.integers(1, 3 * 86_400),
    st.sampled_from([0.1, 0.7, 1.0, 59.0, 60.0, 3600.0]),
)
def test_the_history_lies_in_its_range_with_even_gaps(start: int, seconds: int, every: float) -> None:
    seconds = min(seconds, round(every * 500))
    end = start + seconds * MICRO
    readings = list(schedule.history(ONE, start, end, every))
    assert all(start <= reading.at < end for reading in readings)
    assert len({reading.identity for reading in readings}) == len(readings)
    assert abs(len(readings) - schedule.history_size(ONE, start, end, every)) <= 2
    for user in ONE.users:
        times = sorted(reading.at for reading in readings if reading.user == user)
        assert {b - a for a, b in pairwise(times)} <= {round(every * MICRO)}


def test_the_history_is_the_same_each_time() -> None:
    first, second = (list(schedule.history(THREE, START, START + 10**10, 60)) for _ in range(2))
    assert first == second


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 120), st.sampled_from([0.02, 0.5, 30.0]), st.sampled_from([0.001, 0.01, 8.0]))
def test_ticks_and_bursts_never_share_an_identity(size: int, burst: float, every: float) -> None:
    size = min(size, round(burst * 1000) * 6)
    events = islice(schedule.live(THREE, START, every, burst, size), 60)
    dues, seen = [], set()
    for event in events:
        dues.append(event.due)
        for reading in event.readings:
            assert reading.identity not in seen
            assert START <= reading.at <= event.due
            seen.add(reading.identity)
    assert dues == sorted(dues)


def test_a_burst_comes_every_so_often_and_has_its_size() -> None:
    found = list(islice(schedule.bursts(THREE, START, 30.0, 500), 3))
    assert [burst.due - START for burst in found] == [30 * MICRO, 60 * MICRO, 90 * MICRO]
    assert [len(burst.readings) for burst in found] == [500] * 3


@settings(max_examples=40, deadline=None)
@given(st.floats(0, 1), st.integers(0, 1000))
def test_late_readings_are_the_share_asked_for_and_all_come(share: float, seed: int) -> None:
    held_back = schedule.LateReadings(share, 60.0, Random(seed))
    made = [Reading("101", "default", START + number, 1, 1, 1) for number in range(2000)]
    at_once = [reading for reading in made if not held_back.hold(reading, START)]
    assert abs(2000 - len(at_once) - 2000 * share) < 150
    soon = list(held_back.release(START + 30 * MICRO))
    late = list(held_back.release(START + 60 * MICRO))
    assert sorted(at_once + soon + late) == made
    assert held_back.next_due() is None


def test_a_late_reading_is_not_released_early() -> None:
    held_back = schedule.LateReadings(1.0, 10.0, Random(1))
    assert held_back.hold(Reading("101", "default", START, 1, 1, 1), START)
    due = held_back.next_due()
    assert due is not None
    assert START + MICRO <= due <= START + 10 * MICRO
    assert list(held_back.release(due - 1)) == []
    assert len(list(held_back.release(due))) == 1
