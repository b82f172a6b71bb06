"""api_internal.write_readings: what it stores, keeps, counts and announces."""

from __future__ import annotations

import hashlib
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from service.live.notifications import Change, Unreadable, split_origin, unpack_changes
from service.model.pg_time import to_micros
from tests.support.database import listen

NOON = datetime(2025, 1, 15, 12, tzinfo=UTC)
CALL = "SELECT api_internal.write_readings(%s, %s, %s, %s::timestamptz[], %s::float8[], %s::int[], %s::float8[])"


def write(db: psycopg.Connection, *readings: dict[str, Any]) -> list[str]:
    """Write readings; each is a dict of user, device, ts and metrics, all with defaults."""
    columns = [
        ["default" for _ in readings],
        [reading.get("user", "ada") for reading in readings],
        [reading.get("device", "watch") for reading in readings],
        [reading.get("ts", NOON) for reading in readings],
        [reading.get("heart_rate") for reading in readings],
        [reading.get("steps") for reading in readings],
        [reading.get("calories") for reading in readings],
    ]
    row = db.execute(CALL, columns).fetchone()
    assert row is not None
    return list(row[0])


def stored(db: psycopg.Connection) -> list[tuple[Any, ...]]:
    query = "SELECT user_id, device_id, heart_rate, steps, calories FROM api.readings ORDER BY 1, 2, ts"
    return db.execute(query).fetchall()


def test_a_reading_is_inserted_then_unchanged_then_updated(db: psycopg.Connection) -> None:
    assert write(db, {"heart_rate": 70.5}) == ["inserted"]
    assert write(db, {"heart_rate": 70.5}) == ["unchanged"]
    assert write(db, {"heart_rate": 71}) == ["updated"]
    assert stored(db) == [("ada", "watch", 71, None, None)]


def test_fields_that_are_not_carried_are_kept(db: psycopg.Connection) -> None:
    write(db, {"heart_rate": 70, "steps": 3})
    assert write(db, {"calories": 1.5}) == ["updated"]
    assert write(db, {"steps": 3}) == ["unchanged"]
    assert stored(db) == [("ada", "watch", 70, 3, 1.5)]


def test_each_item_has_its_own_outcome(db: psycopg.Connection) -> None:
    write(db, {"user": "b", "steps": 1}, {"user": "c", "steps": 1})
    items = [{"user": user, "steps": steps} for user, steps in (("d", 1), ("c", 2), ("b", 1), ("a", 1))]
    assert write(db, *items) == ["inserted", "updated", "unchanged", "inserted"]


def test_a_batch_of_many_days_is_told_apart(db: psycopg.Connection) -> None:
    """More days than are looked into before writing."""
    days = [{"ts": NOON + timedelta(days=day), "steps": day} for day in range(60)]
    assert write(db, *days[::2]) == ["inserted"] * 30
    days[2] = {**days[2], "steps": 1000}
    assert write(db, *days) == ["unchanged", "inserted", "updated", "inserted"] + ["unchanged", "inserted"] * 28


def test_a_batch_of_which_half_is_known_takes_no_longer_for_each(db: psycopg.Connection) -> None:
    """It took ten times as long when what was written was joined with all others by nested loops."""
    fresh, half = [], []
    for user in ("ada", "bea"):
        batch = [{"user": user, "ts": NOON + timedelta(seconds=second), "steps": 1} for second in range(8000)]
        begun = time.perf_counter()
        assert set(write(db, *batch[::2])) == {"inserted"}
        between = time.perf_counter()
        assert write(db, *batch) == ["unchanged", "inserted"] * 4000
        fresh.append(between - begun)
        half.append(time.perf_counter() - between)
    assert min(half) < 6 * min(fresh)


def test_devices_are_registered_in_order_of_appearance(db: psycopg.Connection) -> None:
    write(db, *({"device": device, "steps": 1} for device in ("zz", "device_b", "aa", "device_a")))
    rows = db.execute("SELECT device_id, priority FROM api.devices ORDER BY registered_at").fetchall()
    keys = db.execute("SELECT device_id FROM core.device ORDER BY device_key").fetchall()
    assert [key for (key,) in keys] == ["zz", "device_b", "aa", "device_a"]
    assert dict(rows) == {"zz": 999, "device_b": 2, "aa": 999, "device_a": 1}


def test_one_name_in_two_tenants_is_two_people(db: psycopg.Connection) -> None:
    for tenant in ("one", "two"):
        db.execute(CALL, [[tenant], ["ada"], ["watch"], [NOON], [70], [None], [None]])
    assert db.execute("SELECT tenant_id, user_id FROM api.users ORDER BY 1").fetchall() == [
        ("one", "ada"),
        ("two", "ada"),
    ]


@pytest.mark.parametrize(
    ("reading", "constraint"),
    [
        ({"heart_rate": 29.9}, "heart_rate_in_range"),
        ({"heart_rate": float("nan")}, "heart_rate_in_range"),
        ({"steps": -1}, "steps_in_range"),
        ({"calories": float("inf")}, "calories_in_range"),
        ({}, "something_was_measured"),
        ({"user": "", "steps": 1}, "user_id_has_1_to_128_characters"),
    ],
)
def test_the_tables_refuse_what_the_door_does(db: psycopg.Connection, reading: dict[str, Any], constraint: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        write(db, reading)
    assert caught.value.diag.constraint_name is not None
    assert constraint in caught.value.diag.constraint_name
    assert stored(db) == []


def announced(db: psycopg.Connection) -> list[str]:
    """Return the payloads of the notifications that have come."""
    return [notification.payload for notification in db.notifies(timeout=0.5)]


def test_changes_are_announced_once_for_each_batch(db: psycopg.Connection) -> None:
    listen(db)
    later = NOON + timedelta(hours=1, microseconds=7)
    write(db, *({"user": f"u{user}", "ts": ts, "steps": 1} for user in range(3) for ts in (later, NOON)))
    write(db, {"user": "u0", "steps": 1})
    (payload,) = announced(db)
    changes: dict[int, Change] = {}
    unpack_changes(split_origin(payload)[1], changes)
    assert list(changes.values()) == [Change(2, to_micros(NOON), to_micros(later))] * 3
    keys = db.execute("SELECT array_agg(user_key) FROM core.app_user").fetchone()
    assert keys is not None
    assert changes.keys() == set(keys[0])


def test_an_announcement_of_many_users_fits(db: psycopg.Connection) -> None:
    listen(db)
    write(db, *({"user": f"u{user}", "steps": 1} for user in range(1000)))
    payloads = announced(db)
    changes: dict[int, Change] = {}
    for payload in payloads:
        unpack_changes(split_origin(payload)[1], changes)
    assert len(changes) == 1000
    assert max(map(len, payloads)) < 8000


def test_notifications_that_are_alike_all_come(db: psycopg.Connection) -> None:
    """PostgreSQL delivers what is the same only once for a transaction."""
    listen(db)
    db.execute("SELECT api_internal.announce(array_fill(1, ARRAY[2000]), array_fill(now(), ARRAY[2000]))")
    changes: dict[int, Change] = {}
    for payload in announced(db):
        unpack_changes(split_origin(payload)[1], changes)
    assert changes[1].count == 2000


def test_a_mark_stands_before_each_announcement_and_alone_without_readings(db: psycopg.Connection) -> None:
    listen(db)
    mark = "m" * 40
    call = "SELECT api_internal.announce(array_agg(n), array_agg(now()), %s) FROM generate_series(1, 1000) AS n"
    db.execute(call, [mark])
    payloads = announced(db)
    changes: dict[int, Change] = {}
    for payload in payloads:
        said, packed = split_origin(payload)
        assert said == mark
        assert len(payload) < 8000
        unpack_changes(packed, changes)
    assert len(changes) == 1000
    db.execute("SELECT api_internal.announce('{}', '{}', %s)", [mark])
    assert announced(db) == [f"{mark}:"]


def test_an_announcement_of_too_many_says_so_shortly(db: psycopg.Connection) -> None:
    db.execute("SELECT api_internal.enrol_users(ARRAY['default'], ARRAY['ada'])")
    listen(db)
    db.execute("SELECT api_internal.announce(array_agg(n), array_agg(now())) FROM generate_series(1, 20001) AS n")
    db.execute("SELECT api_internal.announce('{}', '{}'), api_internal.announce(NULL, NULL)")
    assert announced(db) == [f"{hashlib.sha256(b'default').hexdigest()}:many"]


@pytest.mark.parametrize("payload", ["many", "", "[[1, 2]]", "AAAA", "ü" * 100, "A" * 4000])
def test_what_is_no_announcement_is_noticed(payload: str) -> None:
    with pytest.raises(Unreadable):
        unpack_changes(payload, {})
