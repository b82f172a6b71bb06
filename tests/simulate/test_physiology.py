"""Simulated physiology is deterministic and plausible."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.simulate import physiology

SEEDS = st.integers(0, 2**63 - 1)
USERS = st.integers(1, 10**9).map(str)
DAYS = st.integers(15_000, 25_000)
SECONDS = st.integers(0, physiology.DAY - 1)


@settings(deadline=None)
@given(SEEDS, USERS, DAYS, SECONDS, st.sampled_from([0.1, 1.0, 8.0, 60.0, 3600.0]))
def test_a_moment_is_the_same_each_time_and_within_what_the_service_takes(
    seed: int, user: str, day: int, second: int, span: float
) -> None:
    at = (day * physiology.DAY + second) * 1_000_000
    seen = physiology.measure(seed, user, at, span)
    physiology.day.cache_clear()
    physiology.person.cache_clear()
    assert physiology.measure(seed, user, at, span) == seen
    assert 30 <= seen.heart_rate <= 220
    assert seen.heart_rate == round(seen.heart_rate, 1)
    assert 0 <= seen.steps <= 3.1 * span + 1
    assert 0 <= seen.calories <= 0.4 * span + 0.01
    assert seen.calories == round(seen.calories, 2)


@settings(deadline=None)
@given(SEEDS, USERS, DAYS)
def test_a_day_has_sleep_walks_and_a_run_in_order(seed: int, user: str, day: int) -> None:
    starts, spells = physiology.day(seed, user, day)
    names = [spell.name for spell in spells]
    assert names[0] == names[-1] == "sleep"
    assert names.count("run") == 1
    assert names.count("walk") >= 3
    assert list(starts) == sorted(starts)
    assert starts[0] == 0
    assert starts[-1] < physiology.DAY
    assert 5 <= (starts[1] + physiology.DAY - starts[-1]) / 3600 <= 12


@settings(max_examples=25, deadline=None)
@given(SEEDS, USERS, DAYS)
def test_totals_of_a_day_are_plausible(seed: int, user: str, day: int) -> None:
    beats = defaultdict(list)
    steps, calories = 0, 0.0
    for minute in range(1440):
        second = day * physiology.DAY + minute * 60
        seen = physiology.measure(seed, user, second * 1_000_000, 60)
        beats[physiology.spell_at(seed, user, second)[0].name].append(seen.heart_rate)
        steps += seen.steps
        calories += seen.calories
    mean = {name: sum(values) / len(values) for name, values in beats.items()}
    assert mean["sleep"] < mean["sit"] < mean["walk"] < mean["run"]
    assert mean["sleep"] > 35
    assert 90 < mean["run"] < 200
    assert 5_000 < steps < 25_000
    assert 1_100 < calories < 4_500


@settings(deadline=None)
@given(SEEDS, USERS, DAYS)
def test_the_heart_follows_effort_with_a_lag(seed: int, user: str, day: int) -> None:
    run = next(spell for spell in physiology.day(seed, user, day)[1] if spell.name == "run")
    at = [physiology.lagging(run, run.start + seconds) for seconds in (0, 30, 60, 600)]
    assert at == sorted(at)
    assert at[1] - at[0] < 0.5 * (run.target - at[0])
    assert at[3] == pytest.approx(run.target, abs=0.1)


def test_the_heart_does_not_jump_at_a_change_of_activity() -> None:
    _, spells = physiology.day(1, "101", 20_000)
    for before, after in pairwise(spells):
        assert physiology.lagging(before, after.start) == pytest.approx(physiology.lagging(after, after.start))


def test_people_and_days_differ() -> None:
    assert len({physiology.person(1, str(user)).resting for user in range(50)}) == 50
    assert len({physiology.day(1, "101", day) for day in range(20_000, 20_050)}) == 50
    assert physiology.person(1, "101") != physiology.person(2, "101")


def test_short_spans_add_up_to_what_long_ones_say() -> None:
    start = 20_000 * physiology.DAY
    fine = sum(physiology.measure(1, "101", (start + s) * 1_000_000, 1).steps for s in range(physiology.DAY))
    coarse = sum(physiology.measure(1, "101", (start + s) * 1_000_000, 60).steps for s in range(0, physiology.DAY, 60))
    assert fine == pytest.approx(coarse, rel=0.05)
