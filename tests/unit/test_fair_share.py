"""Fair shares: everything is used, and a party that needs little gets it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from service.fair_share import fair_share


@given(st.lists(st.integers(0, 50), max_size=12), st.integers(0, 200))
def test_a_share_is_the_largest_that_all_can_have(sizes: list[int], most: int) -> None:
    share = fair_share(sizes, most)

    def used(share: int) -> int:
        return sum(min(size, share) for size in sizes)

    if sum(sizes) <= most:
        assert share >= max(sizes, default=0)
    elif used(1) > most:
        assert share == 1
    else:
        assert used(share) <= most < used(share + 1)


def test_a_party_that_needs_less_than_an_equal_share_gets_it() -> None:
    assert fair_share([1, 10, 1000], 100) == 89
    assert fair_share([60, 60], 100) == 50
    assert fair_share([], 100) == 100
