"""TimescaleDB's jobs are called when due, and their statistics are kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psycopg

from tests.embedded.conftest import Start


def eventually(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Ask until the answer is true."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)
    return answer


def test_jobs_run_and_a_failing_one_does_not_stop_others(start: Start) -> None:
    server = start(jobs_interval=0.1)
    with psycopg.connect(server.url, autocommit=True) as one:
        one.execute("CREATE TABLE seen (job int)")
        one.execute(
            "CREATE PROCEDURE bad(job_id int, config jsonb) LANGUAGE plpgsql AS $$BEGIN RAISE 'on purpose'; END$$"
        )
        one.execute(
            "CREATE PROCEDURE good(job_id int, config jsonb) LANGUAGE plpgsql AS"
            " $$BEGIN INSERT INTO public.seen VALUES (job_id); COMMIT; INSERT INTO public.seen VALUES (job_id); END$$"
        )
        bad = one.execute("SELECT add_job('bad', '1 hour')").fetchone()
        good = one.execute("SELECT add_job('good', '1 second')").fetchone()
        assert bad is not None
        assert good is not None

        def runs(job: int, outcome: str) -> int:
            query = f"SELECT coalesce(max(total_{outcome}), 0) FROM timescaledb_information.job_stats WHERE job_id = %s"
            row = one.execute(query, (job,)).fetchone()
            assert row is not None
            return int(row[0])

        eventually(lambda: runs(bad[0], "failures") == 1)
        eventually(lambda: runs(good[0], "successes") >= 2)
        assert one.execute("SELECT count(*) >= 4 FROM seen WHERE job = %s", (good[0],)).fetchone() == (True,)
        status = one.execute(
            "SELECT last_run_status, next_start > now() FROM timescaledb_information.job_stats WHERE job_id = %s",
            (bad[0],),
        ).fetchone()
        assert status == ("Failed", True)
    assert f"job {bad[0]} failed: on purpose" in server.log


def test_a_refresh_policy_materializes(start: Start) -> None:
    server = start(jobs_interval=0.1)
    with psycopg.connect(server.url, autocommit=True) as one:
        one.execute("CREATE TABLE pulse (ts timestamptz NOT NULL, v int)")
        one.execute("SELECT create_hypertable('pulse', 'ts')")
        one.execute("INSERT INTO pulse SELECT now() - i * interval '1 hour', i FROM generate_series(3, 50) i")
        one.execute(
            "CREATE MATERIALIZED VIEW hourly WITH (timescaledb.continuous, timescaledb.materialized_only) AS"
            " SELECT time_bucket('1 hour', ts) AS bucket, count(*) FROM pulse GROUP BY 1 WITH NO DATA"
        )
        one.execute("SELECT add_continuous_aggregate_policy('hourly', '3 days', '1 hour', '1 minute')")
        eventually(lambda: (one.execute("SELECT sum(count) > 40 FROM hourly").fetchone() or (False,))[0])
