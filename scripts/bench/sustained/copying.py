"""The same arrivals by COPY, without a service: several clients with a connection each."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

from scripts.bench.database import Connection, connect
from scripts.bench.sustained.phones import Arrival
from scripts.bench.sustained.progress import Progress, Window

LEAST = 1000
"""Minimum readings of one COPY: arrivals are gathered, since a commit for each reading of a strap is unrealistic."""
WAIT_SECONDS = 0.05
COLUMNS = b"(ts, heart_rate, calories, user_key, device_key, steps) FROM STDIN"
COPY = b"COPY plain.reading " + COLUMNS
COPY_AGAIN = b"COPY pg_temp.again " + COLUMNS
AGAIN = b"CREATE TEMP TABLE again (LIKE plain.reading) ON COMMIT DELETE ROWS"
MERGE = Path(__file__).with_name("plain_merge.sql").read_bytes()


class ArrivalQueue:
    """The arrivals, shared by the clients."""

    def __init__(self, arrivals: Iterator[Arrival], window: Window) -> None:
        self.arrivals = arrivals
        self.window = window
        self.until = time.perf_counter() + window.seconds
        self.lock = threading.Lock()

    @property
    def is_over(self) -> bool:
        """Return whether nothing more is taken."""
        return bool(self.window.progress.refusal or time.perf_counter() > self.until or self.window.is_over())

    def take(self) -> list[tuple[Arrival, float]]:
        """Wait until arrivals are due; return them with their due times, none when the window is over."""
        while not self.is_over:
            with self.lock:
                wait = self.window.pace.wait()
                if wait <= 0:
                    return self.gather()
            time.sleep(min(wait, WAIT_SECONDS))
        return []

    def gather(self) -> list[tuple[Arrival, float]]:
        """Return the arrivals of one COPY."""
        taken, readings = [], 0
        while readings < LEAST:
            arrival = next(self.arrivals)
            readings += arrival.upload.readings
            taken.append((arrival, self.window.pace.take(arrival.upload.readings)))
        return taken

    def count(self, taken: list[tuple[Arrival, float]]) -> None:
        """Count committed arrivals."""
        now = time.perf_counter()
        with self.lock:
            for arrival, due in taken:
                self.window.progress.take(arrival, now - due)


def copy(url: str, clients: int, arrivals: Iterator[Arrival], window: Window) -> None:
    """Copy until the window is over."""
    queue = ArrivalQueue(arrivals, window)
    threads = [threading.Thread(target=work, args=(url, queue), daemon=True) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def work(url: str, queue: ArrivalQueue) -> None:
    """Run one client."""
    try:
        with connect(url) as connection:
            connection.execute(AGAIN)
            while taken := queue.take():
                store(connection, [arrival for arrival, _ in taken])
                queue.count(taken)
    except psycopg.Error as error:
        note(queue.window.progress, error)


def store(connection: Connection, arrivals: list[Arrival]) -> None:
    """Store arrivals in one transaction: new ones by COPY, repeated ones through a temporary table."""
    new = b"".join(arrival.rows for arrival in arrivals if not arrival.is_again)
    again = b"".join(arrival.rows for arrival in arrivals if arrival.is_again)
    try:
        write(connection, new, again)
    except psycopg.errors.UniqueViolation:  # a repeated upload has overtaken the first one
        write(connection, b"", new)
        write(connection, b"", again)


def write(connection: Connection, new: bytes, again: bytes) -> None:
    """Copy new rows, and merge repeated ones."""
    with connection.transaction(), psycopg.Cursor(connection) as cursor:
        if new:
            with cursor.copy(COPY) as stream:
                stream.write(new)
        if again:
            with cursor.copy(COPY_AGAIN) as stream:
                stream.write(again)
            cursor.execute(MERGE)


def note(progress: Progress, error: psycopg.Error) -> None:
    """End the window with the reason."""
    progress.refusal = progress.refusal or str(error).strip().split("\n")[0]
