"""Deleting a range of a user's readings: exactly those, at every resolution, at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import errors

MIDNIGHT = datetime(2025, 1, 15, tzinfo=UTC)
NOON = MIDNIGHT + timedelta(hours=12)
HOUR = timedelta(hours=1)


def fill(db: psycopg.Connection, user: str = "ada", days: int = 3, devices: tuple[str, ...] = ("watch",)) -> None:
    """Store a reading of ten steps a minute for five minutes from noon, of each device."""
    insert = "INSERT INTO api.readings (user_id, device_id, ts, steps) VALUES (%s, %s, %s, 10)"
    moments = [NOON + timedelta(days=day, minutes=minute) for day in range(days) for minute in range(5)]
    db.cursor().executemany(insert, [(user, device, moment) for device in devices for moment in moments])


def delete(
    db: psycopg.Connection, start: datetime | None, end: datetime | None, device: str | None = None, user: str = "ada"
) -> tuple[Any, ...] | None:
    return db.execute(
        "SELECT deleted, first_ts, last_ts FROM api.delete_readings('default', %s, %s, %s, %s)",
        [user, start, end, device],
    ).fetchone()


def steps(db: psycopg.Connection, user: str = "ada", days: int = 3) -> int | None:
    """Add up the steps of days from the coarsest rollups that may answer."""
    query = "SELECT steps FROM api.summary('default', %s, %s, %s)"
    row = db.execute(query, [user, MIDNIGHT, MIDNIGHT + timedelta(days=days)]).fetchone()
    return None if row is None else row[0]


def drift(db: psycopg.Connection) -> int:
    query = "SELECT count(*) FROM api.verify('2025-01-15Z', '2025-01-18Z') WHERE problem IS NOT NULL"
    row = db.execute(query).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("compressed", [False, True])
def test_exactly_the_range_goes_and_the_receipt_says_what(db: psycopg.Connection, compressed: bool) -> None:
    fill(db)
    fill(db, "bob")
    db.execute("CALL api.refresh()")
    if compressed:
        db.execute("SELECT compress_chunk(c) FROM show_chunks('core.reading') AS c")
    first, last = NOON + timedelta(minutes=3), NOON + timedelta(days=1, minutes=1)
    assert delete(db, first, last + timedelta(minutes=1)) == (4, first, last)
    assert steps(db) == 110
    assert steps(db, "bob") == 150
    db.execute("CALL api.refresh()")
    assert steps(db) == 110
    assert drift(db) == 0


def test_a_day_of_which_nothing_is_left_goes_from_the_rollups(db: psycopg.Connection) -> None:
    fill(db)
    db.execute("CALL api.refresh()")
    db.execute("SELECT compress_chunk(c) FROM show_chunks('core.reading') AS c")
    assert delete(db, MIDNIGHT, MIDNIGHT + timedelta(days=1)) == (5, NOON, NOON + timedelta(minutes=4))
    db.execute("CALL api.refresh()")
    assert db.execute("SELECT bucket FROM api.vitals_1d ORDER BY 1 LIMIT 1").fetchone() == (
        MIDNIGHT + timedelta(days=1),
    )
    assert drift(db) == 0


def test_readings_go_from_chunks_that_are_compressed_in_part(db: psycopg.Connection) -> None:
    """Where a DELETE that finds rows by a bitmap overlooks those it has just decompressed."""
    fill(db)
    db.execute("SELECT compress_chunk(c) FROM show_chunks('core.reading') AS c")
    late = "INSERT INTO api.readings (user_id, device_id, ts, steps) VALUES ('ada', %s, %s, 1)"
    for device in ("watch", "phone"):
        db.execute(late, [device, NOON + timedelta(seconds=1)])
    db.execute("ANALYZE core.reading")
    db.execute("SET enable_seqscan = off")
    db.execute("SET enable_indexscan = off")
    try:
        assert delete(db, NOON, NOON + HOUR) == (7, NOON, NOON + timedelta(minutes=4))
    finally:
        db.execute("RESET enable_seqscan")
        db.execute("RESET enable_indexscan")
    assert steps(db) == 100


def test_one_device_alone_goes_and_the_next_best_counts(db: psycopg.Connection) -> None:
    fill(db, devices=("watch", "phone"))
    db.execute("CALL api.refresh()")
    assert steps(db) == 150
    assert delete(db, NOON, NOON + timedelta(days=3), "watch") == (15, NOON, NOON + timedelta(days=2, minutes=4))
    assert steps(db) == 150
    assert delete(db, NOON, NOON + timedelta(days=3), "watch") == (0, None, None)
    db.execute("CALL api.refresh()")
    assert db.execute("SELECT count(*) FROM rollup.device_15m").fetchone() == (0,)
    assert drift(db) == 0


def test_only_what_was_touched_is_marked_stale(db: psycopg.Connection) -> None:
    fill(db)
    db.execute("CALL api.refresh()")
    delete(db, NOON, NOON + timedelta(minutes=2))
    assert db.execute("SELECT bucket FROM api_internal.stale_quarters").fetchall() == [(NOON,)]


@pytest.mark.parametrize(("start", "end"), [(NOON + HOUR, NOON), (NOON, NOON), (NOON + HOUR, NOON + 2 * HOUR)])
def test_a_range_without_readings_is_left_alone(db: psycopg.Connection, start: datetime, end: datetime) -> None:
    fill(db)
    db.execute("CALL api.refresh()")
    assert delete(db, start, end) == (0, None, None)
    assert delete(db, NOON, NOON + HOUR, user="nobody") == (0, None, None)
    assert delete(db, NOON, NOON + HOUR, "no such device") == (0, None, None)
    assert db.execute("SELECT count(*) FROM core.stale_day").fetchone() == (0,)


@pytest.mark.parametrize(("start", "end"), [(None, NOON), (NOON, None)])
def test_both_ends_must_be_given(db: psycopg.Connection, start: datetime | None, end: datetime | None) -> None:
    fill(db, days=1)
    with pytest.raises(errors.InvalidParameterValue, match="the range has no"):
        delete(db, start, end)
    assert steps(db) == 50


def test_what_retention_has_dropped_is_refused(db: psycopg.Connection) -> None:
    """Since the rollups that are left cannot be taken apart; from there on everything can be deleted."""
    fill(db)
    db.execute("CALL api.refresh()")
    kept_from = MIDNIGHT + timedelta(days=1)
    assert db.execute("SELECT api_internal.drop_raw(%s, %s)", [MIDNIGHT, kept_from]).fetchone() == (True,)
    with pytest.raises(
        errors.InvalidParameterValue, match="before 2025-01-16T00:00:00Z are kept as rollups only"
    ) as caught:
        delete(db, NOON, NOON + timedelta(days=2))
    assert caught.value.diag.message_hint == "Start at 2025-01-16T00:00:00Z, or erase the user."
    assert delete(db, kept_from, NOON + timedelta(days=2)) == (
        5,
        NOON + timedelta(days=1),
        NOON + timedelta(days=1, minutes=4),
    )
    assert delete(db, NOON - HOUR, NOON) == (0, None, None), "nothing is kept there"
    assert steps(db) == 100


def test_a_deletion_needs_to_see_what_others_commit(db: psycopg.Connection) -> None:
    fill(db, days=1)
    with db.transaction():
        db.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        with pytest.raises(errors.FeatureNotSupported, match="repeatable read"):
            delete(db, NOON, NOON + HOUR)
    assert delete(db, NOON, NOON + HOUR) == (5, NOON, NOON + timedelta(minutes=4))


def test_what_retention_has_dropped_of_samples_is_refused(db: psycopg.Connection) -> None:
    db.execute(
        "SELECT api_internal.merge_samples(api_internal.enrol_users('{default}', '{ada}'), '{9}', "
        "api_internal.enrol_devices('{default}', '{watch}'), ARRAY[%s::timestamptz], '{97}')",
        [NOON],
    )
    db.execute("CALL api.refresh()")
    db.execute("CALL api_internal.drop_samples(%s, %s)", [NOON - timedelta(days=28), NOON + timedelta(days=30)])
    assert db.execute("SELECT count(*) FROM core.sample").fetchone() == (0,)
    with pytest.raises(errors.InvalidParameterValue, match="are kept as rollups only"):
        delete(db, NOON, NOON + timedelta(seconds=1))
    assert delete(db, NOON - timedelta(days=1), NOON) == (0, None, None), "there was nothing"
