"""A new release takes over under load: the schema is rebuilt, workers are replaced, and each request is answered."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import psycopg
import pytest

from scripts.migrate import migrate
from tests.support.ports import free_port
from tests.support.processes import Started, descendants, started
from tests.support.service_process import wait_until_healthy
from tests.support.wire import reading, summary_url

PATH = "/v1/readings"
DAY = {"start": "2024-01-15T00:00:00Z", "end": "2024-01-16T00:00:00Z"}


@pytest.fixture(scope="module")
def two(database_url: str) -> Iterator[tuple[Started, str]]:
    """A service of two workers, and its address."""
    port = free_port()
    environment = {"DATABASE_URL": database_url, "PORT": str(port), "REFRESH_SECONDS": "off", "WORKERS": "2"}
    with started([sys.executable, "-m", "service"], **environment) as command:
        wait_until_healthy(f"http://127.0.0.1:{port}", command.process)  # type: ignore[arg-type]
        yield command, f"http://127.0.0.1:{port}"


@contextmanager
def load(url: str) -> Iterator[Counter[str]]:
    """Write and ask, on connections that are kept and on new ones, while the block lasts; count what came of it."""
    outcomes: Counter[str] = Counter()
    over = threading.Event()

    def go_on(name: str, keeps: bool, writes: bool) -> None:
        kept = httpx.Client(base_url=url, timeout=30)
        turn = 0
        while not over.is_set():
            turn += 1
            client = kept if keeps else httpx.Client(base_url=url, timeout=30)
            try:
                item = reading(f"{turn // 3600:02}:{turn // 60 % 60:02}:{turn % 60:02}", user_id=name)
                answer = (
                    client.post(PATH, json=item) if writes or turn == 1 else client.get(summary_url(name), params=DAY)
                )
                outcomes[str(answer.status_code)] += 1
            except httpx.TransportError as error:
                outcomes[repr(error)] += 1
            if not keeps:
                client.close()
        kept.close()

    with ThreadPoolExecutor(4) as pool:
        try:
            for keeps in (True, False):
                for writes in (True, False):
                    pool.submit(go_on, f"{keeps}-{writes}", keeps, writes)
            yield outcomes
        finally:
            over.set()


def test_workers_are_replaced_without_a_failed_request(two: tuple[Started, str], db: psycopg.Connection) -> None:
    command, url = two
    before = set(descendants(command.process.pid))
    with load(url) as outcomes:
        os.kill(command.process.pid, signal.SIGHUP)
        deadline = time.monotonic() + 60
        while len(after := set(descendants(command.process.pid))) != 2 or after & before:
            assert time.monotonic() < deadline, (before, after)
            time.sleep(0.1)
        answered = outcomes.total()
        while outcomes.total() < answered + 40:
            time.sleep(0.1)
    assert outcomes.keys() == {"200"}, outcomes


def test_a_worker_that_does_not_come_up_replaces_none(two: tuple[Started, str]) -> None:
    command, url = two
    before = set(descendants(command.process.pid))
    os.kill(command.process.pid, signal.SIGHUP)
    deadline = time.monotonic() + 60
    while not (incoming := set(descendants(command.process.pid)) - before):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    for pid in incoming:
        os.kill(pid, signal.SIGKILL)
    command.wait_for("the old ones go on", 60)
    assert set(descendants(command.process.pid)) == before
    assert httpx.get(f"{url}/ready").status_code == 200


def test_the_release_before_serves_while_the_schema_is_rebuilt_and_afterwards(
    two: tuple[Started, str], database_url: str, db: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, url = two
    with load(url) as outcomes:
        with monkeypatch.context() as later:
            later.setattr("scripts.migrate.api_digest", lambda: "a later release")
            assert migrate(database_url).api_rebuilt
        answered = outcomes.total()
        while outcomes.total() < answered + 40:
            time.sleep(0.1)
        assert httpx.get(f"{url}/ready", timeout=30).status_code == 200
        assert migrate(database_url).api_rebuilt
    assert outcomes.keys() == {"200"}, outcomes
