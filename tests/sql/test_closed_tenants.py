"""A closed tenant: its database takes no write of it, whichever way it comes, and those of others as before."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg
import pytest
from psycopg import sql

MOMENT = datetime(2024, 1, 15, 10, tzinfo=UTC)
READING = "INSERT INTO api.readings (tenant_id, user_id, device_id, ts, heart_rate) VALUES (%s, 'ada', 'watch', %s, 70)"
WRITES = {
    "a reading by name": READING.replace("%s, 'ada'", "%(tenant)s, 'ada'").replace("%s", "'2024-01-15 11:00+00'"),
    "a changed reading": "UPDATE api.readings SET heart_rate = 71 WHERE tenant_id = %(tenant)s",
    "a deleted reading": "DELETE FROM api.readings WHERE tenant_id = %(tenant)s",
    "names": "SELECT * FROM api_internal.enrol_names(ARRAY[%(tenant)s], ARRAY['ada'], '{}', '{}')",
    "names of devices": "SELECT * FROM api_internal.enrol_names('{}', '{}', ARRAY[%(tenant)s], ARRAY['watch'])",
    "an event": "SELECT api_internal.write_events(ARRAY[%(tenant)s::text], '{e}', '{s}', '{t}', '{2024-01-15}',"
    " ARRAY[jsonb '{}'])",
    "a device": "SELECT api.set_device(%(tenant)s, 'watch', 'new', 7)",
    "a device as it is": "SELECT api.set_device(%(tenant)s, 'watch', NULL, NULL)",
    "a goal": "SELECT api.set_goal(%(tenant)s, 'ada', 'steps', 7)",
    "a time zone": "SELECT api.set_time_zone(%(tenant)s, 'ada', 'Europe/Berlin')",
    "a metric": "SELECT api.set_metric(%(tenant)s, 'lactate', 'mmol/L', 'gauge', 0, 40)",
    "a metric as it is": "SELECT api.set_metric(%(tenant)s, 'strain', '1', 'gauge', 0, 40)",
    "a deletion": "SELECT * FROM api.delete_readings(%(tenant)s, 'ada', '2024-01-01', '2024-02-01')",
    "a deletion of nobody's": "SELECT * FROM api.delete_readings(%(tenant)s, 'nobody', '2024-01-01', '2024-02-01')",
    "an erasure": "SELECT * FROM api.erase_user(%(tenant)s, 'ada')",
    "an erasure of nobody": "SELECT * FROM api.erase_user(%(tenant)s, 'nobody')",
}


@pytest.fixture
def closed(db: psycopg.Connection) -> psycopg.Connection:
    """A database with two tenants, of which clinic is closed."""
    for tenant in ("clinic", "lab"):
        db.execute(READING, [tenant, MOMENT])
        db.execute("SELECT api.set_metric(%s, 'strain', '1', 'gauge', 0, 40)", [tenant])
    db.execute("SELECT api_internal.close_tenant('clinic')")
    return db


@pytest.mark.parametrize("what", WRITES)
def test_a_closed_tenant_is_refused_and_others_are_not(closed: psycopg.Connection, what: str) -> None:
    with pytest.raises(psycopg.Error, match="takes no writes of the tenant clinic") as refused:
        closed.execute(WRITES[what], {"tenant": "clinic"})
    assert refused.value.sqlstate == "HP001"
    closed.execute(WRITES[what], {"tenant": "lab"})


def test_keys_that_a_process_has_cached_are_of_no_use_any_more(db: psycopg.Connection) -> None:
    db.execute(READING, ["clinic", MOMENT])
    before = db.execute("SELECT names_version FROM api_internal.begin_writing()").fetchone()
    db.execute("SELECT api_internal.close_tenant('clinic')")
    assert db.execute("SELECT names_version FROM api_internal.begin_writing()").fetchone() != before


def test_a_tenant_that_is_opened_writes_again(closed: psycopg.Connection) -> None:
    closed.execute("SELECT api_internal.open_tenant('clinic', 1000)")
    closed.execute(READING, ["clinic", MOMENT])
    row = closed.execute("SELECT nextval('core.interval_version') > 1000").fetchone()
    assert row == (True,)


def test_an_unknown_tenant_is_closed_before_it_writes(db: psycopg.Connection) -> None:
    db.execute("SELECT api_internal.close_tenant('newcomer')")
    with pytest.raises(psycopg.Error, match="newcomer"):
        db.execute(READING, ["newcomer", MOMENT])


@pytest.mark.native
def test_closing_waits_for_writers_and_later_ones_find_it(db: psycopg.Connection, database_url: str) -> None:
    with psycopg.connect(database_url) as writer, psycopg.connect(database_url) as closer:
        writer.execute(READING, ["clinic", MOMENT])
        closer.execute("SET lock_timeout = '50ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            closer.execute("SELECT api_internal.close_tenant('clinic')")
        writer.commit()
        closer.rollback()
        closer.execute("SELECT api_internal.close_tenant('clinic')")
        writer.execute("SET lock_timeout = '50ms'")
        writer.commit()
        with pytest.raises(psycopg.errors.LockNotAvailable):
            writer.execute(READING, ["clinic", MOMENT])
        writer.rollback()
        closer.commit()
        with pytest.raises(psycopg.Error, match="takes no writes"):
            writer.execute(READING, ["clinic", MOMENT])


def noted(db: psycopg.Connection) -> set[tuple[str, str | None]]:
    """What a move would copy, and forget it."""
    rows = db.execute(
        "SELECT t.day::text, u.user_id FROM core.touched_day AS t LEFT JOIN core.app_user AS u USING (user_key)"
    ).fetchall()
    db.execute(sql.SQL("TRUNCATE core.touched_day"))
    return {(day[:10], user) for day, user in rows}


def test_writers_note_what_they_change_of_a_moving_tenant(db: psycopg.Connection) -> None:
    for tenant in ("clinic", "lab"):
        db.execute(READING, [tenant, MOMENT])
    assert noted(db) == set()
    db.execute("SELECT api_internal.begin_move('clinic')")
    assert noted(db) == {("-infinity", "ada"), ("-infinity", None)}
    for tenant in ("clinic", "lab"):
        db.execute(READING, [tenant, datetime(2024, 2, 1, tzinfo=UTC)])
        db.execute(WRITES["an event"], {"tenant": tenant})
    assert noted(db) == {("2024-02-01", "ada"), ("2024-01-15", None)}
    db.execute(WRITES["a deletion"], {"tenant": "clinic"})
    assert noted(db) == {("2024-01-15", "ada")}
    # What is new at its own time is above the horizon, and is copied with all else there.
    db.execute(READING, ["clinic", datetime.now(UTC)])
    assert noted(db) == set()
    db.execute(
        "SELECT api_internal.merge_intervals(u, '{2}', d, '{2024-03-01}', '{2024-03-02}', '{7}', '{2}')"
        "  FROM (SELECT api_internal.enrol_users('{clinic}', '{ada}'), api_internal.enrol_devices('{clinic}', '{w}'))"
        "    AS k (u, d)"
    )
    assert noted(db) == {("2024-03-01", "ada")}
