"""Pages of readings and of users, asked as a person with psql asks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

NOON = datetime(2025, 1, 15, 12, tzinfo=UTC)
INSERT = "INSERT INTO api.readings (user_id, device_id, ts, steps) VALUES ('ada', %s, %s, 1)"


def page(db: psycopg.Connection, start: object, end: object, **more: object) -> list[datetime]:
    named = "".join(f", {name} => %({name})s" for name in more)
    arguments = f"'default', 'ada', %(start)s::timestamptz, %(end)s::timestamptz{named}"
    query = f"SELECT ts FROM api_internal.user_readings({arguments})"
    return [ts for (ts,) in db.execute(query.encode(), {"start": start, "end": end, **more}).fetchall()]


@pytest.mark.parametrize("away", [0, 1, 3, 7, 100, 5000])
def test_a_page_reaches_over_any_gap(db: psycopg.Connection, away: int) -> None:
    moments = [NOON - timedelta(days=away), NOON + timedelta(microseconds=1)]
    for moment in moments:
        db.execute(INSERT, ["watch", moment])
    assert page(db, moments[0], moments[1] + timedelta(microseconds=1)) == moments
    assert page(db, "-infinity", "infinity") == page(db, None, None) == moments
    assert page(db, "-infinity", "infinity", after_ts=moments[0], after_device_id="watch") == moments[1:]
    assert page(db, moments[0], moments[1]) == moments[:1]


@pytest.mark.parametrize(
    ("start", "end", "more"),
    [
        ("infinity", "-infinity", {}),
        ("infinity", "infinity", {}),
        ("-infinity", "-infinity", {}),
        (NOON, NOON, {}),
        (None, NOON, {}),
        (NOON, "infinity", {"most": 0}),
        (NOON, "infinity", {"device_id": "nothing"}),
    ],
)
def test_an_empty_page_comes_to_an_end(
    db: psycopg.Connection, start: object, end: object, more: dict[str, object]
) -> None:
    db.execute(INSERT, ["watch", NOON])
    assert page(db, start, end, **more) == []


def test_a_page_of_a_dense_day_reads_little_of_it(db: psycopg.Connection, is_embedded: bool) -> None:
    """Two devices, a reading a second each: sixty thousand readings, some hundred of them to a block."""
    for device in ("watch", "ring"):
        db.execute(INSERT, [device, NOON])
    db.execute(
        "INSERT INTO core.reading (user_key, device_key, ts, steps) "
        "SELECT user_key, device_key, ts + n * INTERVAL '1 second', 1 FROM core.reading, generate_series(1, 30000) AS n"
    )
    later = NOON + timedelta(hours=5)
    asked = {"after_ts": later, "after_device_id": "ring", "most": 5}
    page(db, None, None, **asked)  # so that the session knows the catalogs
    row = db.execute(
        "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "
        "SELECT * FROM api_internal.user_readings('default', 'ada', NULL, NULL, "
        "NULL, %(after_ts)s, %(after_device_id)s, %(most)s)",
        asked,
    ).fetchone()
    assert row is not None
    plan = row[0][0]["Plan"]
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < (400 if is_embedded else 250)
    found = [later, *(later + timedelta(seconds=n) for n in (1, 1, 2, 2))]
    assert page(db, None, None, **asked) == found


def test_who_was_seen_is_known_beyond_raw_retention(db: psycopg.Connection) -> None:
    db.execute(INSERT, ["watch", NOON])
    db.execute("CALL api.refresh()")
    db.execute("SELECT drop_chunks('core.reading', older_than => '2025-02-01Z'::timestamptz)")
    assert db.execute("SELECT * FROM api_internal.seen_users('default')").fetchall() == [("ada", NOON)]


@pytest.mark.parametrize(
    ("moment", "written"),
    [
        ("2024-01-15T10:00:00Z", "2024-01-15T10:00:00Z"),
        ("2024-01-15T10:00:00.5Z", "2024-01-15T10:00:00.5Z"),
        ("2024-01-15T10:00:00.000010Z", "2024-01-15T10:00:00.00001Z"),
        ("2024-01-10T10:20:30Z", "2024-01-10T10:20:30Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("2024-01-15T12:00:00+02:00", "2024-01-15T10:00:00Z"),
    ],
)
def test_a_moment_is_written_as_the_service_does(db: psycopg.Connection, moment: str, written: str) -> None:
    db.execute("SET timezone = 'America/New_York'")
    assert db.execute("SELECT api_internal.iso_moment(%s)", [moment]).fetchone() == (written,)
