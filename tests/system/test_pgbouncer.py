"""The service through PgBouncer in transaction mode: all of it works, or is refused at the start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import httpx
import psycopg
import pytest

from scripts.bench.ingest.processes import CannotStart
from scripts.bench.pgbouncer import find_program, running_pgbouncer
from service.database.startup import require_sessions
from service.settings import BadSetting, Settings
from tests.support.database import new_database, prepare
from tests.support.paths import ROOT
from tests.support.service_process import running_service


def has_pgbouncer() -> bool:
    try:
        find_program()
    except CannotStart:
        return False
    return True


pytestmark = [
    pytest.mark.native,
    pytest.mark.skipif(
        not has_pgbouncer(), reason="there is no PgBouncer 1.21 or newer: install it, or name it in BENCH_PGBOUNCER"
    ),
]


@pytest.fixture(scope="module")
def own_url(server_url: str) -> Iterator[str]:
    """A database of its own."""
    with new_database(server_url, f"hyperpulse_pgbouncer_{os.getpid()}") as url:
        prepare(url)
        yield url


def refusal(url: str, direct: str | None) -> str:
    """Return why the service does not start."""
    with pytest.raises(BadSetting) as caught:
        require_sessions(Settings(url, direct))
    return str(caught.value)


def test_what_does_not_work_is_refused_at_the_start(own_url: str) -> None:
    with running_pgbouncer(own_url) as through:
        assert "name the server itself in DIRECT_DATABASE_URL" in refusal(through, None)
        assert refusal(through, through) == "DIRECT_DATABASE_URL leads to a pooler: name the server itself."
        assert "leave DIRECT_DATABASE_URL out" in refusal(own_url, own_url)
    with running_pgbouncer(own_url, {"SET lock_timeout = 5000; ": ""}) as through:
        assert "has lock_timeout = 0 in place of 5000: set it in the connect_query" in refusal(through, own_url)
    without = {"max_prepared_statements = 200": "max_prepared_statements = 0"}
    with running_pgbouncer(own_url, without) as through:
        assert "set max_prepared_statements = 200" in refusal(through, own_url)


def test_several_hosts_without_a_primary_are_refused() -> None:
    environment = {**os.environ, "DATABASE_URL": "postgresql://ada@127.0.0.1:1,127.0.0.2:1/health"}
    command = [sys.executable, "-m", "service"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2, done.stderr
    assert "add target_session_attrs=read-write" in done.stderr


def test_everything_works_on_fewer_sessions_than_connections(own_url: str) -> None:
    with (
        running_pgbouncer(own_url, {"default_pool_size = 20": "default_pool_size = 2"}) as through,
        running_service(through, DIRECT_DATABASE_URL=own_url, REFRESH_SECONDS="1") as url,
        httpx.Client(base_url=url, timeout=30) as client,
        httpx.Client(base_url=url, timeout=30) as listener,
        listener.stream("GET", "/v1/live", headers={"Accept": "text/event-stream"}) as live,
    ):
        messages = (json.loads(line[6:]) for line in live.iter_lines() if line.startswith("data: "))
        assert next(messages)["type"] == "state"
        for second in range(12):  # psycopg prepares what is repeated
            reading = {
                "user_id": "ada",
                "device_id": "watch",
                "timestamp": f"2025-01-15T10:00:{second:02}Z",
                "heart_rate": 70,
                "steps": 1,
                "spo2": 97,
            }
            for times in range(2):
                answer = client.post("/v1/readings", json=reading)
                assert answer.json()["unchanged"] == times, answer.text
            event = {"tenant_id": "default", "event_id": f"e{second}", "source": "app", "event_type": "ride"}
            answer = client.post("/v1/events", json={**event, "timestamp": reading["timestamp"], "payload": {"n": 1}})
            assert answer.json()["created"] == 1, answer.text
            asked = {"start": "2025-01-15T00:00:00Z", "end": "2025-01-16T00:00:00Z", "metrics": "spo2"}
            assert client.get("/v1/users/ada/summary", params=asked).json()["steps"] == second + 1
        assert next(message for message in messages if message["type"] == "readings")["user_id"] == "ada"
        assert len(client.get("/v1/users/ada/export").text.splitlines()) > 12
        assert client.get("/ready").status_code == 200
        assert client.delete("/v1/users/ada").status_code == 200
    with psycopg.connect(own_url) as connection:
        assert connection.execute("SELECT runs > 0 FROM core.run WHERE task = 'refresh'").fetchone() == (True,)
