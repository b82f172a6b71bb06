"""Batches that wait for their announcement."""

from __future__ import annotations

import pytest

from service.live import own_commits
from service.live.latest_cache import Book
from service.live.own_commits import Written
from service.live.subscriptions import Audience, Client, Picked
from service.model.reading import Row
from tests.support.live_clients import Ear

ROWS = [Row("ada", "watch", 0, 60.0)] * 3


def listened_to() -> tuple[Written, Client]:
    """Batches that a client wants to know of."""
    audience, client = Audience(Book()), Client(Ear(), None)
    audience.join(client)
    return Written(audience), client


def mark(kept: Written, *parts: list[Row]) -> str:
    """Mark a batch of requests."""
    return kept.mark((rows, kept.pick(rows)) for rows in parts)


def rows_of(batch: list[Picked] | None) -> list[list[Row]] | None:
    """The readings of each request."""
    return None if batch is None else [list(picked.rows) for picked in batch]


def test_a_batch_is_found_by_its_mark_once() -> None:
    assert Written().take(mark(Written(), ROWS)) is None, "nobody can listen"
    kept, client = listened_to()
    first, second = mark(kept, ROWS), mark(kept, ROWS[:1], ROWS[:2])
    assert rows_of(kept.take(second)) == [ROWS[:1], ROWS[:2]]
    assert rows_of(kept.take(first)) == [ROWS]
    assert kept.take(first) is None
    assert Written().take(first) is None
    assert len(first) <= 40, "more than api_internal.announce has room for"
    assert kept.audience is not None
    kept.audience.leave(client)
    assert kept.take(mark(kept, ROWS)) is None, "nobody listens any longer"


def test_what_arrived_before_somebody_listened_is_found() -> None:
    kept, _ = listened_to()
    assert rows_of(kept.take(kept.mark([(ROWS, None)]))) == [ROWS]


def test_what_is_never_announced_makes_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_commits, "MOST_KEPT", 7)
    kept, _ = listened_to()
    marks = [mark(kept, ROWS) for _ in range(3)]
    assert [rows_of(kept.take(each)) for each in marks] == [None, [ROWS], [ROWS]]
    last = mark(kept, ROWS)
    kept.clear()
    assert kept.take(last) is None
    assert kept.kept == 0


def test_others_are_believed_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(own_commits.time, "monotonic", lambda: now)
    kept = Written()
    assert kept.others_listen, "nothing was heard yet"
    kept.begin()
    assert kept.others_listen
    now += own_commits.HEARD_SECONDS
    assert not kept.others_listen
    kept.hear(kept.process)
    assert not kept.others_listen
    kept.hear(Written().process)
    assert kept.others_listen
    now += own_commits.HELLO_SECONDS
    assert kept.others_listen
    now += own_commits.HEARD_SECONDS
    assert not kept.others_listen
    kept.interrupt()
    assert kept.others_listen
