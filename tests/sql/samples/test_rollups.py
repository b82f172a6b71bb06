"""Rollups of samples: what the migration makes of samples that are there, what a refresh costs, and what it leaves."""

from __future__ import annotations

import os
from typing import Any

import psycopg

from scripts.migrate import MIGRATIONS, migrate
from tests.support import sql_client
from tests.support.database import prepared_database
from tests.support.interleaving import NOON
from tests.support.moments import DAY, HOUR, MINUTE, moment
from tests.support.sample_model import Model
from tests.support.samples import Question, Sample, series, summary, write_samples
from tests.support.stored import Part

TENANT = "default"
ASKED = Question("ada", NOON - 3 * DAY, NOON + 3 * DAY, ("spo2", "hydration"), None, "1h", "UTC", 30)
MARKS = "SELECT count(*) FROM core.stale_day WHERE sample_quarters IS NOT NULL"
VERSIONS = "SELECT tableoid, ctid, xmin::text FROM rollup.{}"


def two_days(db: psycopg.Connection[Any]) -> Model:
    """Write values of a device below the horizon and above it, and some minutes of another beside them."""
    model = Model()
    samples = [
        Sample("ada", device, metric, NOON + day * DAY + n * step, 90 + n % 9)
        for day in (-1, 0, 1)
        for metric, device, step, times in (
            ("spo2", "watch", MINUTE, 90),
            ("hydration", "phone", HOUR, 3),
            ("spo2", "ring", 7 * MINUTE, 5),
        )
        for n in range(times)
    ]
    write_samples(db, TENANT, samples)
    model.write(samples)
    return model


def agrees(db: psycopg.Connection[Any], model: Model) -> bool:
    right = (model.summary(ASKED), model.series(ASKED))
    return (summary(db, TENANT, ASKED), series(db, TENANT, ASKED)) == right


def test_the_migration_marks_what_is_there(server_url: str) -> None:
    """Answers are right before the first refresh, and after it."""
    with (
        prepared_database(server_url, f"hyperpulse_sample_rollups_{os.getpid()}") as url,
        psycopg.connect(url, autocommit=True, options="-c timezone=UTC") as db,
    ):
        sql_client.place_horizon(db, NOON + 2 * HOUR)
        model = two_days(db)
        sql_client.refresh(db, NOON + 3 * HOUR)
        with db.transaction():
            db.execute("DROP SCHEMA api, api_internal CASCADE")
            for file in ("0029-sample-rollups.rollback.sql", "0029-sample-rollups.sql"):
                db.execute((MIGRATIONS / file).read_bytes())
        migrate(url)
        assert agrees(db, model)
        assert db.execute(MARKS).fetchone() == (2,)
        sql_client.refresh(db, NOON + 3 * HOUR)
        assert db.execute(MARKS).fetchone() == (0,)
        assert agrees(db, model)
        sql_client.refresh(db, NOON + 3 * DAY)
        assert agrees(db, model)
        assert sql_client.drift(db, NOON - 3 * DAY, NOON + 3 * DAY) == []


def versions(db: psycopg.Connection[Any]) -> set[Any]:
    rows: set[Any] = set()
    for level in sql_client.SAMPLE_LEVELS:
        rows.update(db.execute(VERSIONS.format(level).encode()).fetchall())
    return rows


def test_what_did_not_change_is_not_written(db: psycopg.Connection[Any]) -> None:
    """Neither by a refresh of the same, nor beside a late value."""
    model = two_days(db)
    db.execute("CALL api.refresh()")
    before = versions(db)
    assert before
    db.execute(
        "INSERT INTO core.stale_day (user_key, day, quarters, sample_quarters) "
        "SELECT user_key, time_bucket('1 day', %s::timestamptz), B'0'::bit(96), ~ B'0'::bit(96) FROM core.app_user",
        [moment(NOON)],
    )
    db.execute("CALL api.refresh()")
    assert versions(db) == before
    late = [Sample("ada", "watch", "spo2", NOON + 100 * MINUTE, 70)]
    write_samples(db, TENANT, late)
    model.write(late)
    assert db.execute(MARKS).fetchone() == (1,)
    db.execute("CALL api.refresh()")
    # A quarter and an hour of one device are new; the day, its user's and the watch's, has other figures.
    assert len(versions(db) - before) == 4
    assert agrees(db, model)


def test_the_first_interval_of_a_sum_is_no_drift(db: psycopg.Connection[Any]) -> None:
    """From then on rollups have no lowest, highest and last value of it, where those before have them."""
    sql_client.place_horizon(db, NOON - 2 * DAY)
    write_samples(
        db, TENANT, [Sample("ada", device, "hydration", NOON + n * HOUR, 90) for n in (0, 1) for device in "ab"]
    )
    sql_client.refresh(db, NOON + 2 * DAY)
    hydration = Part(TENANT, "ada", "watch", "interval", "hydration", NOON + 9 * HOUR, NOON + 10 * HOUR, 250.0)
    sql_client.merge(db, [hydration])
    sql_client.refresh(db, NOON + 2 * DAY)
    assert sql_client.drift(db, NOON - 3 * DAY, NOON + 3 * DAY) == []
