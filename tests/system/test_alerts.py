"""Each alert of deploy/prometheus fires when its fault is caused: real services, scraped by a real Prometheus."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any, NamedTuple

import httpx
import psycopg
import pytest

from tests.support.database import new_database, prepare
from tests.support.paths import ROOT
from tests.support.ports import free_port
from tests.support.prometheus import (
    FOLDER,
    RULES,
    Alerts,
    needs_prometheus,
    needs_promtool,
    program,
    rules,
    running_prometheus,
)
from tests.support.service_process import running_service, wait_until_healthy

BASE = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=3)
FAILING = """
  CREATE OR REPLACE PROCEDURE api.refresh(budget interval DEFAULT NULL) LANGUAGE plpgsql AS $$
  BEGIN
    RAISE EXCEPTION 'the disk is full';
  END $$
"""


class World(NamedTuple):
    """Services on a database of their own, and Prometheus."""

    db: psycopg.Connection[Any]
    database_url: str
    plain: httpx.Client
    """A service as it usually is; the others are by their alerts' faults."""
    narrow: str
    """One with three connections to the database."""
    doomed: subprocess.Popen[bytes]
    alerts: Alerts


def host(url: str) -> str:
    return url.removeprefix("http://")


@pytest.fixture(scope="module")
def world(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """What is well at first."""
    with ExitStack() as stack:
        own_url = stack.enter_context(new_database(server_url, f"hyperpulse_alerts_{os.getpid()}"))
        prepare(own_url)
        failing_url = stack.enter_context(new_database(server_url, f"hyperpulse_failing_{os.getpid()}"))
        prepare(failing_url)
        with psycopg.connect(failing_url, autocommit=True) as connection:
            connection.execute(FAILING)
        db = stack.enter_context(psycopg.connect(own_url, autocommit=True, options="-c timezone=UTC"))
        plain = stack.enter_context(running_service(own_url))
        narrow = stack.enter_context(
            running_service(own_url, POOL_SIZE="3", WRITERS="1", LOCK_SECONDS="90", STATEMENT_SECONDS="90")
        )
        away = stack.enter_context(running_service(f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"))
        lonely = stack.enter_context(
            running_service(own_url, READ_DATABASE_URL=f"postgresql://nobody@127.0.0.1:{free_port()}/nothing")
        )
        failing = stack.enter_context(running_service(failing_url, REFRESH_SECONDS="1"))
        port = free_port()
        doomed = subprocess.Popen(
            [sys.executable, "-m", "service"],
            cwd=ROOT,
            env={**os.environ, "DATABASE_URL": own_url, "PORT": str(port), "REFRESH_SECONDS": "off"},
        )
        stack.callback(doomed.wait, 10)
        stack.callback(doomed.kill)
        wait_until_healthy(f"http://127.0.0.1:{port}", doomed)
        client = stack.enter_context(httpx.Client(base_url=plain, timeout=60))
        write(client, 0)
        db.execute("CALL api.refresh()")
        db.execute("CALL api.upkeep()")
        own = {"plain": host(plain), "narrow": host(narrow), "away": host(away), "doomed": f"127.0.0.1:{port}"}
        own["lonely"] = host(lonely)
        # Of another database, whose refreshes and upkeeps are not those of this one.
        targets = {"hyperpulse": own, "another": {"failing": host(failing)}}
        alerts = stack.enter_context(running_prometheus(tmp_path_factory.mktemp("prometheus"), targets))
        yield World(db, own_url, client, narrow, doomed, alerts)


def write(client: httpx.Client, first: int, number: int = 50, timeout: float = 120) -> httpx.Response:
    """Send readings of a user."""
    body = [
        {
            "user_id": "ada",
            "device_id": "watch",
            "timestamp": (BASE + timedelta(seconds=first + n)).isoformat(),
            "heart_rate": 60,
        }
        for n in range(number)
    ]
    return client.post("/v1/readings", json=body, timeout=timeout)


def drift(world: World) -> None:
    """Someone changes a rollup by hand."""
    world.db.execute("CALL api.refresh()")  # a stale day is not compared
    world.db.execute("UPDATE rollup.user_1d SET heart_rate_count = heart_rate_count + 1")
    world.db.execute("CALL api.upkeep()")


def down(world: World) -> None:
    world.doomed.kill()


def errors(world: World) -> None:
    """A function of another release."""
    world.db.execute("ALTER FUNCTION api.summary RENAME TO summary_of_another_release")
    try:
        answer = world.plain.get("/v1/users/ada/summary")
        assert answer.status_code == 500, answer.text
    finally:
        world.db.execute("ALTER FUNCTION api.summary_of_another_release RENAME TO summary")


def rejects(world: World) -> None:
    """A client whose clock is wrong."""
    for _ in range(2):
        late = {"user_id": "ada", "device_id": "watch", "timestamp": "2999-01-01T00:00:00Z", "heart_rate": 60}
        world.plain.post("/v1/readings", json=[late] * 100)
        world.alerts.wait_for_scrapes("plain")


def no_refresh(world: World) -> None:
    """None of the services on this database refreshes, for ten minutes."""
    world.db.execute("UPDATE core.run SET seen_at = now() - INTERVAL '10 minutes' WHERE task = 'refresh'")


def rollups_late(world: World) -> None:
    """Three hours pass without a refresh."""
    world.db.execute("UPDATE core.horizon SET materialized = materialized - INTERVAL '3 hours'")


def unverified(world: World) -> None:
    """Three hours pass without an upkeep."""
    world.db.execute("UPDATE core.verification SET checked_at = checked_at - INTERVAL '3 hours'")


def nothing_more(world: World) -> None:
    """The fault is there from the beginning."""


def held_up(world: World) -> None:
    """Someone holds a table while clients read and write."""
    with httpx.Client(base_url=world.narrow, timeout=120) as client, ThreadPoolExecutor(20) as pool:
        write(client, 0)
        world.alerts.wait_for_scrapes("narrow")
        with psycopg.connect(world.database_url) as holder:
            holder.execute("LOCK TABLE core.reading IN ACCESS EXCLUSIVE MODE")
            for number in range(7):
                pool.submit(write, client, 100 + number * 5000, 5000)
            over = Event()
            for _ in range(6):
                pool.submit(ask_until, over, client)
            try:
                for refusal in [pool.submit(be_refused, client) for _ in range(5)]:
                    refusal.result()
                for alert in sorted(WITH_ANOTHER):
                    world.alerts.wait_for(alert, "narrow")
            finally:
                over.set()
                holder.rollback()


def be_refused(client: httpx.Client) -> None:
    """Write until a request is refused, as they are behind one that has waited for MAX_QUEUE_SECONDS."""
    for _ in range(6):
        with suppress(httpx.ReadTimeout):
            if write(client, 0, timeout=15).status_code == 503:
                return
    raise AssertionError("nothing is refused")


def ask_until(over: Event, client: httpx.Client) -> None:
    """Ask again and again: a request that gets no connection is refused after seconds."""
    while not over.is_set():
        client.get("/v1/users/ada/summary")


FAULTS: dict[str, tuple[Callable[[World], None], str]] = {
    "HyperpulseDatabaseDown": (nothing_more, "away"),
    "HyperpulseTaskFails": (nothing_more, ""),
    "HyperpulseReplica": (nothing_more, "lonely"),
    "HyperpulseErrors": (errors, "plain"),
    "HyperpulseRejects": (rejects, "plain"),
    "HyperpulseSlowWrites": (held_up, "narrow"),
    "HyperpulseNoRefresh": (no_refresh, ""),
    "HyperpulseRollupsLate": (rollups_late, ""),
    "HyperpulseUnverified": (unverified, ""),
    "HyperpulseDrift": (drift, "plain"),
    "HyperpulseDown": (down, "doomed"),
}
WITH_ANOTHER = {"HyperpulseQueue", "HyperpulsePoolExhausted", "HyperpulseRefuses"}
"""Those that fire in the course of held_up, and end with it."""


@needs_promtool
def test_the_rules_are_valid_and_fire_when_they_should() -> None:
    promtool = str(program("promtool"))
    for arguments in (["check", "rules", str(RULES)], ["test", "rules", str(FOLDER / "rules.test.yml")]):
        done = subprocess.run([promtool, *arguments], capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_its_fault() -> None:
    assert {rule["alert"] for rule in rules()} == FAULTS.keys() | WITH_ANOTHER


@needs_prometheus
@pytest.mark.native
def test_nothing_fires_where_all_is_well(world: World) -> None:
    world.alerts.wait_for_scrapes("plain", 3)
    assert {alert for alert, instance in world.alerts.firing() if instance not in ("away", "lonely", "")} == set()


@needs_prometheus
@pytest.mark.native
@pytest.mark.parametrize("alert", FAULTS)
def test_an_alert_fires_by_its_fault(world: World, alert: str) -> None:
    cause, instance = FAULTS[alert]
    # That one fires by itself once two minutes have passed.
    if cause not in (nothing_more, no_refresh):
        assert (alert, instance) not in world.alerts.firing()
    cause(world)
    world.alerts.wait_for(alert, instance)


@needs_prometheus
@pytest.mark.native
def test_what_drifted_is_computed_again_as_the_document_says(world: World) -> None:
    text = (ROOT / "docs" / "observing.md").read_text(encoding="utf-8")
    (statement,) = [block.split("\n```")[0] for block in text.split("```sql\n")[1:]]
    world.db.execute(statement.encode())
    world.db.execute("CALL api.refresh()")
    row = world.db.execute(
        "SELECT count(*), count(problem) FROM api.verify(now() - INTERVAL '60 days', now())"
    ).fetchone()
    assert row is not None
    assert row[0] > 0
    assert row[1] == 0
