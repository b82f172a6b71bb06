"""The migration that fills four hours from hours, against the same four hours kept by refreshes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from scripts.migrate import MIGRATIONS
from tests.sql.people import FILL
from tests.support.database import prepared_database

USERS = "SELECT * FROM rollup.user_4h ORDER BY user_key, bucket"
DEVICES = "SELECT * FROM rollup.device_4h ORDER BY user_key, bucket, device_key"


@pytest.fixture(scope="module")
def db(server_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A database of its own, with two users of two devices each that were refreshed."""
    with (
        prepared_database(server_url, f"hyperpulse_four_hours_{os.getpid()}") as url,
        psycopg.connect(url, autocommit=True, options="-c timezone=UTC") as connection,
    ):
        connection.execute(FILL)
        connection.execute("CALL api.refresh()")
        yield connection


def test_the_migration_fills_what_refreshes_keep(db: psycopg.Connection[Any]) -> None:
    kept = [db.execute(query).fetchall() for query in (USERS, DEVICES)]
    assert all(len(rows) > 200 for rows in kept)
    with db.transaction():
        db.execute((MIGRATIONS / "0017-four-hours.rollback.sql").read_bytes())
        db.execute((MIGRATIONS / "0017-four-hours.sql").read_bytes())
    assert [db.execute(query).fetchall() for query in (USERS, DEVICES)] == kept


def test_what_is_stale_is_the_next_refresh_s(db: psycopg.Connection[Any]) -> None:
    """Hours that are out of date are added up as they are; their marks stay, and so does every answer."""
    days = "SELECT * FROM api.daily('Asia/Kathmandu') ORDER BY 1, 2, 3"
    db.execute(
        """
        DELETE FROM api.readings
         WHERE user_id = '101' AND extract(hour FROM ts AT TIME ZONE 'UTC') BETWEEN 9 AND 14
           AND ts BETWEEN now() - INTERVAL '9 days' AND now() - INTERVAL '4 days'
        """
    )
    before = db.execute(days).fetchall()
    with db.transaction():
        db.execute((MIGRATIONS / "0017-four-hours.rollback.sql").read_bytes())
        db.execute((MIGRATIONS / "0017-four-hours.sql").read_bytes())
    assert db.execute(days).fetchall() == before
    db.execute("CALL api.refresh()")
    assert db.execute(days).fetchall() == before
    kept = "SELECT * FROM api.verify(now() - INTERVAL '40 days', now()) WHERE problem IS NOT NULL"
    assert db.execute(kept).fetchall() == []
