"""The view api.readings is written to like the service does it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from tests.support.database import listen

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


@pytest.mark.parametrize(("zone", "hours"), [("UTC", 0), ("America/New_York", 5), ("Asia/Kathmandu", -5.75)])
def test_a_timestamp_without_an_offset_is_of_the_zone_that_was_said(
    db: psycopg.Connection, zone: str, hours: float
) -> None:
    """As docs/loading.md says: the view gets what PostgreSQL has read. One with an offset is the same everywhere."""
    with db.transaction():
        db.execute("SELECT set_config('timezone', %s, true)", [zone])
        with (
            db.cursor() as cursor,
            cursor.copy("COPY api.readings (user_id, ts, steps) FROM STDIN (FORMAT csv)") as copy,
        ):
            copy.write("naive,2025-01-15T12:00:00,1\nsaid,2025-01-15T12:00:00Z,1\nsaid,2025-01-15T12:00:00-05:00,1\n")
    stored = {(user, moment) for user, _, moment, _, _ in rows(db)}
    assert stored == {
        ("naive", NOON + timedelta(hours=hours)),
        ("said", NOON),
        ("said", NOON + timedelta(hours=5)),
    }


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
    listen(db)
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


def copy_in(db: psycopg.Connection, steps: str, view: str = "api.incoming_readings") -> None:
    with (
        db.cursor() as cursor,
        cursor.copy(f"COPY {view} (user_id, ts, heart_rate, steps) FROM STDIN (FORMAT csv)".encode()) as copy,
    ):
        copy.write(f"ada,{NOON.isoformat()},70,{steps}\n")


@pytest.mark.parametrize(("text", "value"), [("72", 72), ("72.0", 72), ("7.2e1", 72), ("", None)])
def test_whole_numbers_come_in_as_tools_write_them(db: psycopg.Connection, text: str, value: int | None) -> None:
    copy_in(db, text)
    assert rows(db) == [("ada", "default", NOON, 70, value)]
    assert isinstance(rows(db)[0][4], int | None)
    assert steps(db) == value
    assert db.execute("SELECT count(*) FROM api.incoming_readings").fetchone() == (0,)


def test_a_fraction_of_a_step_is_refused_with_its_value(db: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match=r"steps is 72\.5"):
        copy_in(db, "72.5")
    with pytest.raises(psycopg.errors.CheckViolation, match=r"steps is 72\.5"):
        db.execute("INSERT INTO api.incoming_readings (user_id, ts, steps) VALUES ('ada', now(), 72.5)")
    for wrong in ("NaN", "1e9", "-1", "Infinity"):
        with pytest.raises((psycopg.errors.DataError, psycopg.errors.IntegrityError)):
            copy_in(db, wrong)
    with pytest.raises(psycopg.errors.InvalidTextRepresentation, match=r'"72\.0"'):
        copy_in(db, "72.0", "api.readings")
    assert rows(db) == []


def test_what_comes_in_is_merged_and_marked(db: psycopg.Connection) -> None:
    db.execute(INSERT, ["ada", "watch", NOON, 70, 5])
    db.execute("CALL api.refresh()")
    db.execute(
        "INSERT INTO api.incoming_readings (user_id, device_id, ts, steps) VALUES ('ada', 'watch', %s, 7.0)", [NOON]
    )
    assert rows(db) == [("ada", "watch", NOON, 70, 7)]
    assert steps(db) == 7
