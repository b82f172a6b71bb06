"""The writers: wearables that send a reading a second each, or as many as the service takes."""

from __future__ import annotations

import json
import multiprocessing
import threading
import time
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from typing import NamedTuple

BATCH = 1000  # readings in a request
SENDERS = 8
IDLE = 3.0  # seconds after which the service may have closed a connection
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Sent(NamedTuple):
    """A request: its readings' timestamp in µs; when it was sent and answered, in seconds of the monotonic clock."""

    ts: int
    sent: float
    answered: float


def name(number: int) -> str:
    """Return the name of a user."""
    return f"walker-{number}"


def bodies(users: int) -> list[bytes]:
    """Make request bodies that hold a reading of each user, with @ for the timestamp."""
    made = []
    for first in range(0, users, BATCH):
        of_batch = range(first, min(first + BATCH, users))
        rows = [
            {"user_id": name(n), "timestamp": "@", "heart_rate": 60 + n % 60, "steps": n % 3, "calories": 0.1}
            for n in of_batch
        ]
        made.append(json.dumps(rows).encode())
    return made


def send(port: int, users: int, rate: float, seconds: float, results: multiprocessing.SimpleQueue[list[Sent]]) -> None:
    """Send `rate` readings a second, or as many as the service takes for 0; put acknowledged requests into a queue."""
    made = bodies(users)
    size = min(BATCH, users)
    sent: list[Sent] = []
    turn = iter(range(1 << 60))
    lock = threading.Lock()
    began = time.monotonic()

    def work() -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        used_at = began
        while True:
            with lock:
                number = next(turn)
            body = made[number % len(made)]
            due = began + (number * size / rate if rate else 0)
            if max(due, time.monotonic()) - began >= seconds:
                break
            time.sleep(max(0.0, due - time.monotonic()))
            with lock:
                moment = now()
            at = time.monotonic()
            if at - used_at > IDLE:
                connection.close()
            if post(connection, body.replace(b"@", moment.isoformat().encode())) == 200:
                sent.append(Sent((moment - EPOCH) // timedelta(microseconds=1), at, time.monotonic()))
            else:
                time.sleep(0.1)
            used_at = time.monotonic()
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put(sent)


def now() -> datetime:
    """Return the time and wait a microsecond, so that no two requests have the same timestamp."""
    moment = datetime.now(UTC)
    time.sleep(1e-6)
    return moment


def post(connection: HTTPConnection, body: bytes) -> int:
    """Send readings and return the status."""
    connection.request("POST", "/v1/readings", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    return answer.status
