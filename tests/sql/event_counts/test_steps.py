"""Counts of events step by step: what a late event makes stale, what a refresh waits for, and what is refused."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import psycopg
import pytest

from tests.sql.event_counts.given import (
    ASK,
    LATE,
    NOW,
    OLD_HORIZON,
    WIDTHS,
    WRITE,
    Event,
    announce,
    asked,
    refresh,
    refresh_new_time,
    seen,
    set_setting,
    write,
)


def stale_days(db: psycopg.Connection) -> list[tuple[str, datetime]]:
    query = "SELECT tenant_id, day FROM core.stale_event_day JOIN core.tenant USING (tenant_key) ORDER BY 1, 2"
    return db.execute(query).fetchall()


def test_a_late_event_makes_its_day_stale_until_it_is_refreshed(events_db: psycopg.Connection) -> None:
    write(events_db, Event("a"), Event("b", NOW), Event("c", tenant="two"))
    midnight = LATE.replace(hour=0)
    assert stale_days(events_db) == [("one", midnight), ("two", midnight)]
    refresh(events_db)
    assert stale_days(events_db) == []


def test_a_duplicate_makes_nothing_stale(events_db: psycopg.Connection) -> None:
    write(events_db, Event("a"), Event("b", NOW))
    refresh(events_db)
    assert write(events_db, Event("a", LATE), Event("b", LATE)) == [False, False]
    assert stale_days(events_db) == []


def test_the_day_of_a_write_during_a_refresh_stays_stale(events_db: psycopg.Connection) -> None:
    write(events_db, Event("a"))
    events_db.execute("UPDATE core.stale_event_day SET claimed = version")
    write(events_db, Event("b"))
    row = events_db.execute("SELECT count(*) FROM core.stale_event_day WHERE claimed = version").fetchone()
    assert row == (0,)


def test_an_event_that_a_refresh_came_too_early_for_is_counted(events_db: psycopg.Connection) -> None:
    """It is written below the announced horizon, after its day was refreshed and before that is trusted."""
    moment = OLD_HORIZON + timedelta(days=1)
    write(events_db, Event("a", moment))
    announce(events_db, 60)
    refresh_new_time(events_db)
    write(events_db, Event("b", moment))
    events_db.execute("UPDATE core.horizon SET events_materialized = announced")
    for size in WIDTHS:
        assert (
            [row[3] for row in asked(events_db, "one", size)] == [row[3] for row in seen(events_db, "one", size)] == [2]
        )


@pytest.mark.native
def test_a_refresh_waits_for_writers_that_saw_the_old_horizon(events_db: psycopg.Connection, database_url: str) -> None:
    def refresh_elsewhere() -> None:
        with psycopg.connect(database_url, autocommit=True) as connection:
            refresh(connection)

    refresher = threading.Thread(target=refresh_elsewhere)
    with psycopg.connect(database_url) as writer:
        write(writer, Event("a", OLD_HORIZON + timedelta(days=1)))
        refresher.start()
        refresher.join(1)
        # By what it did, not by whether it is alive: a refresher also leaves where another holds the horizon.
        assert events_db.execute("SELECT materialized FROM core.horizon").fetchone() == (OLD_HORIZON,)
        writer.commit()
    refresher.join()
    refresh(events_db)
    assert [row[3] for row in asked(events_db, "one", "day")] == [1]


def test_rollups_answer_below_the_horizon(events_db: psycopg.Connection) -> None:
    """Events taken away behind the back of the rollups are still counted, but for the ragged end."""
    noon = OLD_HORIZON.replace(hour=12, minute=0)
    write(events_db, *(Event(f"{n}", noon + timedelta(minutes=n, seconds=30)) for n in range(-60, 60)))
    set_setting(events_db, "refresh_lag", "1 day")
    refresh(events_db)
    events_db.execute("DELETE FROM core.event")
    midnight = noon.replace(hour=0)
    assert asked(events_db, "one", "day") == seen(events_db, "one", "day") == [(midnight, "web", "click", 120)]
    end = noon + timedelta(minutes=10, seconds=45)
    assert asked(events_db, "one", "day", None, None, None, end) == [(midnight, "web", "click", 70)]


def test_the_order_is_by_bucket_source_and_type(events_db: psycopg.Connection) -> None:
    names = ["b", "B", "ä", "a", "A"]
    write(events_db, *(Event(f"{s} {t}", LATE, s, t) for s in names for t in names))
    rows = asked(events_db, "one", "hour")
    assert rows == sorted(rows)
    assert len(rows) == 25


def test_an_unknown_tenant_has_no_counts(events_db: psycopg.Connection) -> None:
    assert asked(events_db, "nobody", "day") == []


@pytest.mark.parametrize("size", ["week", "", "MINUTE", None])
def test_another_bucket_size_is_refused(events_db: psycopg.Connection, size: str | None) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue) as caught:
        events_db.execute(ASK, ["one", size, None, None, None, None])
    assert caught.value.diag.message_hint == "It must be one of 1m, 1h, 1d, or minute, hour, day."


def test_infinity_is_no_moment(events_db: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="event_happened_at_a_moment"):
        events_db.execute(WRITE, [["one"], ["a"], ["web"], ["click"], ["infinity"], ["{}"]])


def test_a_session_may_write_dates_as_it_likes(events_db: psycopg.Connection) -> None:
    write(events_db, Event("a", LATE), Event("b", LATE + timedelta(hours=1)), Event("c", NOW))
    expected = asked(events_db, "one", "hour", None, None, LATE, LATE + timedelta(minutes=30))
    assert len(expected) == 1
    with events_db.transaction():
        events_db.execute("SET LOCAL datestyle = 'SQL, DMY'; SET LOCAL timezone = 'Asia/Kolkata'")
        row = events_db.execute(
            "SELECT count(*) FROM api.event_counts('one', 'hour', range_start => %s, range_end => %s)",
            [LATE, LATE + timedelta(minutes=30)],
        ).fetchone()
    assert row == (1,)


def test_whoever_may_read_the_api_needs_no_right_to_the_tables(events_db: psycopg.Connection) -> None:
    write(events_db, Event("a"), Event("b", NOW))
    with events_db.transaction(force_rollback=True):
        events_db.execute("""
            CREATE ROLE test_event_reader;
            GRANT USAGE ON SCHEMA api TO test_event_reader;
            GRANT SELECT ON api.event_counts_1m, api.event_counts_1h, api.event_counts_1d TO test_event_reader;
            GRANT EXECUTE ON FUNCTION api.event_counts TO test_event_reader;
            SET LOCAL ROLE test_event_reader
        """)
        for size in WIDTHS:
            assert asked(events_db, "one", size) == seen(events_db, "one", size) != []
