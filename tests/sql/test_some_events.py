"""A piece of a list of events ends at a size, and what it leaves is found behind it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

NOON = datetime(2025, 1, 15, 12, tzinfo=UTC)
WRITE = "SELECT api_internal.write_events(%s, %s, %s, %s, %s::timestamptz[], %s::text[]::jsonb[])"
ASK = """SELECT ts, event_id, bytes, payload
  FROM api_internal.some_events('one', NULL, NULL, '-infinity', 'infinity', %s, %s, %s, %s, %s)"""
COUNT = 40


@pytest.fixture
def events(db: psycopg.Connection) -> list[tuple[datetime, str]]:
    """Store events of 1,015 bytes, one a day, but two at a moment; return them in order."""
    said = [(NOON + timedelta(days=n // 2), f"evt_{n:02}") for n in range(COUNT)]
    named = [["one"] * COUNT, [name for _, name in said], ["web"] * COUNT, ["click"] * COUNT]
    db.execute(WRITE, [*named, [ts for ts, _ in said], ['{"text": "' + "é" * 501 + 'e"}'] * COUNT])
    return said


@pytest.mark.parametrize(("most", "most_bytes"), [(1000, 1), (1000, 1016), (1000, 4060), (3, 4060), (1, 1)])
def test_pieces_make_the_whole(
    db: psycopg.Connection, events: list[tuple[datetime, str]], most: int, most_bytes: int
) -> None:
    found: list[tuple[datetime, str]] = []
    after: tuple[datetime | None, str | None] = (None, None)
    while piece := db.execute(ASK, [*after, 0, most, most_bytes]).fetchall():
        assert all(size == len(payload.encode()) == 1015 for _, _, size, payload in piece)
        found += [(ts, name) for ts, name, _, _ in piece]
        assert len(piece) == min(most, -(-most_bytes // 1015), COUNT - len(found) + len(piece))
        after = found[-1]
    assert found == events


def test_what_is_skipped_is_not_counted(db: psycopg.Connection, events: list[tuple[datetime, str]]) -> None:
    piece = db.execute(ASK, [None, None, 7, 1000, 2000]).fetchall()
    assert [(ts, name) for ts, name, _, _ in piece] == events[7:9]
    assert db.execute(ASK, [None, None, COUNT, 1000, 2000]).fetchall() == []
