"""Migration 0012 on a database that the release before filled: every answer is right at once, and stays so.

The release is played by hand: its migrations, rows in its tables, and refreshes of its continuous aggregates.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from yoyo import read_migrations
from yoyo.migrations import MigrationList

from scripts.migrate import OneTransaction, migrate
from service.database.schema import MIGRATIONS, migration_names
from tests.support import sql_client
from tests.support.database import new_database, without_jobs
from tests.support.interleaving import NOON
from tests.support.moments import DAY, HOUR, MINUTE, micros, moment
from tests.support.reference_model import Model
from tests.support.stored import Item

OLD_LEVELS = ("device_1m", "user_1m", "user_15m", "user_1h", "user_1d")
MIDNIGHT = NOON - 12 * HOUR
KEPT_FROM = MIDNIGHT - 7 * DAY  # raw readings before were dropped
USERS = ("ada", "bob", "eve")
READING = """
    INSERT INTO core.reading (ts, heart_rate, steps, calories, user_key, device_key)
      SELECT %s, %s, %s, %s, u.user_key, d.device_key FROM core.app_user AS u, core.device AS d
       WHERE u.user_id = %s AND d.device_id = %s
"""
STALE = """
    INSERT INTO core.stale_day (user_key, day, version)
      SELECT user_key, time_bucket('1 day', %s::timestamptz), nextval('core.stale_version')
        FROM core.app_user WHERE user_id = %s
"""


def beat(user: str, device: str, ts: int, steps: int) -> Item:
    return Item("default", user, device, ts, 60.0 + steps, steps, steps / 8)


# Ten days with two devices that meet, but not everywhere; Eve was there on the first days only.
EARLIER = [
    *(
        beat("ada", device, NOON + day * DAY + hour * HOUR + turn * MINUTE, 3 * turn + (device == "phone"))
        for day in range(-10, 1)
        for hour in (-11, -1, 2)
        for device in ("watch", "phone")
        for turn in range(2 if device == "watch" else 4)
    ),
    *(beat("eve", "phone", NOON + day * DAY, 7) for day in (-10, -8)),
]
# What came after the aggregates were refreshed: to a day with raw readings, and to one without, whose chunk came back.
LATE = [beat("ada", "watch", NOON - 3 * DAY + 5 * MINUTE, 90), beat("bob", "phone", NOON - 9 * DAY, 12)]


@pytest.fixture
def url(server_url: str) -> Iterator[str]:
    with new_database(server_url, f"hyperpulse_upgrade_{os.getpid()}") as url:
        yield url


@pytest.fixture
def released(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[psycopg.Connection[Any]], None]:
    """Returns what makes the database one of the release before."""

    def make(db: psycopg.Connection[Any]) -> None:
        for name in migration_names():
            if name < "0012":
                for path in MIGRATIONS.glob(f"{name}*.sql"):
                    shutil.copy(path, tmp_path)
        with monkeypatch.context() as before:
            before.setattr("scripts.migrate.MIGRATIONS", tmp_path)
            before.setattr("scripts.migrate.api_statements", lambda: ["CREATE SCHEMA api"])
            before.setattr("scripts.migrate.api_digest", lambda: "the release before")
            with without_jobs(url):
                assert len(migrate(url).applied) == 11

    return make


@pytest.fixture
def db(url: str, released: Callable[[psycopg.Connection[Any]], None]) -> Iterator[psycopg.Connection[Any]]:
    """A connection to a database of the release before, with readings in it."""
    with psycopg.connect(url, autocommit=True, options="-c timezone=UTC") as connection:
        released(connection)
        fill(connection)
        yield connection


def fill(db: psycopg.Connection[Any]) -> None:
    """Do what the release before did in ten days."""
    db.execute("INSERT INTO core.tenant (tenant_id) VALUES ('default')")
    db.execute("INSERT INTO core.app_user (tenant_key, user_id) VALUES (1, 'ada'), (1, 'bob'), (1, 'eve')")
    db.execute("INSERT INTO core.device (tenant_key, device_id, priority) VALUES (1, 'watch', 999), (1, 'phone', 999)")
    db.execute("UPDATE core.horizon SET materialized = %s, announced = %s", [moment(NOON), moment(NOON + 15 * MINUTE)])
    read(db, EARLIER)
    for level in OLD_LEVELS:
        width = {"user_1h": HOUR, "user_1d": DAY}.get(level, 15 * MINUTE)
        ends = [moment(NOON - 20 * DAY), moment(NOON // width * width)]
        db.execute(f"CALL refresh_continuous_aggregate('rollup.{level}', %s, %s)".encode(), ends)
    db.execute(
        "SELECT compress_chunk(c) FROM show_chunks('core.reading', older_than => %s) AS c", [moment(KEPT_FROM + DAY)]
    )
    db.execute("SELECT drop_chunks('core.reading', older_than => %s)", [moment(KEPT_FROM)])
    read(db, LATE)
    for item in LATE:
        db.execute(STALE, [moment(item.ts), item.user])


def read(db: psycopg.Connection[Any], items: list[Item]) -> None:
    rows = [(moment(item.ts), *item[4:], item.user, item.device) for item in items]
    db.cursor().executemany(READING, rows)


def everything() -> Model:
    model = Model()
    model.write([beat("ada", "watch", NOON, 0)])  # who is registered first
    model = Model(devices=model.devices)
    for user in USERS:
        model.readings["default", user] = {}
    model.write(EARLIER + LATE)
    return model


def wrong(db: psycopg.Connection[Any], model: Model, since: int = NOON - 20 * DAY) -> list[str]:
    """Ask about everybody, from a moment on; return what is answered wrongly."""
    found = []
    asked: list[tuple[str, Any, Any]] = [("seen", sql_client.seen(db, "default"), model.seen("default"))]
    for user in USERS:
        who = ("default", user)
        asked.append((f"latest of {user}", sql_client.latest(db, *who), model.latest(*who)))
        worn = sorted({device for device, ts in model.readings.get(who, {}) if ts >= since})
        asked.append((f"devices of {user}", sorted(sql_client.worn(db, *who, since, NOON + DAY)), worn))
        spans = [(since, NOON + 3 * DAY), (NOON - 9 * DAY, NOON - 8 * DAY + 2 * HOUR), (NOON - 3 * DAY, NOON)]
        for start, end in ((start, end) for start, end in spans if start >= since):
            for device in (None, "watch", "phone"):
                span = (*who, start, end)
                got = sql_client.summary(db, *span, device)
                asked.append((f"summary of {span} {device}", got, model.summary(*span, device)))
                for bucket, tz in (
                    ("1m", "UTC"),
                    ("15m", "UTC"),
                    ("1h", "UTC"),
                    ("1d", "UTC"),
                    ("1d", "Europe/Berlin"),
                ):
                    points = sql_client.series(db, *span, bucket, tz, 100_000, device)[0]
                    asked.append((f"{bucket} of {span} {device} {tz}", points, model.series(*span, bucket, tz, device)))
            for bucket in ("1m", "15m", "1h", "1d"):
                asked.append(
                    (f"vitals_{bucket} of {span}", sql_client.vitals(db, *span, bucket), model.vitals(*span, bucket))
                )
    for what, got, right in asked:
        if got != right:
            found.append(f"{what}: {got} instead of {right}")
    return found


def raw_from(db: psycopg.Connection[Any]) -> Any:
    row = db.execute("SELECT CASE WHEN isfinite(raw_from) THEN raw_from END FROM core.horizon").fetchone()
    assert row is not None
    return None if row[0] is None else micros(row[0])


def roll_back_to_the_release(db: psycopg.Connection[Any]) -> None:
    """Undo what came after it."""
    with db.transaction():
        db.execute("SET LOCAL search_path = migration, public")
        db.execute("DROP SCHEMA api, api_internal CASCADE")
        backend = OneTransaction(db)
        newer = [m for m in backend.to_rollback(read_migrations(str(MIGRATIONS))) if m.id >= "0012"]
        backend.rollback_migrations(MigrationList(newer))


def test_every_answer_is_right_after_the_upgrade(db: psycopg.Connection[Any], url: str) -> None:
    model = everything()
    assert migrate(url).applied[0] == "0012-granular-rollups"
    assert raw_from(db) == KEPT_FROM
    assert wrong(db, model) == []
    sql_client.refresh(db, NOON + 2 * DAY)
    assert sql_client.stale_days(db) == 0
    assert wrong(db, model) == []
    assert sql_client.drift(db, NOON - 20 * DAY, NOON + 2 * DAY) == []
    assert sql_client.sources(db, "default", "ada", MIDNIGHT - 10 * DAY, MIDNIGHT) == {"1d"}
    with pytest.raises(psycopg.errors.CheckViolation, match="Accepted is what lies from 2024-03-11 00:00:00"):
        sql_client.insert(db, [beat("ada", "watch", KEPT_FROM - MINUTE, 1)])
    # Retention goes on.
    db.execute("UPDATE core.setting SET value = '30 days' WHERE name = 'raw_retention'")
    db.execute("CALL api.upkeep()")
    assert db.execute("SELECT count(*) FROM core.reading WHERE ts < %s", [moment(MIDNIGHT)]).fetchone() == (0,)
    by_minute = [what for what in wrong(db, model) if not what.startswith(("1m", "vitals_1m"))]
    assert by_minute == []


def test_an_erasure_leaves_nothing_of_kept_minutes(db: psycopg.Connection[Any], url: str) -> None:
    migrate(url)
    model = everything()
    model.erase("default", "ada")
    assert sql_client.erase(db, "default", "ada") > 0
    assert sql_client.keyless(db) == []
    assert wrong(db, model) == []


def test_the_upgrade_is_undone_where_nothing_is_lost_by_it(db: psycopg.Connection[Any], url: str) -> None:
    model = everything()
    migrate(url)
    sql_client.refresh(db, NOON + 2 * DAY)
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="raw readings do not") as refused:
        roll_back_to_the_release(db)
    assert "Restore a backup" in str(refused.value.diag.message_hint)
    assert wrong(db, model) == []
    db.execute("UPDATE core.horizon SET raw_from = '-infinity'")
    horizon = sql_client.horizon(db)
    assert horizon > NOON + 2 * DAY  # migration 0020 announces one about now, whatever the refresh asks for
    roll_back_to_the_release(db)
    levels = db.execute(
        "SELECT view_name FROM timescaledb_information.continuous_aggregates WHERE view_schema = 'rollup'"
    )
    assert {name for (name,) in levels.fetchall()} >= set(OLD_LEVELS)
    assert sql_client.horizon(db) == horizon
    assert db.execute("SELECT count(*) FROM core.stale_day WHERE day >= %s", [moment(KEPT_FROM)]).fetchone() == (8,)
    migrate(url)
    kept = Model(devices=model.devices)
    kept.readings = {who: {k: v for k, v in was.items() if k[1] >= KEPT_FROM} for who, was in model.readings.items()}
    kept.readings["default", "bob"] = model.readings["default", "bob"]
    for _ in range(2):
        assert wrong(db, kept, KEPT_FROM) == []
        assert sql_client.drift(db, NOON - 20 * DAY, NOON + 2 * DAY) == []
        sql_client.refresh(db, NOON + 2 * DAY)
        assert sql_client.stale_days(db) == 0
