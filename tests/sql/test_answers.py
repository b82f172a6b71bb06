"""What answers: plans kept in a session stay right, and one question is answered from one snapshot."""

from __future__ import annotations

import time
from typing import Any, LiteralString

import psycopg
import pytest

from tests.support import sql_client
from tests.support.interleaving import NOON, beat
from tests.support.moments import DAY, HOUR, MINUTE
from tests.support.reference_model import Model

ANSWERING = (
    "summary",
    "series",
    "route_range",
    "rows",
    "device_rows",
    "local_days",
    "daily",
    "home_daily",
    "days_of",
    "rolled_days",
    "minutes",
    "device_minutes",
    "raw_readings",
    "latest",
    "latest_values",
    "recent_values",
    "quarter_values",
    "older_values",
    "minutes_with_intervals",
    "counted_minutes",
    "overlapping_intervals",
    "amounts",
    "counted_totals",
    "sample_rows",
    "sample_part_rows",
    "sample_meetings",
    "sample_local_days",
    "raw_sample_rows",
    "sample_buckets",
    "instant_buckets",
    "counted_buckets",
    "unrolled_samples",
)
YEAR = 365 * DAY


@pytest.mark.parametrize("name", ANSWERING)
def test_one_question_is_answered_from_one_snapshot(db: psycopg.Connection[Any], name: str) -> None:
    """A volatile function would take a snapshot of its own for each of its statements."""
    found = db.execute(
        "SELECT DISTINCT provolatile FROM pg_proc"
        " WHERE pronamespace IN ('api'::regnamespace, 'api_internal'::regnamespace) AND proname = %s",
        [name],
    ).fetchall()
    assert found
    assert ("v",) not in found


def test_plans_kept_in_a_session_see_chunks_made_since(db: psycopg.Connection[Any], database_url: str) -> None:
    """Ten years, so that every rollup gets chunks that were not there when the question was planned."""
    model = Model()
    with psycopg.connect(database_url, autocommit=True, options="-c timezone=UTC") as asker:
        for years in range(10):
            then = NOON - years * YEAR
            items = [beat("watch", then, 100 + years), beat("watch", then + HOUR, years)]
            sql_client.write(db, items)
            model.write(items)
            sql_client.refresh(db, NOON + 2 * DAY)
            for range_ in ((then - HOUR + MINUTE, NOON + 2 * DAY), (then - 2 * DAY, then + 2 * DAY)):
                assert sql_client.summary(asker, "default", "ada", *range_) == model.summary("default", "ada", *range_)
                for bucket, tz in (("1d", "UTC"), ("1d", "Europe/Berlin"), ("1d", "Asia/Kathmandu"), ("1mo", "UTC")):
                    question = ("default", "ada", *range_, bucket, tz)
                    assert sql_client.series(asker, *question)[0] == model.series(*question), question


def test_latest_values_do_not_read_a_dense_day(db: psycopg.Connection[Any]) -> None:
    """A reading a second: sorting the day took thirty times as long as counting it, for each question."""
    sql_client.write(db, [beat("watch", NOON, 1)])
    db.execute(
        "INSERT INTO core.reading (user_key, device_key, ts, heart_rate, steps, calories)"
        " SELECT r.user_key, r.device_key, time_bucket('1 day', r.ts) + n * INTERVAL '1 second', 70, 1, 1"
        " FROM core.reading AS r, generate_series(1, 86399) AS n ON CONFLICT DO NOTHING"
    )
    assert seconds_of(db, "SELECT * FROM api.latest('default', 'ada')") < 2 * seconds_of(
        db, "SELECT count(*), sum(heart_rate) FROM core.reading"
    )


def seconds_of(db: psycopg.Connection[Any], question: LiteralString) -> float:
    """Return how long a question takes at best."""
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        assert db.execute(question).fetchall()
        times.append(time.perf_counter() - begun)
    return min(times)
