"""A server whose synchronous standby is away: no write is answered, neither the first time nor when it is repeated."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest

from scripts.bench.ingest.processes import CannotStart
from scripts.bench.overload.cluster import Cluster, cluster, find_programs, other_user
from scripts.migrate import migrate
from tests.support.service_process import running_service

AT = "2025-01-15T10:00:00Z"
NAMES = {
    "users": "api_internal.enrol_users('{default}', '{ada}')",
    "devices": "api_internal.enrol_devices('{default}', '{watch}')",
    "at": f"'{{{AT}}}'",
}
WRITES = {
    what: statement % NAMES
    for what, statement in {
        "readings": "SELECT api_internal.write_readings('{default}', '{ada}', '{watch}', %(at)s, '{70}', '{1}', '{1}')",
        "samples": "SELECT api_internal.merge_samples(%(users)s, '{10}', %(devices)s, %(at)s, '{97}')",
        "intervals": "SELECT api_internal.merge_intervals(%(users)s, '{2}', %(devices)s, %(at)s,"
        " '{2025-01-15T10:05:00Z}', '{9}', '{0}')",
        "events": "SELECT api_internal.write_events('{default}', '{e1}', '{app}', '{ride}', %(at)s, ARRAY[jsonb '1'])",
    }.items()
}
WAITS = "SELECT wait_event = 'SyncRep' FROM pg_stat_activity WHERE pid = %s"


def has_cluster() -> bool:
    try:
        find_programs()
        other_user()
    except CannotStart:
        return False
    return True


pytestmark = [
    pytest.mark.native,
    pytest.mark.skipif(not has_cluster(), reason="there is no PostgreSQL with TimescaleDB to start: see BENCH_PG_BIN"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A server of its own, migrated, with names that are known."""
    with cluster(tmp_path_factory.mktemp("standby") / "postgres.log", {"fsync": "off"}) as made:
        migrate(made.url)
        with psycopg.connect(made.url) as connection:
            connection.execute(f"SELECT {NAMES['users']}, {NAMES['devices']}".encode())
        yield made


@pytest.fixture
def admin(server: Cluster) -> Iterator[psycopg.Connection[Any]]:
    """A session of the superuser, while commits wait for a standby that is away."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        set_standbys(connection, "absent")
        try:
            yield connection
        finally:
            set_standbys(connection, "")


def set_standbys(connection: psycopg.Connection[Any], names: str) -> None:
    """Set the names of synchronous standbys, and wait until sessions know them."""
    connection.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
    connection.execute("SELECT pg_reload_conf()")
    while connection.execute("SHOW synchronous_standby_names").fetchone() != (names,):
        time.sleep(0.01)


class Write(threading.Thread):
    """A statement in a session of its own, which may never be answered."""

    def __init__(self, url: str, statement: str) -> None:
        super().__init__(daemon=True)
        self.connection = psycopg.connect(url, autocommit=True)
        self.pid = self.connection.info.backend_pid
        self.statement = statement
        self.start()

    def run(self) -> None:
        """Send it."""
        try:
            with self.connection:
                self.connection.execute(self.statement.encode())
        except psycopg.OperationalError:
            pass  # the session was ended

    def is_held(self, admin: psycopg.Connection[Any]) -> bool:
        """Wait until it is answered, or its commit waits for the standby; return whether that is so."""
        while self.is_alive():
            if admin.execute(WAITS, [self.pid]).fetchone() == (True,):
                return True
            time.sleep(0.01)
        return False


@pytest.mark.parametrize("what", WRITES)
def test_what_is_repeated_waits_for_the_standby_too(server: Cluster, admin: psycopg.Connection[Any], what: str) -> None:
    first = Write(server.url, WRITES[what])
    assert first.is_held(admin)
    # It is committed on this server, and from now on everyone here sees it.
    admin.execute("SELECT pg_terminate_backend(%s)", [first.pid])
    first.join()
    again = Write(server.url, WRITES[what])
    assert again.is_held(admin)
    set_standbys(admin, "")
    again.join()


def test_a_commit_that_waits_is_answered_within_bounds(server: Cluster, admin: psycopg.Connection[Any]) -> None:
    reading = {"user_id": "ada", "device_id": "watch", "timestamp": "2025-01-15T11:00:00Z", "steps": 1}
    event = {
        "tenant_id": "default",
        "event_id": "e2",
        "source": "app",
        "event_type": "ride",
        "timestamp": AT,
        "payload": {"n": 1},
    }
    with running_service(server.url, STATEMENT_SECONDS="1") as url, httpx.Client(base_url=url, timeout=30) as client:
        for path, body in (("/v1/readings", reading), ("/v1/readings", reading), ("/v1/events", event)):
            answer = client.post(path, json=body)
            assert answer.status_code == 503, answer.text
            assert answer.headers["Retry-After"] == "1"
            # Those whose clients are gone wait on, and keep others out of their rows.
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
        set_standbys(admin, "")
        assert client.post("/v1/readings", json=reading).json()["unchanged"] == 1
        assert client.post("/v1/events", json=event).status_code == 200
