"""The subject of a measurement: an initially empty database that stores readings and keeps rollups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import psycopg

from scripts.bench.database import Connection
from scripts.bench.refresh.readings import Batch, Late, Source

FILL = Path(__file__).with_name("fill.sql").read_text(encoding="utf-8")
COPY = "COPY {} (user_key, device_key, ts, heart_rate, steps, calories) FROM STDIN (FORMAT binary)"


class Subject(Protocol):
    """A database with rollups."""

    name: str
    connection: Connection
    """The only connection, so that its process does all the work."""
    is_ours: bool
    """Whether targets apply to it."""

    def enrol(self, users: int, second_every: int) -> list[Source]:
        """Register users and their devices; every `second_every`th user has a second one."""

    def begin(self, horizon: datetime) -> None:
        """Set the horizon before any reading is stored."""

    def store(self, batch: Batch) -> None:
        """Store new readings in a transaction."""

    def fill(self, sources: Sequence[Source], start: datetime, end: datetime, every: timedelta) -> int:
        """Store new readings of a range above the horizon as fast as possible; return their number."""

    def write(self, readings: Sequence[Late]) -> None:
        """Write late readings in SQL."""

    def aim(self, until: datetime) -> None:
        """Set the moment up to which the next refresh materializes."""

    def refresh(self) -> None:
        """Bring the rollups up to date."""

    def problems(self, start: datetime, users: int) -> list[str]:
        """Return errors in the rollups of a day, for `users` random users."""


OpenSubject = Callable[[str], AbstractContextManager[Subject]]
"""Opens a subject in a new database, which a word names; the database is dropped with the context."""


def copy_into(table: str, connection: Connection, batch: Batch) -> None:
    """Copy a batch into a table shaped like core.reading."""
    with psycopg.Cursor(connection) as cursor, cursor.copy(COPY.format(table).encode()) as stream:
        stream.write(batch.rows)


def fill_into(
    table: str, connection: Connection, sources: Sequence[Source], start: datetime, end: datetime, every: timedelta
) -> int:
    """Write readings of a range into a table shaped like core.reading; return their number."""
    span = {"begin": start, "end": end, "every": every}
    keys = {
        "user_keys": [source.user_key for source in sources],
        "device_keys": [source.device_key for source in sources],
        "seconds": [source.second for source in sources],
    }
    return connection.execute(FILL.format(table=table).encode(), {**keys, **span}).rowcount
