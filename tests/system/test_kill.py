"""Kill -9 in the middle of writes: whatever was answered is there afterwards, with the right values."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psycopg
import pytest

from scripts import embedded
from tests.support.embedded_data import copy_data
from tests.support.ports import free_port
from tests.support.processes import Started, started

ROUNDS = int(os.environ.get("KILL_ROUNDS", "1"))
WRITERS = 4
BATCH = 10
START = datetime(2025, 1, 15, tzinfo=UTC)


class Writer(threading.Thread):
    """Posts batches without end; remembers each reading whose request was answered with 200."""

    def __init__(self, url: str, number: int, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.url = url
        self.user_id = f"writer_{number}"
        self.stop = stop
        self.answered: dict[datetime, int] = {}
        self.failed = 0
        self.refused: list[tuple[int, str]] = []

    def run(self) -> None:
        sent = 0
        with httpx.Client(base_url=self.url, timeout=10) as client:
            while not self.stop.is_set():
                # Every other batch holds known readings too, so that both lanes are at work.
                first = max(0, sent - 5) if sent % 20 else sent
                seconds = range(first, sent + BATCH)
                batch = [(START + timedelta(seconds=second), second % 1000) for second in seconds]
                if self.post(client, batch):
                    self.answered |= dict(batch)
                    sent += BATCH

    def post(self, client: httpx.Client, batch: list[tuple[datetime, int]]) -> bool:
        readings = [{"user_id": self.user_id, "timestamp": ts.isoformat(), "steps": steps} for ts, steps in batch]
        try:
            answer = client.post("/v1/readings", json=readings)
        except httpx.TransportError:
            self.failed += 1
            time.sleep(0.05)
            return False
        if answer.status_code == 200:
            return True
        if answer.status_code != 503:
            self.refused.append((answer.status_code, answer.text))
        self.failed += 1
        time.sleep(0.05)
        return False


@pytest.fixture(scope="module")
def environment(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    data = tmp_path_factory.mktemp("data")
    copy_data(migrated, data)
    return {"DATA": str(data), "PORT": str(free_port()), "DB_PORT": str(free_port()), "DATABASE_URL": ""}


@pytest.fixture(scope="module")
def run(environment: dict[str, str]) -> Iterator[Started]:
    with started(["make", "run"], **environment) as command:
        command.wait_for("Ctrl-C")
        yield command


@pytest.mark.parametrize("victims", [("-m service",), ("main.mjs",), ("-m service", "main.mjs")])
def test_what_was_answered_survives(run: Started, environment: dict[str, str], victims: tuple[str, ...]) -> None:
    url = f"http://127.0.0.1:{environment['PORT']}"
    stop = threading.Event()
    writers = [Writer(url, random.Random(str(victims)).randrange(10**6) + number, stop) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    chance = random.Random(1)
    for _ in range(ROUNDS):
        count_then_wait(writers, chance.uniform(0.2, 0.6))
        for victim in victims:
            os.kill(run.descendant(victim), signal.SIGKILL)
        for _ in victims:
            run.wait_for("starting it again", 30)
    count_then_wait(writers, 0.5)
    stop.set()
    for writer in writers:
        writer.join(15)
    assert [writer.refused for writer in writers] == [[] for _ in writers]
    for writer in writers:
        kept = stored(environment, writer.user_id)
        lost = {ts for ts, steps in writer.answered.items() if kept.get(ts) != steps}
        assert lost == set()
        assert len(kept) - len(writer.answered) <= BATCH, "only the last batch may be stored without an answer"
    if "-m service" in victims:  # while the database alone is away, the service waits for it
        assert sum(writer.failed for writer in writers) > 0, "nothing was killed in the middle of a write"


def count_then_wait(writers: list[Writer], seconds: float) -> None:
    """Wait until every writer has been answered again, and a little longer."""
    before = [len(writer.answered) for writer in writers]
    deadline = time.monotonic() + 30
    while any(len(writer.answered) <= count for writer, count in zip(writers, before, strict=True)):
        assert time.monotonic() < deadline, "the service did not come back"
        time.sleep(0.02)
    time.sleep(seconds)


def stored(environment: dict[str, str], user_id: str) -> dict[datetime, int]:
    """Return the steps stored for a user, by timestamp."""
    address = embedded.address(int(environment["DB_PORT"]))
    with psycopg.connect(address, passfile=embedded.password_file(Path(environment["DATA"]))) as connection:
        rows = connection.execute("SELECT ts, steps FROM api.readings WHERE user_id = %s", [user_id]).fetchall()
    return {ts.astimezone(UTC): steps for ts, steps in rows}
