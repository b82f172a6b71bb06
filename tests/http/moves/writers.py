"""Clients of the clinic that write while it moves, and what must be stored of that."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import psycopg

from tests.http.moves.moving import STORED
from tests.http.test_tenants import CLINIC


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so, at most a minute."""
    until = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < until, "not within a minute"
        time.sleep(0.005)


class Writer(threading.Thread):
    """A client that writes a reading after the other, now and long ago, and sends again what was not taken."""

    def __init__(self, url: str, user_id: str) -> None:
        super().__init__()
        self.url = url
        self.user_id = user_id
        self.ended = threading.Event()
        self.answered: set[datetime] = set()
        self.unexpected: list[str] = []

    def run(self) -> None:
        number = 0
        with httpx.Client(base_url=self.url, headers=CLINIC.headers, timeout=30) as client:
            while not self.ended.is_set():
                number += 1
                base = datetime.now(UTC) if number % 2 else datetime(2024, 1, 1 + number % 4, tzinfo=UTC)
                at = base.replace(microsecond=0) + timedelta(microseconds=number)
                body = {"user_id": self.user_id, "device_id": f"d{number % 5}", "timestamp": at.isoformat(), "steps": 1}
                while (answer := client.post("/v1/readings", json=body)).status_code == 503:
                    assert int(answer.headers["retry-after"]) > 0
                    if self.ended.wait(0.05):
                        return
                if answer.status_code != 200:
                    self.unexpected.append(answer.text)
                self.answered.add(at)

    def wait_for(self, more: int) -> None:
        """Wait until so many more readings are stored."""
        wanted = len(self.answered) + more
        wait_until(lambda: len(self.answered) >= wanted)


def end_and_compare(writers: list[Writer], lake: psycopg.Connection) -> None:
    """End the clients, and compare what they heard with what is stored."""
    for writer in writers:
        writer.wait_for(5)
        writer.ended.set()
    for writer in writers:
        writer.join()
        assert writer.unexpected == []
    stored = [(user, at) for user, at, steps in lake.execute(STORED.encode()) if steps == 1]
    expected = [(writer.user_id, at) for writer in writers for at in writer.answered]
    assert sorted(stored) == sorted(expected)
