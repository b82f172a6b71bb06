"""Several workers on one port: they share the work, a dead one is replaced, and Ctrl-C ends all."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from service.metrics.worker_stats import PUBLISH_SECONDS
from tests.support.ports import free_port
from tests.support.processes import Started, descendants, started, wait_until_gone
from tests.support.service_process import wait_until_healthy

START = datetime(2025, 1, 15, tzinfo=UTC)


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def two(database_url: str, port: int) -> Iterator[Started]:
    environment = {"DATABASE_URL": database_url, "PORT": str(port), "REFRESH_SECONDS": "off"}
    environment |= {"WORKERS": "2", "WORKER_SILENCE_SECONDS": "5"}
    with started([sys.executable, "-m", "service"], **environment) as command:
        wait_until_healthy(f"http://127.0.0.1:{port}", command.process)  # type: ignore[arg-type]
        yield command


def said(seconds: list[int], user_id: str = "ada") -> list[dict[str, Any]]:
    """Readings whose values follow from their seconds."""
    return [
        {"user_id": user_id, "timestamp": (START + timedelta(seconds=at)).isoformat(), "steps": at % 100}
        for at in seconds
    ]


def post(url: str, items: list[dict[str, Any]]) -> Counter[str]:
    """Send readings on a connection of their own, again where the service asks for that; return the counts."""
    while True:
        try:
            answer = httpx.post(f"{url}/v1/readings", json=items, timeout=60)
        except httpx.TransportError:
            continue
        if answer.status_code != 503:
            assert answer.status_code == 200, answer.text
            return Counter({name: answer.json()[name] for name in ("inserted", "updated", "unchanged", "rejected")})


def test_each_reading_is_inserted_once(two: Started, port: int, db: psycopg.Connection) -> None:
    shuffled = [random.Random(turn).sample(range(300), 300) for turn in range(12)]
    with ThreadPoolExecutor(6) as pool:
        counts = list(pool.map(lambda seconds: post(f"http://127.0.0.1:{port}", said(seconds)), shuffled))
    assert sum(counts, Counter()) == {"inserted": 300, "unchanged": 11 * 300}
    assert db.execute("SELECT count(*), sum(steps) FROM api.readings").fetchone() == (300, 3 * 4950)


def inserted(port: int) -> int:
    """Ask any worker how many readings were inserted."""
    text = httpx.get(f"http://127.0.0.1:{port}/prometheus", timeout=30).text
    return int(re.findall(r'^hyperpulse_readings_total\{outcome="inserted"\} (\d+)', text, re.MULTILINE)[0])


def told(port: int) -> int:
    """Return what workers, whichever answers, tell once all say the same for longer than one takes to tell others."""
    deadline = time.monotonic() + 20
    number, since = inserted(port), time.monotonic()
    while time.monotonic() < since + 1.2 * PUBLISH_SECONDS:
        if (again := inserted(port)) != number:
            assert time.monotonic() < deadline, f"first {number} are told, then {again}"
            number, since = again, time.monotonic()
    return number


def test_each_worker_tells_of_all(two: Started, port: int, db: psycopg.Connection) -> None:
    url = f"http://127.0.0.1:{port}"
    before = told(port)
    for second in range(16):  # each on a connection of its own, to one worker or the other
        assert post(url, said([second], "eve"))["inserted"] == 1
    assert told(port) == before + 16
    os.kill(min(descendants(two.process.pid)), signal.SIGKILL)
    two.wait_for("starting another", 20)
    assert post(url, said([16], "eve"))["inserted"] == 1
    assert told(port) == before + 17


def test_a_dead_worker_is_replaced(two: Started, port: int, db: psycopg.Connection) -> None:
    before = descendants(two.process.pid)
    assert len(before) == 2
    os.kill(min(before), signal.SIGKILL)
    two.wait_for("starting another", 20)
    for turn in range(10):
        assert post(f"http://127.0.0.1:{port}", said([turn])).total() == 1
    after = descendants(two.process.pid)
    assert len(after) == 2
    assert min(before) not in after


def test_a_hung_worker_is_replaced(two: Started, port: int, db: psycopg.Connection) -> None:
    before = descendants(two.process.pid)
    os.kill(min(before), signal.SIGSTOP)
    assert str(min(before)) in two.wait_for("hung", 60)
    for turn in range(10):
        assert post(f"http://127.0.0.1:{port}", said([turn])).total() == 1
    after = descendants(two.process.pid)
    assert len(after) == 2
    assert min(before) not in after
    assert max(before) in after, "the other one was alive all the time"


@pytest.mark.native
@pytest.mark.skipif(shutil.which("psql") is None, reason="there is no psql")
def test_writers_in_opposite_orders_do_not_deadlock(
    two: Started, port: int, db: psycopg.Connection, database_url: str, tmp_path: Path
) -> None:
    """Two workers and two psql COPYs write the same readings, each in another order."""
    users = [f"user_{number}" for number in range(5)]
    everything = [item for user_id in users for item in said(list(range(400)), user_id)]
    orders = [everything, everything[::-1], *(random.Random(turn).sample(everything, 2000) for turn in range(6))]
    copies = []
    for turn in range(2):
        path = tmp_path / f"{turn}.csv"
        path.write_text("".join(f"{i['user_id']},{i['timestamp']},{i['steps']}\n" for i in orders[turn]))
        command = f"\\copy api.readings (user_id, ts, steps) from '{path}' (format csv)"
        copies.append(subprocess.Popen(["psql", "-X", "-v", "ON_ERROR_STOP=1", database_url, "-c", command]))
    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(lambda items: post(f"http://127.0.0.1:{port}", items), orders))
    assert [copy.wait(60) for copy in copies] == [0, 0]
    assert all(count.total() == 2000 and not count["rejected"] for count in counts)
    assert sum(counts, Counter())["updated"] == 0
    assert db.execute("SELECT count(*), sum(steps) FROM api.readings").fetchone() == (2000, 5 * 4 * 4950)


def test_ctrl_c_ends_all(two: Started) -> None:
    below = list(two.descendants())
    assert two.interrupt() < 6
    assert two.process.returncode == 0
    assert wait_until_gone(below) == []
