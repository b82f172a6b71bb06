"""The cost of live updates in `make bench ARGS=live`: a ratio of neighbouring turns, and its confidence interval."""

from __future__ import annotations

import random

import pytest

from scripts.bench.live.cost import ORDER, Turn, in_pairs
from scripts.bench.live.ratios import ratio


@pytest.mark.parametrize("true", [0.5, 1.0, 2.0])
def test_ratios_that_are_all_the_same_are_certain(true: float) -> None:
    found = ratio([(speed, speed * true) for speed in range(1, 21)])
    assert [round(value, 9) for value in found] == [true] * 3


def test_the_interval_holds_the_true_ratio_however_the_machine_changes() -> None:
    chance = random.Random(1)
    held = 0
    for _ in range(200):
        pairs = []
        for _ in range(24):
            speed = chance.choice((1.0, 1.7))  # of the machine; now and then it changes between two turns
            other = speed if chance.random() < 0.8 else 2.7 - speed
            pairs.append((speed * chance.gauss(1, 0.05), 0.97 * other * chance.gauss(1, 0.05)))
        found = ratio(pairs)
        assert found.low <= found.middle <= found.high
        held += found.low <= 0.97 <= found.high
    assert 182 <= held <= 198


def test_of_few_pairs_the_interval_holds_all() -> None:
    assert ratio([(1, 2)]) == (2, 2, 2)
    found = ratio([(1, 2), (1, 1), (1, 4)])
    assert [round(value, 9) for value in found] == [2, 1, 4]


def test_each_pair_is_one_turn_with_nothing_announced_and_its_neighbour() -> None:
    pairs = in_pairs([Turn(float(on), number, 0.0) for number, on in enumerate(ORDER)])
    assert [(silent.rate, loud.rate) for silent, loud in pairs] == [(0.0, 1.0)] * (len(ORDER) // 2)
    assert [{silent.cpu, loud.cpu} for silent, loud in pairs] == [{2 * n, 2 * n + 1} for n in range(len(pairs))]
