"""The view api.readings is written to like the service does it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

NOON = datetime(2025, 1, 15, 12, tzinfo=UTC)
INSERT = "INSERT INTO api.readings (user_id, device_id, ts, heart_rate, steps) VALUES (%s, %s, %s, %s, %s)"


def rows(db: psycopg.Connection) -> list[tuple[object, ...]]:
    return db.execute("SELECT user_id, device_id, ts, heart_rate, steps FROM api.readings ORDER BY 1, 2, 3").fetchall()


def steps(db: psycopg.Connection, user_id: str = "ada") -> int | None:
    """The steps of a whole year, from whatever resolution answers."""
    query = "SELECT steps FROM api.summary('default', %s, '2025-01-01Z', '2026-01-01Z')"
    row = db.execute(query, [user_id]).fetchone()
    assert row is not None
    return row[0]


def test_an_insert_merges(db: psycopg.Connection) -> None:
    db.execute(INSERT, ["ada", "watch", NOON, 70, None])
    db.execute(INSERT, ["ada", "watch", NOON, None, 5])
    assert rows(db) == [("ada", "watch", NOON, 70, 5)]


def test_names_default(db: psycopg.Connection) -> None:
    db.execute("INSERT INTO api.readings (user_id, ts, steps) VALUES ('ada', %s, 1)", [NOON])
    row = db.execute("SELECT tenant_id, device_id FROM api.readings").fetchone()
    assert row == ("default", "default")


def test_copy_goes_the_same_way(db: psycopg.Connection) -> None:
    with db.cursor() as cursor, cursor.copy("COPY api.readings (user_id, ts, steps) FROM STDIN (FORMAT csv)") as copy:
        for minute in range(50):
            copy.write(f"ada,{(NOON + timedelta(minutes=minute)).isoformat()},1\n")
    assert steps(db) == 50


def test_an_update_may_take_a_metric_away(db: psycopg.Connection) -> None:
    db.execute(INSERT, ["ada", "watch", NOON, 70, 5])
    db.execute("UPDATE api.readings SET heart_rate = NULL, steps = 6")
    assert rows(db) == [("ada", "watch", NOON, None, 6)]
    with pytest.raises(psycopg.errors.CheckViolation):
        db.execute("UPDATE api.readings SET steps = NULL")


def test_an_update_may_move_a_reading(db: psycopg.Connection) -> None:
    db.execute(INSERT, ["ada", "watch", NOON, 70, 5])
    db.execute("UPDATE api.readings SET user_id = 'grace', ts = ts + INTERVAL '1 hour'")
    assert rows(db) == [("grace", "watch", NOON + timedelta(hours=1), 70, 5)]


def test_a_delete_deletes(db: psycopg.Connection) -> None:
    db.execute(INSERT, ["ada", "watch", NOON, 70, 5])
    assert db.execute("DELETE FROM api.readings WHERE user_id = 'ada'").rowcount == 1
    assert rows(db) == []


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO api.readings (user_id, device_id, ts, steps) VALUES ('ada', 'watch', '2025-01-15T13:00Z', 100)",
        "UPDATE api.readings SET steps = 105",
        "UPDATE api.readings SET ts = ts - INTERVAL '1 day', steps = 105",
        "DELETE FROM api.readings",
    ],
)
def test_answers_follow_at_once_after_a_refresh_and_after_the_next(db: psycopg.Connection, change: str) -> None:
    db.execute(INSERT, ["ada", "watch", NOON, 70, 5])
    db.execute("CALL api.refresh()")
    assert steps(db) == 5
    db.execute(change.encode())
    expected = None if change.startswith("DELETE") else 105
    assert steps(db) == expected
    db.execute("CALL api.refresh()")
    assert steps(db) == expected
    assert db.execute("SELECT count(*) FROM core.stale_day").fetchone() == (0,)


@pytest.mark.parametrize("ts", [datetime(1899, 12, 31, tzinfo=UTC), datetime(3000, 1, 1, tzinfo=UTC)])
def test_a_timestamp_out_of_bounds_is_refused(db: psycopg.Connection, ts: datetime) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="ts is"):
        db.execute(INSERT, ["ada", "watch", ts, 70, 5])


def test_a_repeatable_read_transaction_may_not_write(db: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.FeatureNotSupported), db.transaction():
        db.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        db.execute(INSERT, ["ada", "watch", NOON, 70, 5])


def test_writes_are_announced(db: psycopg.Connection) -> None:
    db.execute(INSERT, ["ada", "watch", NOON, 70, 5])
    db.execute("LISTEN readings")
    for change in ("UPDATE api.readings SET steps = 6", "DELETE FROM api.readings"):
        db.execute(change.encode())
        assert len(list(db.notifies(timeout=0.3))) >= 1


def test_what_waits_is_held_to_the_rules_of_the_table(db: psycopg.Connection) -> None:
    """They stand twice so that an error names the line of a COPY; here they must be the same."""
    db.execute("INSERT INTO api.readings (user_id, ts, steps) VALUES ('ada', now(), 1)")
    rules = """
        SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
         WHERE conrelid = %s::regclass AND contype = 'c' ORDER BY 1
    """
    waiting = db.execute(rules, ["pg_temp.gathered_reading"]).fetchall()
    assert waiting
    assert waiting == db.execute(rules, ["core.reading"]).fetchall()
