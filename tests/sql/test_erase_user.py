"""Erasing a user: everywhere, by key, once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg import errors

from tests.support.sql_client import SAMPLE_LEVELS, keyless

NOON = datetime(2025, 1, 15, 12, tzinfo=UTC)


def fill(db: psycopg.Connection, user: str = "ada", days: int = 3) -> None:
    for day in range(days):
        for minute in range(5):
            moment = NOON + timedelta(days=day, minutes=minute)
            db.execute("INSERT INTO api.readings (user_id, ts, steps) VALUES (%s, %s, 10)", [user, moment])


def erase(db: psycopg.Connection, user: str = "ada") -> dict[str, int]:
    return dict(db.execute("SELECT * FROM api.erase_user('default', %s)", [user]).fetchall())


def version(db: psycopg.Connection) -> int:
    row = db.execute("SELECT version FROM core.names_version").fetchone()
    assert row is not None
    return int(row[0])


def test_rollups_and_compressed_readings_go(db: psycopg.Connection) -> None:
    fill(db)
    fill(db, "bob")
    db.execute("CALL api.refresh()")
    db.execute("CALL api.upkeep()")
    assert erase(db) == {
        "user_15m": 3,
        "user_1h": 3,
        "user_4h": 3,
        "user_1d": 3,
        "device_15m": 0,
        "device_1h": 0,
        "device_4h": 0,
        "device_1d": 0,
        **dict.fromkeys(SAMPLE_LEVELS, 0),
        "readings": 15,
        "samples": 0,
        "intervals": 0,
        "stale_days": 0,
        "names": 1,
    }
    assert keyless(db) == []
    db.execute("CALL api.refresh()")
    assert db.execute("SELECT DISTINCT user_id FROM api.vitals_1m").fetchall() == [("bob",)]
    query = "SELECT count(*) FROM api.verify('2025-01-15Z', '2025-01-18Z') WHERE problem IS NOT NULL"
    assert db.execute(query).fetchone() == (0,)


def test_readings_go_from_chunks_that_are_compressed_in_part(db: psycopg.Connection) -> None:
    """Where a DELETE that finds rows by a bitmap overlooks those it has just decompressed."""
    fill(db)
    db.execute("CALL api.refresh()")
    db.execute("SELECT compress_chunk(c) FROM show_chunks('core.reading') AS c")
    late = "INSERT INTO api.readings (user_id, device_id, ts, steps) VALUES (%s, %s, %s, 1)"
    for user, device in (("ada", "watch"), ("ada", "phone"), ("bob", "watch")):
        db.execute(late, [user, device, NOON + timedelta(seconds=1)])
    db.execute("ANALYZE core.reading")
    db.execute("SET enable_seqscan = off")
    db.execute("SET enable_indexscan = off")
    try:
        assert erase(db)["readings"] == 17
    finally:
        db.execute("RESET enable_seqscan")
        db.execute("RESET enable_indexscan")
    assert keyless(db) == []


def test_rollups_go_whose_readings_were_dropped_by_age(db: psycopg.Connection) -> None:
    fill(db)
    db.execute("CALL api.refresh()")
    db.execute("SELECT drop_chunks('core.reading', older_than => '2025-02-01Z'::timestamptz)")
    assert erase(db)["user_1d"] == 3
    assert keyless(db) == []


def test_the_next_refresh_brings_nothing_back(db: psycopg.Connection) -> None:
    """Not even of what was stale when the user was erased."""
    fill(db)
    db.execute("CALL api.refresh()")
    db.execute("INSERT INTO api.readings (user_id, ts, steps) VALUES ('ada', %s, 10)", [NOON + timedelta(hours=1)])
    erase(db)
    db.execute("CALL api.refresh()")
    assert keyless(db) == []


def test_the_version_of_names_counts_erasures(db: psycopg.Connection) -> None:
    before = version(db)
    fill(db, days=1)
    erase(db)
    assert version(db) == before + 1
    assert set(erase(db).values()) == {0}
    assert version(db) == before + 1, "nobody was erased"


def test_who_comes_again_has_another_key(db: psycopg.Connection) -> None:
    fill(db, days=1)
    query = "SELECT api_internal.find_user('default', 'ada')"
    before = db.execute(query).fetchone()
    erase(db)
    assert db.execute(query).fetchone() == (None,)
    fill(db, days=1)
    assert db.execute(query).fetchone() not in (before, (None,))


def test_an_erasure_needs_to_see_what_others_commit(db: psycopg.Connection) -> None:
    fill(db, days=1)
    with db.transaction():
        db.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        with pytest.raises(errors.FeatureNotSupported, match="repeatable read"):
            erase(db)
    assert erase(db)["readings"] == 5


def test_a_user_of_another_tenant_stays(db: psycopg.Connection) -> None:
    fill(db, days=1)
    db.execute("INSERT INTO api.readings (tenant_id, user_id, ts, steps) VALUES ('other', 'ada', %s, 1)", [NOON])
    erase(db)
    assert db.execute("SELECT tenant_id FROM api.readings").fetchall() == [("other",)]
