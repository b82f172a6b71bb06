"""A database whose horizon moves only when a test moves it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from zoneinfo import TZPATH, ZoneInfo, reset_tzpath

import psycopg
import pytest

from tests.support import sql_client
from tests.support.database import empty
from tests.support.interleaving import BEFORE, Stage

JOBS = "SELECT job_id FROM timescaledb_information.jobs WHERE proc_schema = 'core' AND scheduled"

HORIZON = "SELECT materialized, announced, events_materialized FROM core.horizon"
MOVED = "UPDATE core.horizon SET materialized = %s, announced = %s, events_materialized = %s"


@pytest.fixture(autouse=True, scope="package")
def rules_of_the_database(is_embedded: bool) -> Iterator[None]:
    """Take the time zones of PyPI's tzdata, which the embedded database has; a native one has those of its machine."""
    before = TZPATH
    if is_embedded:
        reset_tzpath(())
        ZoneInfo.clear_cache()
    yield
    reset_tzpath(before)
    ZoneInfo.clear_cache()


@contextmanager
def quiet(db: psycopg.Connection[Any]) -> Iterator[None]:
    """Stop the jobs of the database, and put them, its settings and its horizon back afterwards."""
    jobs = [job for (job,) in db.execute(JOBS).fetchall()]
    settings = db.execute("SELECT value, name FROM core.setting").fetchall()
    horizon = db.execute(HORIZON).fetchone()
    for job in jobs:
        db.execute("SELECT alter_job(%s, scheduled => false)", [job])
    # A job that runs already holds this lock.
    with db.transaction():
        db.execute("LOCK TABLE core.refresh_lock IN EXCLUSIVE MODE")
    try:
        yield
    finally:
        db.execute("SET timezone = 'UTC'")
        empty(db)
        db.cursor().executemany("UPDATE core.setting SET value = %s WHERE name = %s", settings)
        db.execute(MOVED, horizon)
        for job in jobs:
            db.execute("SELECT alter_job(%s, scheduled => true)", [job])


@pytest.fixture
def calm(db: psycopg.Connection[Any]) -> Iterator[psycopg.Connection[Any]]:
    """The empty database with no job running, as in all tests, and its horizon put back afterwards."""
    horizon = db.execute(HORIZON).fetchone()
    yield db
    db.execute(MOVED, horizon)


@pytest.fixture
def stage(calm: psycopg.Connection[Any], database_url: str) -> Iterator[Stage]:
    """The place where scenarios are played out."""
    sql_client.place_horizon(calm, BEFORE)
    with ExitStack() as exits:
        yield Stage(calm, database_url, exits)
