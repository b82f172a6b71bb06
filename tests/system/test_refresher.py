"""The elected refresher: one process of all refreshes, another replaces it, and everyone sees who and what failed."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from tests.support.database import new_database, prepare
from tests.support.ports import free_port
from tests.support.processes import Started, started
from tests.support.service_process import running_service, wait_until_healthy
from tests.support.wire import reading

REPLACED_WITHIN = 10.0  # seconds
# What runs in the place of api.refresh and api.upkeep: they fail, or take long, when a test says so.
STAND_INS = """
  CREATE TABLE public.stage (does text NOT NULL);
  INSERT INTO public.stage VALUES ('nothing');
  CREATE OR REPLACE PROCEDURE api.refresh(budget interval DEFAULT NULL) LANGUAGE plpgsql AS $$
  BEGIN
    CASE (SELECT does FROM public.stage)
      WHEN 'fail' THEN RAISE EXCEPTION 'the disk is full';
      WHEN 'sleep' THEN PERFORM pg_sleep(60);
      ELSE PERFORM api_internal.note_run('refresh', clock_timestamp(), 0);
    END CASE;
  END $$;
  CREATE OR REPLACE PROCEDURE api.upkeep() LANGUAGE plpgsql AS $$
  BEGIN
    PERFORM api_internal.note_run('upkeep', clock_timestamp(), 3);
  END $$
"""


@pytest.fixture(scope="module")
def own_url(server_url: str) -> Iterator[str]:
    """A migrated database of its own: elections are held in a database."""
    with new_database(server_url, f"hyperpulse_refresher_{os.getpid()}") as url:
        prepare(url)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(STAND_INS)
        yield url


@pytest.fixture
def own(own_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(own_url, autocommit=True) as connection:
        connection.execute("DELETE FROM core.run; INSERT INTO core.run (task) VALUES ('refresh'), ('upkeep')")
        set_stage(connection, "nothing")
        yield connection


def set_stage(db: psycopg.Connection[Any], does: str) -> None:
    db.execute("UPDATE public.stage SET does = %s", [does])


@contextmanager
def service(url: str) -> Iterator[Started]:
    """A service that refreshes; healthy when this begins."""
    port = free_port()
    environment = {"DATABASE_URL": url, "PORT": str(port), "REFRESH_SECONDS": "1"}
    with started([sys.executable, "-m", "service"], **environment) as command:
        wait_until_healthy(f"http://127.0.0.1:{port}", command.process)  # type: ignore[arg-type]
        yield command


def refreshers(db: psycopg.Connection[Any]) -> list[int]:
    """Return the processes that are elected, by the end of their sessions' names."""
    rows = db.execute("""
        SELECT split_part(a.application_name, ':', 2)::int FROM core.claim AS c JOIN pg_stat_activity AS a USING (pid)
         WHERE c.name = 'refresher' AND a.backend_start = c.session_start""").fetchall()
    return [pid for (pid,) in rows]


def within(seconds: float, what: str, check: Callable[[], Any]) -> float:
    """Wait until something holds; return how long that took."""
    begun = time.monotonic()
    while not check():
        assert time.monotonic() - begun < seconds, f"not within {seconds} s: {what}"
        time.sleep(0.05)
    return time.monotonic() - begun


def row(db: psycopg.Connection[Any], query: str) -> Any:
    return db.execute(query.encode()).fetchone()


def test_a_late_reading_is_refreshed(db: psycopg.Connection[Any], database_url: str) -> None:
    with running_service(database_url, REFRESH_SECONDS="1") as url, httpx.Client(base_url=url, timeout=30) as client:
        late = (datetime.now(UTC) - timedelta(days=2)).isoformat()
        assert client.post("/v1/readings", json=reading() | {"timestamp": late}).status_code == 200
        within(20, "a fresh day", lambda: client.get("/v1/system").json()["freshness"]["stale_days"] == 0)
        within(5, "its runner", lambda: refreshed(client)["done"] > 0)
        told = client.get("/v1/system").json()
        scraped = client.get("/prometheus").text
    run = told["runs"][0]
    assert run["runner"].startswith("hyperpulse refresher ")
    assert run["last_took"] > 0
    assert told["freshness"]["refreshed_by"] == run["runner"]
    assert told["freshness"]["last_error"] is None
    assert datetime.now(UTC) - datetime.fromisoformat(run["seen"]) < timedelta(minutes=1)
    assert f'hyperpulse_task_runner_info{{runner="{run["runner"]}",task="refresh"}} 1' in scraped
    for name in ("runs_total", "failures_total", "seconds", "seen_timestamp_seconds"):
        assert f'hyperpulse_task_{name}{{task="refresh"}}' in scraped


def refreshed(client: httpx.Client) -> dict[str, Any]:
    """Return what is told of refreshes."""
    run: dict[str, Any] = client.get("/v1/system").json()["runs"][0]
    return run


@contextmanager
def two_services(db: psycopg.Connection[Any], url: str) -> Iterator[tuple[Started, Started]]:
    """Two services on one database: first the elected one, then the other."""
    with service(url) as one, service(url) as other:
        within(10, "one elected process", lambda: len(refreshers(db)) == 1)
        yield (one, other) if refreshers(db) == [one.process.pid] else (other, one)


def runner(db: psycopg.Connection[Any], task: str = "refresh") -> str:
    return str(row(db, f"SELECT runner FROM core.run WHERE task = '{task}'")[0])


@pytest.mark.native
@pytest.mark.parametrize("does", ["nothing", "sleep"])
def test_one_that_is_killed_is_replaced(own: psycopg.Connection[Any], own_url: str, does: str) -> None:
    """Also in the middle of a refresh, which the server ends."""
    with two_services(own, own_url) as (elected, other):
        set_stage(own, does)
        time.sleep(3)
        assert refreshers(own) == [elected.process.pid]
        elected.process.kill()
        within(REPLACED_WITHIN, "another in its place", lambda: refreshers(own) == [other.process.pid])
        set_stage(own, "nothing")
        if does == "nothing":
            within(10, "its run", lambda: runner(own).endswith(f":{other.process.pid}"))


@pytest.mark.native
@pytest.mark.parametrize("does", ["nothing", "sleep"])
def test_one_that_stops_goes_at_once(own: psycopg.Connection[Any], own_url: str, does: str) -> None:
    """Also in the middle of a refresh, which it cancels."""
    with two_services(own, own_url) as (elected, other):
        set_stage(own, does)
        time.sleep(1.5)
        begun = time.monotonic()
        elected.process.terminate()
        assert elected.process.wait(10) in (0, -signal.SIGTERM)
        assert time.monotonic() - begun < 4
        within(REPLACED_WITHIN, "another in its place", lambda: refreshers(own) == [other.process.pid])


@pytest.mark.native
def test_one_at_a_standstill_is_replaced(own: psycopg.Connection[Any], own_url: str) -> None:
    with two_services(own, own_url) as (elected, other):
        os.kill(elected.process.pid, signal.SIGSTOP)
        try:
            within(REPLACED_WITHIN, "another in its place", lambda: refreshers(own) == [other.process.pid])
        finally:
            os.kill(elected.process.pid, signal.SIGCONT)
        time.sleep(3)
        assert refreshers(own) == [other.process.pid], "the one that goes on is no longer elected"


@pytest.mark.native
def test_one_whose_session_is_lost_is_elected_again(own: psycopg.Connection[Any], own_url: str) -> None:
    with service(own_url) as command:
        within(10, "an elected process", lambda: refreshers(own) == [command.process.pid])
        session = "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE %s"
        ended = own.execute(session, [f"hyperpulse refresher %:{command.process.pid}"]).fetchall()
        assert ended
        command.wait_for("refreshing is interrupted", 10)
        within(REPLACED_WITHIN, "the same again", lambda: refreshers(own) == [command.process.pid])


@pytest.mark.native
def test_the_upkeep_is_done_when_it_is_due(own: psycopg.Connection[Any], own_url: str) -> None:
    with service(own_url) as command:
        done = "SELECT runs, done FROM core.run WHERE task = 'upkeep'"
        within(10, "an upkeep", lambda: row(own, done) == (1, 3))
        assert runner(own, "upkeep").endswith(f":{command.process.pid}")
        time.sleep(2.5)
        assert row(own, done) == (1, 3), "an hour has not passed"


@pytest.mark.native
def test_a_failure_is_noted_and_tried_again(own: psycopg.Connection[Any], own_url: str) -> None:
    set_stage(own, "fail")
    with service(own_url) as command:
        freshness = "SELECT last_error, last_failure, failures FROM api.freshness LIMIT 1"
        within(20, "two failures", lambda: row(own, freshness)[2] >= 2)
        assert row(own, freshness)[:2] == ("the disk is full",) * 2
        set_stage(own, "nothing")
        within(10, "a refresh", lambda: row(own, freshness)[0] is None)
        assert row(own, freshness)[1] == "the disk is full"
        assert row(own, "SELECT last_failed < last_refresh FROM api.freshness LIMIT 1") == (True,)
        command.process.terminate()
        assert command.output().count("the refresh failed") == 1, "a kind of failure is said once"
