"""Coalesced readings: none is lost that could be the latest, and few others are kept."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from service.live.coalescing import MAX_OUT_OF_ORDER, PendingReadings, coalesce
from service.live.latest_cache import Undecided, after_rows
from service.live.notifications import Change
from service.model.latest import NOTHING
from service.model.reading import Row
from tests.unit.live.test_latest_cache import ROWS, agree, is_undecided


@given(ROWS, st.integers(1, 12))
def test_the_candidates_give_the_latest_values_of_all_readings(rows: list[Row], size: int) -> None:
    pending: dict[str, PendingReadings] = {}
    for start in range(0, len(rows), size):
        coalesce(pending, rows[start : start + size])
    assert list(pending) == (["ada"] if rows else [])
    for of_user in pending.values():
        moments = [row.timestamp for row in rows]
        assert of_user.change == Change(len(rows), min(moments), max(moments))
        try:
            latest = after_rows(NOTHING, of_user.candidates)
        except Undecided:
            assert is_undecided(rows)
        else:
            agree(latest, rows)


def test_of_readings_in_order_only_the_last_are_kept() -> None:
    pending: dict[str, PendingReadings] = {}
    parts = [Row("ada", "watch", at, 60.0, *((1,) if at % 2 else (None, 0.5))) for at in range(1000)]
    assert coalesce(pending, parts) == []
    assert pending["ada"].candidates == [parts[999], parts[998]]
    assert coalesce(pending, [Row("ada", "watch", 1000, 60.0, 1, 0.5)]) == []
    assert len(pending["ada"].candidates) == 1


def test_users_with_many_readings_out_of_order_are_returned() -> None:
    pending: dict[str, PendingReadings] = {}
    late = [Row(user_id, "watch", -at, 60.0) for at in range(MAX_OUT_OF_ORDER) for user_id in ("ada", "bob")]
    assert coalesce(pending, late) == []
    assert coalesce(pending, [Row("ada", "watch", -99, 60.0)]) == ["ada"]
    assert pending["ada"].change == Change(MAX_OUT_OF_ORDER + 1, -99, 0)
