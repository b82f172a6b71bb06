"""New readings put together: nothing of them is lost that could be the latest, and little else is kept."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from service.live.coalescing import MOST_ASIDE, Fresh, collect
from service.live.latest_cache import NOTHING, Undecided, after_all
from service.live.notifications import Change
from service.model.reading import Row
from tests.unit.live.test_latest_cache import ROWS, agree, is_undecided


@given(ROWS, st.integers(1, 12))
def test_what_is_kept_says_what_all_say(rows: list[Row], size: int) -> None:
    fresh: dict[str, Fresh] = {}
    for start in range(0, len(rows), size):
        collect(fresh, rows[start : start + size])
    assert list(fresh) == (["ada"] if rows else [])
    for kept in fresh.values():
        moments = [row.timestamp for row in rows]
        assert kept.change == Change(len(rows), min(moments), max(moments))
        try:
            latest = after_all(NOTHING, kept.rows)
        except Undecided:
            assert is_undecided(rows)
        else:
            agree(latest, rows)


def test_readings_in_order_are_not_kept() -> None:
    fresh: dict[str, Fresh] = {}
    parts = [Row("ada", "watch", at, 60.0, *((1,) if at % 2 else (None, 0.5))) for at in range(1000)]
    assert collect(fresh, parts) == []
    assert fresh["ada"].rows == [parts[999], parts[998]]
    assert collect(fresh, [Row("ada", "watch", 1000, 60.0, 1, 0.5)]) == []
    assert len(fresh["ada"].rows) == 1


def test_users_with_many_readings_that_are_not_in_order_are_to_be_looked_at() -> None:
    fresh: dict[str, Fresh] = {}
    late = [Row(user_id, "watch", -at, 60.0) for at in range(MOST_ASIDE) for user_id in ("ada", "bob")]
    assert collect(fresh, late) == []
    assert collect(fresh, [Row("ada", "watch", -99, 60.0)]) == ["ada"]
    assert fresh["ada"].change == Change(MOST_ASIDE + 1, -99, 0)
