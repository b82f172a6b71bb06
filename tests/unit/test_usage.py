"""Usage: who uses more than an equal share, of those that came within the last second."""

from __future__ import annotations

import pytest

from service.usage import STEADY, Usage, lasting


def test_who_is_alone_is_not_heavy() -> None:
    usage = Usage()
    usage.note("flood", 0.0, 100)
    assert not usage.is_heavy("flood", 0.0)


def test_others_are_those_that_came_within_a_second() -> None:
    usage = Usage()
    usage.note("early", 0.0)
    usage.note("late", 0.9)
    assert [usage.has_others(party, 1.0) for party in ("early", "late", "new")] == [True, True, True]
    assert [usage.has_others(party, 1.5) for party in ("early", "late", "new")] == [True, False, True]


def test_who_uses_more_is_heavy_while_others_come() -> None:
    usage = Usage()
    usage.note("flood", 0.0, 100)
    usage.note("calm", 0.0, 1)
    usage.note("other", 0.0)
    assert [usage.is_heavy(party, 0.5) for party in ("flood", "calm", "other")] == [True, False, False]
    assert not usage.is_heavy("flood", 1.1)
    usage.note("flood", 5.0)
    assert list(usage.of) == ["flood"]


def test_what_was_used_is_forgotten() -> None:
    usage = Usage()
    usage.note("early", 0.0, 100)
    for second in range(1, 12):
        usage.note("early", second)
        usage.note("late", second, 1)
    assert not usage.is_heavy("early", 11.0)
    assert usage.is_heavy("late", 11.0)


def test_what_was_used_steadily_amounts_to_the_same_at_once_and_little_by_little() -> None:
    usage = Usage()
    for step in range(1, 501):
        usage.note("steady", step / 100, 0.01)
    assert usage.amount("steady", 5.0) == pytest.approx(lasting(5.0), rel=0.01)
    assert lasting(60.0) == pytest.approx(STEADY)
    assert lasting(0.001) == pytest.approx(0.001, rel=0.001)
    assert usage.amount("other", 5.0) == 0
