"""The cache of latest values: its entries after readings, and what it does not keep."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from service.live import latest_cache
from service.live.latest_cache import LatestValueCache, Undecided, after_rows
from service.model.latest import METRICS, NOTHING, Latest, Value
from service.model.reading import Row

ROWS = st.lists(
    st.builds(
        Row,
        st.just("ada"),
        st.sampled_from(("watch", "phone")),
        st.integers(-3, 8),
        st.sampled_from((None, 60.0, 61.0, 62.0)),
        st.sampled_from((None, 1, 2, 3)),
        st.sampled_from((None, 0.5, 1.5, 2.5)),
    ),
    max_size=12,
    unique_by=lambda row: (row.device_id, row.timestamp),
)


def brute(rows: Sequence[Row], metric: str) -> list[Value]:
    """All values of a metric at the latest moment at which it was measured."""
    measured = [row for row in rows if getattr(row, metric) is not None]
    latest = max((row.timestamp for row in measured), default=0)
    return [Value(getattr(row, metric), row.timestamp, row.device_id) for row in measured if row.timestamp == latest]


def is_undecided(rows: Sequence[Row]) -> bool:
    """Whether two devices measured at one moment."""
    return len({row.timestamp for row in rows}) < len(rows)


def agree(latest: Latest, rows: Sequence[Row]) -> None:
    """Compare what is known with all readings."""
    for metric in METRICS:
        value, found = getattr(latest, metric), brute(rows, metric)
        assert value in found if found else value is None
        assert len(found) < 2, "which one counts is not for this process to say"


@given(ROWS, st.integers(0, 12), st.integers(0, 12))
def test_the_latest_values_after_new_readings_are_those_of_all_readings(
    rows: list[Row], known: int, repeated: int
) -> None:
    try:
        # Some may be in what was known already.
        latest = after_rows(after_rows(NOTHING, rows[:known]), rows[known:] + rows[:repeated])
    except Undecided:
        assert is_undecided(rows)
    else:
        agree(latest, rows)


def row(at: int, user_id: str = "ada", heart_rate: float = 60.0) -> Row:
    return Row(user_id, "watch", at, heart_rate)


def rate(at: int, heart_rate: float = 60.0) -> Latest:
    return Latest(heart_rate=Value(heart_rate, at, "watch"))


def test_rows_applied_during_a_load_are_added_to_what_is_loaded() -> None:
    cache = LatestValueCache()
    cache.begin_load(["ada"])
    cache.apply("ada", [row(2)])
    cache.apply("bob", [row(3, "bob")])
    assert cache.get("ada", 0) is None
    assert cache.finish_load({"ada": rate(1)}, 0) == {"ada": rate(2)}
    assert cache.get("ada", 0) == rate(2)
    assert cache.get("bob", 0) is None
    # Loaded again, with values from before the last reading.
    cache.begin_load(["ada"])
    cache.apply("ada", [row(4)])
    assert cache.get("ada", 0) == rate(4)
    cache.finish_load({"ada": rate(2)}, 0)
    assert cache.get("ada", 0) == rate(4)


def test_a_user_invalidated_during_a_load_is_not_kept() -> None:
    for invalidate in (
        lambda cache: cache.invalidate("ada"),
        lambda cache: cache.retain({"bob"}),
        lambda cache: cache.clear(),
    ):
        cache = LatestValueCache()
        cache.begin_load(["ada"])
        invalidate(cache)
        cache.apply("ada", [row(2)])
        assert cache.finish_load({"ada": rate(1)}, 0) == {"ada": rate(1)}
        assert cache.get("ada", 0) is None


def test_a_user_without_readings_is_kept_as_such() -> None:
    cache = LatestValueCache()
    cache.begin_load(["ada"])
    cache.finish_load({}, 0)
    assert cache.get("ada", 0) == NOTHING
    assert NOTHING.document() is None


def test_a_tie_must_be_loaded() -> None:
    cache = LatestValueCache()
    cache.begin_load(["ada", "bob"])
    cache.apply("bob", [Row("bob", "phone", 1, 70.0)])
    cache.finish_load({"ada": rate(1), "bob": rate(1)}, 0)
    assert cache.get("bob", 0) is None
    cache.apply("ada", [row(1)])
    assert cache.get("ada", 0) == rate(1)
    cache.apply("ada", [Row("ada", "phone", 1, 60.0)])
    assert cache.get("ada", 0) is None


def test_entries_expire_and_the_oldest_are_evicted() -> None:
    cache = LatestValueCache()
    cache.begin_load(["ada", "bob", "eve"])
    cache.finish_load({}, 0)
    cache.evict(2)
    assert [cache.get(user_id, 1) for user_id in ("ada", "bob", "eve")] == [None, NOTHING, NOTHING]
    assert cache.get("eve", latest_cache.MAX_AGE + 1) is None
    assert cache.get("eve", 1) is None
