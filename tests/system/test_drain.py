"""A machine that drains is not ready, and serves until it is stopped."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator

import httpx
import psycopg
import pytest
from websockets.exceptions import ConnectionClosed

from tests.support.live_clients import heard, listening
from tests.support.ports import free_port
from tests.support.processes import Started, started
from tests.support.service_process import wait_until_healthy
from tests.support.wire import reading

HOURS = "3600"


@pytest.fixture
def two(database_url: str) -> Iterator[tuple[Started, str]]:
    """A service of two workers that would drain for an hour, and its address."""
    port = free_port()
    environment = {"DATABASE_URL": database_url, "PORT": str(port), "REFRESH_SECONDS": "off", "WORKERS": "2"}
    with started([sys.executable, "-m", "service"], DRAIN_SECONDS=HOURS, **environment) as command:
        wait_until_healthy(f"http://127.0.0.1:{port}", command.process)  # type: ignore[arg-type]
        yield command, f"http://127.0.0.1:{port}"
        command.process.send_signal(signal.SIGINT)
        command.process.wait(20)


def test_it_is_not_ready_and_serves_until_it_is_interrupted(two: tuple[Started, str], db: psycopg.Connection) -> None:
    command, url = two
    with httpx.Client(base_url=url, timeout=30) as kept, listening(url) as live:
        assert kept.get("/ready").headers.get("connection") is None
        heard(live, "state")
        command.process.terminate()
        deadline, refusals = time.monotonic() + 30, 0
        while refusals < 10:  # of both workers
            answer = httpx.get(f"{url}/ready", timeout=30)
            refusals = refusals + 1 if answer.status_code == 503 else 0
            assert time.monotonic() < deadline
        assert answer.headers["retry-after"] == "1"
        assert answer.json()["detail"] == "This process is about to stop; ask another one."
        for _ in range(4):
            assert kept.post("/v1/readings", json=reading("10:00:00")).status_code == 200
            written = kept.get("/health")
            assert (written.status_code, written.headers["connection"]) == (200, "close")
        with listening(url) as another:
            assert heard(another)["type"] == "state"
        assert command.process.poll() is None
        os.kill(command.process.pid, signal.SIGINT)
        assert heard(live, "closing") == {"type": "closing", "code": 1001, "reason": "The service stops."}
        with pytest.raises(ConnectionClosed):
            live.recv(timeout=10)
    assert command.process.wait(20) == 0
