"""Requests of clients, which benchmarks of what stands in front of the database send one after the other."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from typing import NamedTuple, TypeAlias
from urllib.parse import urlsplit

Request: TypeAlias = tuple[str, str, bytes | None]
"""Method, path and body."""

START = datetime(2026, 1, 1, tzinfo=UTC)
JSON = {"Content-Type": "application/json"}


class Kind(NamedTuple):
    """A kind of request: its name, how many readings one has, and what makes the n-th."""

    name: str
    readings: int
    make: Callable[[int], Request]


def write(size: int) -> Callable[[int], Request]:
    """Return what makes a write of so many readings, none of them like another.

    A reading is a millisecond after the one before, so that any number of them is in one chunk.
    """

    def make(number: int) -> Request:
        moments = (START + timedelta(milliseconds=number * size + n) for n in range(size))
        items = [
            {
                "user_id": f"runner-{size}",
                "device_id": "watch",
                "timestamp": moment.isoformat(),
                "heart_rate": 60 + number % 90,
            }
            for moment in moments
        ]
        return "POST", "/v1/readings", json.dumps(items).encode()

    return make


def latest(number: int) -> Request:
    """Return a request for the latest values of a user."""
    return "GET", "/v1/users/runner-1/latest", None


def summary(number: int) -> Request:
    """Return a request for a day's summary."""
    return "GET", "/v1/users/runner-1/summary?start=2026-01-01T00:00:00Z&end=2026-01-02T00:00:00Z", None


KINDS = [
    Kind("write of one reading", 1, write(1)),
    Kind("write of 1000 readings", 1000, write(1000)),
    Kind("latest values", 0, latest),
    Kind("summary of a day", 0, summary),
]


class Sender:
    """One connection to a service, with headers of its own."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self.connection = HTTPConnection(urlsplit(url).netloc, timeout=30)
        self.headers = {**JSON, **headers}
        self.sent = 0
        """Requests of the last rate."""

    def seconds(self, kind: Kind, request: Request) -> float:
        """Return how long a request takes, from its first byte sent to the last one received."""
        begun = time.perf_counter()
        self.connection.request(*request, self.headers)
        answer = self.connection.getresponse()
        answer.read()
        taken = time.perf_counter() - begun
        if answer.status != 200:
            raise RuntimeError(f"{kind.name}: HTTP {answer.status}")
        return taken

    def rate(self, kind: Kind, numbers: Iterator[int], seconds: float) -> float:
        """Return requests a second, one after the other; numbers never come again."""
        # Made before the clock starts, as many as a turn may need.
        requests = [kind.make(next(numbers)) for _ in range(int(seconds * (60 if kind.readings > 1 else 4000)))]
        begun, sent = time.perf_counter(), 0
        for request in requests:
            self.seconds(kind, request)
            sent += 1
            if time.perf_counter() - begun > seconds:
                break
        self.sent = sent
        return sent / (time.perf_counter() - begun)
