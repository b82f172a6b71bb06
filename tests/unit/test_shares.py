"""Shares: what one party wants leaves room for others, whatever it is that they take and give."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.shares import Shares

PARTIES = ["ann", "bea", "cleo", None]


def take_all(shares: Shares, party: str | None) -> int:
    """Take until nothing fits; return how much that is."""
    count = 0
    while shares.fits(party):
        shares.take(party)
        count += 1
    return count


def test_a_party_that_comes_finds_room() -> None:
    shares = Shares(20)
    assert [take_all(shares, party) for party in "abcd"] == [10, 5, 3, 1]


def test_two_that_want_everything_come_to_have_the_same() -> None:
    shares = Shares(30)
    assert take_all(shares, "flood") == 15
    for _ in range(100):
        shares.give("flood")
        while shares.fits("late"):
            shares.take("late")
        take_all(shares, "flood")
    assert {shares.of["flood"], shares.of["late"]} <= {10, 11}


def test_who_is_no_party_may_have_everything() -> None:
    assert take_all(Shares(7), None) == 7


def test_one_may_have_more_than_there_is() -> None:
    shares = Shares(10)
    assert shares.fits("ann", 11)
    shares.take("ann", 11)
    assert not shares.fits("bea")


def test_another_bound_stands_for_the_share() -> None:
    shares = Shares(40, most_of_one=32)
    assert take_all(shares, "ann") == 32
    assert take_all(shares, "bea") == 8
    assert not shares.fits("ann", most=20)


@pytest.mark.parametrize("most_of_one", [None, 6])
@given(st.integers(1, 12), st.lists(st.tuples(st.booleans(), st.sampled_from(PARTIES), st.integers(0, 4)), max_size=60))
def test_no_more_is_held_than_there_is(
    most_of_one: int | None, most: int, wishes: list[tuple[bool, str | None, int]]
) -> None:
    shares = Shares(most, most_of_one)
    held: list[tuple[str | None, int]] = []
    for is_given, party, size in wishes:
        if is_given and held:
            shares.give(*held.pop())
        elif shares.fits(party, size):
            shares.take(party, size)
            held.append((party, size))
        assert shares.held == sum(size for _, size in held)
        assert shares.held <= most or sum(size > 0 for _, size in held) == 1
        for party in {party for party, _ in held if party}:
            assert shares.of.get(party, 0) == sum(size for one, size in held if one == party)
    while held:
        shares.give(*held.pop())
    assert not shares.held
    assert not shares.of
