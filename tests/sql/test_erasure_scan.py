"""Erasing a user, looked at from below: every relation of the database, its statistics and its files."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.support.moments import micros
from tests.support.sql_client import insert, merge
from tests.support.stored import Item, Part

ERASED = "zebra-of-the-scan"
START = datetime(2025, 1, 15, tzinfo=UTC)
END = START + timedelta(days=1)
SAMPLES = """
    SELECT api_internal.merge_samples(
      array_agg(r.user_key), array_agg(m.metric_key), array_agg(r.device_key), array_agg(r.ts), array_agg(r.heart_rate))
      FROM core.reading AS r
     CROSS JOIN core.metric AS m
     WHERE r.user_key = api_internal.find_user('default', %s) AND m.name IN ('spo2', 'body_weight')
"""
VIEWS = [
    "vitals_1m",
    "vitals_15m",
    "vitals_1h",
    "vitals_1d",
    "readings",
    "samples",
    "metrics_15m",
    "metrics_1h",
    "metrics_1d",
    "best_readings",
    "goals",
    "last_seen",
]


def fill(db: psycopg.Connection[Any], user: str) -> None:
    """Write two days of a user on two devices that meet, with samples, and a goal."""
    insert(
        db,
        [
            Item("default", user, device, micros(START + timedelta(minutes=28 * n)), 60 + n % 40, n % 9, 1.5)
            for n in range(100)
            for device in ("watch", "phone")
        ],
    )
    db.execute(SAMPLES, [user])
    merge(
        db,
        [
            Part("default", user, device, kind, "" if kind == "worn" else "steps", micros(START), micros(END), 9.0)
            for device in ("watch", "phone")
            for kind in ("interval", "worn", "daily_total")
        ],
    )
    db.execute("SELECT api.set_goal('default', %s, 'steps', 70000)", [user])


def relations(db: psycopg.Connection[Any]) -> list[tuple[str, list[str]]]:
    """Return every table and materialization, chunks and catalogs included, with its columns of keys of users."""
    return db.execute(
        """
        SELECT c.oid::regclass::text, array(SELECT a.attname::text FROM pg_attribute AS a
                                             WHERE a.attrelid = c.oid AND a.attname = 'user_key' AND NOT a.attisdropped)
          FROM pg_class AS c
         WHERE c.relkind IN ('r', 'm', 'p') AND c.relpersistence = 'p'
        """
    ).fetchall()


def naming(db: psycopg.Connection[Any], name: str, key: int) -> list[str]:
    """Return the relations that have a row with the name, or with the key, of a user."""
    found = []
    for relation, columns in relations(db):
        conditions = [sql.SQL("strpos(r::text, {}) > 0").format(name)]
        conditions += [sql.SQL("r.{} = {}").format(sql.Identifier(column), key) for column in columns]
        query = sql.SQL("SELECT count(*) FROM ONLY {} AS r WHERE {}").format(
            sql.SQL(relation),
            sql.SQL(" OR ").join(conditions),  # type: ignore[arg-type]
        )
        row = db.execute(query).fetchone()
        assert row is not None
        if row[0]:
            found.append(relation)
    return found


def answers(db: psycopg.Connection[Any], user: str) -> list[list[str]]:
    """Return everything that the views and functions answer about a user."""
    rows = [sorted(map(repr, db.execute(f"SELECT * FROM api.{view} WHERE user_id = %s", [user]))) for view in VIEWS]
    daily = "SELECT * FROM api.daily('Asia/Kathmandu', '2025-01-14', '2025-01-20', 'default', %s)"
    return [*rows, sorted(map(repr, db.execute(daily, [user])))]


def key_of(db: psycopg.Connection[Any], user: str) -> int:
    row = db.execute("SELECT api_internal.find_user('default', %s)", [user]).fetchone()
    assert row is not None
    return int(row[0])


def files_naming(db: psycopg.Connection[Any], name: str) -> list[str]:
    """Return the relations whose files hold the bytes of a name."""
    query = """
        SELECT c.oid::regclass::text
          FROM pg_class AS c
         WHERE pg_relation_filepath(c.oid) IS NOT NULL
           AND position(convert_to(%s, 'UTF8') IN pg_read_binary_file(pg_relation_filepath(c.oid), true)) > 0
    """
    return [relation for (relation,) in db.execute(query, [name])]


@pytest.fixture
def known_everywhere(db: psycopg.Connection[Any]) -> int:
    """Bring a user into compressed readings, rollups, marks, goals, populations and statistics; return the key."""
    fill(db, "bob")
    fill(db, ERASED)
    db.execute("CALL api.refresh()")
    db.execute("CALL api.upkeep()")
    insert(
        db,
        [Item("default", user, "watch", micros(START + timedelta(seconds=30)), 99, 1, 1) for user in ("bob", ERASED)],
    )
    db.execute("ANALYZE")
    return key_of(db, ERASED)


def test_no_relation_names_an_erased_user(db: psycopg.Connection[Any], known_everywhere: int) -> None:
    before = naming(db, ERASED, known_everywhere)
    assert {
        "core.app_user",
        "core.goal",
        "core.stale_day",
        "core.sample_series",
        "core.interval_series",
        "pg_statistic",
    } <= set(before)
    assert any("compress" in relation for relation in before), before
    others = answers(db, "bob")
    db.execute("SELECT api.erase_user('default', %s)", [ERASED])
    assert naming(db, ERASED, known_everywhere) == []
    assert answers(db, "bob") == others
    db.execute("CALL api.refresh()")
    db.execute("CALL api.upkeep()")
    assert naming(db, ERASED, known_everywhere) == []
    assert answers(db, "bob") == others


def test_no_file_of_a_table_names_an_erased_user(db: psycopg.Connection[Any], known_everywhere: int) -> None:
    """Once the two tables with names are written again; before that the bytes of deleted rows stay in their pages."""
    db.execute("SELECT api.erase_user('default', %s)", [ERASED])
    # VACUUM keeps what an older snapshot may see, one of autovacuum say.
    for _ in range(60):
        db.execute("VACUUM FULL core.app_user")
        db.execute("VACUUM FULL pg_catalog.pg_statistic")
        db.execute("CHECKPOINT")
        if not files_naming(db, ERASED):
            break
        time.sleep(0.25)
    assert files_naming(db, ERASED) == []
    assert "core.app_user" in files_naming(db, "bob")
