"""Plain hierarchical continuous aggregates: no rule for several devices, and stale answers between refreshes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from scripts.bench.database import Connection, connect, embedded_database, native_database, value
from scripts.bench.refresh.readings import DAY, Batch, Late, Source, named, names
from scripts.bench.refresh.subject import Subject, copy_into, fill_into

NAME = "plain aggregates"
TABLE = "plain.reading"
SHAPE = Path(__file__).with_name("aggregates.sql").read_bytes()
LEVELS = ("plain.user_15m", "plain.user_1h", "plain.user_1d")
WRITE = """
    INSERT INTO plain.reading (ts, heart_rate, calories, user_key, device_key, steps)
    SELECT * FROM unnest(%s::timestamptz[], %s::float8[], %s::float8[], %s::int[], %s::int[], %s::int[])
"""
DIFFERS = """
    SELECT count(*)
      FROM (SELECT user_key, count(heart_rate) AS count FROM plain.reading WHERE ts >= %s AND ts < %s GROUP BY 1) AS r
      FULL JOIN (SELECT user_key, heart_rate_count AS count FROM plain.user_1d WHERE bucket = %s) AS d USING (user_key)
     WHERE r.count IS DISTINCT FROM d.count
"""


@contextmanager
def aggregates(server_url: str | None, database_name: str) -> Iterator[Subject]:
    """Yield a database with continuous aggregates of a quarter, an hour and a day, each over the one before."""
    opened = (
        embedded_database()
        if server_url is None
        else native_database(server_url, database_name, keep=False, reuse=False)
    )
    with opened as url, connect(url) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
        connection.execute(SHAPE)
        yield Aggregates(connection)


class Aggregates:
    """A hypertable with three levels of continuous aggregates, refreshed by hand."""

    name = NAME
    is_ours = False

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.span: tuple[datetime, datetime] | None = None

    def enrol(self, users: int, second_every: int) -> list[Source]:
        """Assign numbers to users and their devices."""
        people = names(users, second_every)
        keys = {user: number for number, user in enumerate(dict.fromkeys(user for user, _ in people), 1)}
        return named([keys[user] for user, _ in people], range(1, len(people) + 1), people)

    def begin(self, horizon: datetime) -> None:
        """Refresh the empty aggregates, since the first refresh of a range does more."""
        self.aim(horizon)
        self.refresh()

    def store(self, batch: Batch) -> None:
        """Store a batch by COPY."""
        with self.connection.transaction():
            copy_into(TABLE, self.connection, batch)

    def fill(self, sources: Sequence[Source], start: datetime, end: datetime, every: timedelta) -> int:
        """Store readings by INSERT."""
        return fill_into(TABLE, self.connection, sources, start, end, every)

    def write(self, readings: Sequence[Late]) -> None:
        """Write readings by INSERT."""
        rows = [
            (reading.moment, reading.heart_rate, reading.calories, *reading.source[2:4], reading.steps)
            for reading in readings
        ]
        self.connection.execute(WRITE, [list(column) for column in zip(*rows, strict=True)])

    def aim(self, until: datetime) -> None:
        """Set the range of the next refresh, long enough for a whole bucket of each level."""
        self.span = (until - 3 * DAY, until)

    def refresh(self) -> None:
        """Refresh level by level."""
        assert self.span is not None
        for level in LEVELS:
            self.connection.execute("CALL refresh_continuous_aggregate(%s, %s, %s)", (level, *self.span))

    def problems(self, start: datetime, users: int) -> list[str]:
        """Return a problem if days and raw readings differ in the number of readings."""
        differ = value(self.connection, DIFFERS, start, start + DAY, start)
        return [f"{self.name}: {differ:,} days of users differ"] if differ else []
