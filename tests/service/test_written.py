"""Batches that wait for their announcement."""

from __future__ import annotations

import pytest

from service import written
from service.readings import Row
from service.written import Written

ROWS = [Row("ada", "watch", 0, 60.0)] * 3


def test_a_batch_is_found_by_its_mark_once() -> None:
    kept = Written()
    assert kept.take(kept.mark(ROWS)) is None, "nobody wants to know"
    kept.want(True)
    first, second = kept.mark(ROWS), kept.mark(ROWS[:1])
    assert kept.take(second) == ROWS[:1]
    assert kept.take(first) == ROWS
    assert kept.take(first) is None
    assert Written().take(first) is None
    assert len(first) <= 40, "more than api.announce has room for"


def test_what_is_never_announced_makes_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(written, "MOST_KEPT", 7)
    kept = Written()
    kept.want(True)
    marks = [kept.mark(ROWS) for _ in range(3)]
    assert [kept.take(mark) for mark in marks] == [None, ROWS, ROWS]
    mark = kept.mark(ROWS)
    kept.want(False)
    assert kept.take(mark) is None
    kept.want(True)
    assert kept.kept == 0


def test_others_are_believed_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(written.time, "monotonic", lambda: now)
    kept = Written()
    assert kept.others_listen, "nothing was heard yet"
    kept.begin()
    assert kept.others_listen
    now += written.HEARD_SECONDS
    assert not kept.others_listen
    kept.hear(kept.process)
    assert not kept.others_listen
    kept.hear(Written().process)
    assert kept.others_listen
    now += written.HELLO_SECONDS
    assert kept.others_listen
    now += written.HEARD_SECONDS
    assert not kept.others_listen
    kept.interrupt()
    assert kept.others_listen
