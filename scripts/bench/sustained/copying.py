"""The same arrivals by COPY, without a service: several clients, each with a connection of its own."""

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
"""Readings of one COPY: what arrives is gathered, since nobody would commit each reading of a strap alone."""
WAIT_SECONDS = 0.05
COLUMNS = b"(ts, heart_rate, calories, user_key, device_key, steps) FROM STDIN"
COPY = b"COPY plain.reading " + COLUMNS
COPY_AGAIN = b"COPY pg_temp.again " + COLUMNS
AGAIN = b"CREATE TEMP TABLE again (LIKE plain.reading) ON COMMIT DELETE ROWS"
MERGE = Path(__file__).with_name("plain_merge.sql").read_bytes()


class Line:
    """The arrivals that the clients take from, in turns."""

    def __init__(self, arrivals: Iterator[Arrival], window: Window) -> None:
        self.arrivals = arrivals
        self.window = window
        self.until = time.perf_counter() + window.seconds
        self.lock = threading.Lock()

    @property
    def is_over(self) -> bool:
        """Whether nothing more is taken."""
        return bool(self.window.progress.refusal or time.perf_counter() > self.until or self.window.is_over())

    def take(self) -> list[tuple[Arrival, float]]:
        """Wait until some are due; return them with when they were, none when it is over."""
        while not self.is_over:
            with self.lock:
                wait = self.window.pace.wait()
                if wait <= 0:
                    return self.gather()
            time.sleep(min(wait, WAIT_SECONDS))
        return []

    def gather(self) -> list[tuple[Arrival, float]]:
        """Return what goes into one COPY."""
        taken, readings = [], 0
        while readings < LEAST:
            arrival = next(self.arrivals)
            readings += arrival.upload.readings
            taken.append((arrival, self.window.pace.take(arrival.upload.readings)))
        return taken

    def count(self, taken: list[tuple[Arrival, float]]) -> None:
        """Count what is committed."""
        now = time.perf_counter()
        with self.lock:
            for arrival, due in taken:
                self.window.progress.take(arrival, now - due)


def copy(url: str, clients: int, arrivals: Iterator[Arrival], window: Window) -> None:
    """Copy until the window is over."""
    line = Line(arrivals, window)
    threads = [threading.Thread(target=work, args=(url, line), daemon=True) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def work(url: str, line: Line) -> None:
    """Be one client."""
    try:
        with connect(url) as connection:
            connection.execute(AGAIN)
            while taken := line.take():
                store(connection, [arrival for arrival, _ in taken])
                line.count(taken)
    except psycopg.Error as error:
        note(line.window.progress, error)


def store(connection: Connection, arrivals: list[Arrival]) -> None:
    """Store in one transaction: what is new by COPY, what is sent again by way of a temporary table."""
    new = b"".join(arrival.rows for arrival in arrivals if not arrival.is_again)
    again = b"".join(arrival.rows for arrival in arrivals if arrival.is_again)
    try:
        write(connection, new, again)
    except psycopg.errors.UniqueViolation:  # what is sent again has overtaken what was sent first
        write(connection, b"", new)
        write(connection, b"", again)


def write(connection: Connection, new: bytes, again: bytes) -> None:
    """Copy lines, and merge others."""
    with connection.transaction(), psycopg.Cursor(connection) as cursor:
        if new:
            with cursor.copy(COPY) as stream:
                stream.write(new)
        if again:
            with cursor.copy(COPY_AGAIN) as stream:
                stream.write(again)
            cursor.execute(MERGE)


def note(progress: Progress, error: psycopg.Error) -> None:
    """Let the window end with the reason."""
    progress.refusal = progress.refusal or str(error).strip().split("\n")[0]
