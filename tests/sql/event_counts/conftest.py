"""The database, as tests of counts of events find it."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.sql.event_counts.given import OLD_HORIZON, refresh, set_horizon, set_setting


@pytest.fixture
def events_db(db: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """The database with an old horizon and no refresh but the test's own."""
    db.execute(
        "TRUNCATE core.stale_event_day; TRUNCATE rollup.event_1m; TRUNCATE rollup.event_1h; TRUNCATE rollup.event_1d"
    )
    before = db.execute("SELECT name, value FROM core.setting WHERE name LIKE 'refresh%'").fetchall()
    set_horizon(db, OLD_HORIZON)
    yield db
    for name, value in before:
        set_setting(db, name, value)
    refresh(db)
