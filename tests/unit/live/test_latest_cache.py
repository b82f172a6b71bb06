"""The book of latest values: what is known after readings, and what is not kept."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.live import latest_cache
from service.live.latest_cache import NOTHING, Book, Latest, Undecided, Value, after_all
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
    for metric in latest_cache.METRICS:
        value, found = getattr(latest, metric), brute(rows, metric)
        assert value in found if found else value is None
        assert len(found) < 2, "which one counts is not for this process to say"


@given(ROWS, st.integers(0, 12), st.integers(0, 12))
def test_what_is_known_after_new_readings_is_what_all_of_them_say(rows: list[Row], known: int, repeated: int) -> None:
    try:
        # Some may be in what was known already.
        latest = after_all(after_all(NOTHING, rows[:known]), rows[known:] + rows[:repeated])
    except Undecided:
        assert is_undecided(rows)
    else:
        agree(latest, rows)


def row(at: int, user_id: str = "ada", heart_rate: float = 60.0) -> Row:
    return Row(user_id, "watch", at, heart_rate)


def rate(at: int, heart_rate: float = 60.0) -> Latest:
    return Latest(heart_rate=Value(heart_rate, at, "watch"))


def test_what_comes_while_a_user_is_asked_for_is_added_to_the_answer() -> None:
    known = Book()
    known.ask(["ada"])
    known.take("ada", [row(2)])
    known.take("bob", [row(3, "bob")])
    assert known.look_up("ada", 0) is None
    assert known.answer({"ada": rate(1)}, 0) == {"ada": rate(2)}
    assert known.look_up("ada", 0) == rate(2)
    assert known.look_up("bob", 0) is None
    # Asked for once more though known, and the answer is of before the last reading.
    known.ask(["ada"])
    known.take("ada", [row(4)])
    assert known.look_up("ada", 0) == rate(4)
    known.answer({"ada": rate(2)}, 0)
    assert known.look_up("ada", 0) == rate(4)


def test_an_answer_about_who_was_forgotten_meanwhile_is_not_kept() -> None:
    for forget in (
        lambda known: known.forget("ada"),
        lambda known: known.keep_only({"bob"}),
        lambda known: known.forget_all(),
    ):
        known = Book()
        known.ask(["ada"])
        forget(known)
        known.take("ada", [row(2)])
        assert known.answer({"ada": rate(1)}, 0) == {"ada": rate(1)}
        assert known.look_up("ada", 0) is None


def test_who_never_measured_anything_is_known_as_such() -> None:
    known = Book()
    known.ask(["ada"])
    known.answer({}, 0)
    assert known.look_up("ada", 0) == NOTHING
    assert NOTHING.document() is None


def test_a_tie_is_asked_for() -> None:
    known = Book()
    known.ask(["ada", "bob"])
    known.take("bob", [Row("bob", "phone", 1, 70.0)])
    known.answer({"ada": rate(1), "bob": rate(1)}, 0)
    assert known.look_up("bob", 0) is None
    known.take("ada", [row(1)])
    assert known.look_up("ada", 0) == rate(1)
    known.take("ada", [Row("ada", "phone", 1, 60.0)])
    assert known.look_up("ada", 0) is None


def test_nothing_is_known_for_long_nor_of_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latest_cache, "MOST_KNOWN", 2)
    known = Book()
    known.ask(["ada", "bob", "eve"])
    known.answer({}, 0)
    assert [known.look_up(user_id, 1) for user_id in ("ada", "bob", "eve")] == [None, NOTHING, NOTHING]
    assert known.look_up("eve", latest_cache.LONGEST_KNOWN + 1) is None
    assert known.look_up("eve", 1) is None
