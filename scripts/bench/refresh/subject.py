"""What is measured: a database that takes readings and keeps rollups of them, empty at first."""

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
    """On which everything happens, so that its process is the one that computes."""
    is_ours: bool
    """Whether aims are set for it."""

    def enrol(self, users: int, second_every: int) -> list[Source]:
        """Register users and their devices; every so manyth has a second one."""

    def begin(self, horizon: datetime) -> None:
        """Let everything before a moment be materialized; there is no reading yet."""

    def store(self, batch: Batch) -> None:
        """Store new readings in a transaction."""

    def fill(self, sources: Sequence[Source], start: datetime, end: datetime, every: timedelta) -> int:
        """Store new readings of a range above the horizon as fast as possible; return how many."""

    def write(self, readings: Sequence[Late]) -> None:
        """Write late readings as people with psql do."""

    def aim(self, until: datetime) -> None:
        """Let the next refresh bring everything before a moment up to date."""

    def refresh(self) -> None:
        """Bring the rollups up to date."""

    def problems(self, start: datetime, users: int) -> list[str]:
        """Say what is wrong with the rollups of a day, of so many users drawn at random; nothing, if all is well."""


Made = Callable[[str], AbstractContextManager[Subject]]
"""Makes a subject in a database of its own, which a word names; it ends with the context."""


def copy_into(table: str, connection: Connection, batch: Batch) -> None:
    """Copy a batch into a table shaped like core.reading."""
    with psycopg.Cursor(connection) as cursor, cursor.copy(COPY.format(table).encode()) as stream:
        stream.write(batch.rows)


def fill_into(
    table: str, connection: Connection, sources: Sequence[Source], start: datetime, end: datetime, every: timedelta
) -> int:
    """Write readings of a range into a table shaped like core.reading; return how many."""
    span = {"begin": start, "end": end, "every": every}
    keys = {
        "user_keys": [source.user_key for source in sources],
        "device_keys": [source.device_key for source in sources],
        "seconds": [source.second for source in sources],
    }
    return connection.execute(FILL.format(table=table).encode(), {**keys, **span}).rowcount
