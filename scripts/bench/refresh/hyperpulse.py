"""Hyperpulse, of this revision or another; scripts/bench/revision.py lists what another one must offer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

import psycopg

from scripts.bench.database import Connection, Migrate, connect, database, value
from scripts.bench.freshness import WRITE, set_lag_to
from scripts.bench.history import TENANT
from scripts.bench.refresh.readings import DAY, Batch, Late, Source, named, names
from scripts.bench.refresh.subject import Subject, copy_into, fill_into
from scripts.migrate import migrate

NAME = "Hyperpulse"
TABLE = "core.reading"
MARK = "SELECT mark_stale(%s::int[], %s::timestamptz[])"
STALE = "SELECT count(DISTINCT (user_key, day)) FROM core.stale_day"
VERIFY = "SELECT level, user_id, bucket, problem FROM api.verify(%s, %s, %s) WHERE problem IS NOT NULL"


@contextmanager
def hyperpulse(
    server_url: str | None, database_name: str, name: str = NAME, migrating: Migrate = migrate
) -> Iterator[Subject]:
    """Yield a database that `migrating` makes: by default of this revision."""
    with database(server_url, database_name, migrating=migrating) as url, connect(url) as connection:
        yield Hyperpulse(connection, name, is_ours=migrating is migrate)


class Hyperpulse:
    """A migrated database whose jobs do not run."""

    def __init__(self, connection: Connection, name: str, *, is_ours: bool) -> None:
        self.connection = connection
        self.name = name
        self.is_ours = is_ours

    def enrol(self, users: int, second_every: int) -> list[Source]:
        """Register users and their devices; every `second_every`th user has a second one."""
        people = names(users, second_every)
        tenants = [TENANT] * len(people)
        user_ids, device_ids = (list(column) for column in zip(*people, strict=True))
        return named(
            value(self.connection, "SELECT enrol_users(%s::text[], %s::text[])", tenants, user_ids),
            value(self.connection, "SELECT enrol_devices(%s::text[], %s::text[])", tenants, device_ids),
            people,
        )

    def begin(self, horizon: datetime) -> None:
        """Set the horizon."""
        self.connection.execute("UPDATE core.horizon SET materialized = %s, announced = %s", (horizon, horizon))

    def store(self, batch: Batch) -> None:
        """Store a batch by the statements with which the service copies."""
        with self.connection.transaction():
            announced = value(self.connection, "SELECT announced FROM begin_writing()")
            copy_into(TABLE, self.connection, batch)
            if min(batch.quarters) < announced:
                self.connection.execute(MARK, (batch.user_keys, batch.quarters))

    def fill(self, sources: Sequence[Source], start: datetime, end: datetime, every: timedelta) -> int:
        """Store readings above the horizon by INSERT."""
        with self.connection.transaction():
            assert value(self.connection, "SELECT hold_horizon()") <= start
            return fill_into(TABLE, self.connection, sources, start, end, every)

    def write(self, readings: Sequence[Late]) -> None:
        """Write readings by api's write function."""
        columns = {
            "tenant_ids": [TENANT] * len(readings),
            "user_ids": [reading.source.user for reading in readings],
            "device_ids": [reading.source.device for reading in readings],
            "timestamps": [reading.moment for reading in readings],
            "heart_rates": [reading.heart_rate for reading in readings],
            "steps": [reading.steps for reading in readings],
            "calories": [reading.calories for reading in readings],
        }
        psycopg.Cursor(self.connection).execute(WRITE, columns)

    def aim(self, until: datetime) -> None:
        """Set the lag so that the next refresh moves the horizon to a moment."""
        set_lag_to(self.connection, until)

    def refresh(self) -> None:
        """Refresh as the job does."""
        self.connection.execute("CALL api.refresh()")

    def problems(self, start: datetime, users: int) -> list[str]:
        """Return what api.verify finds, and whether days are still stale."""
        stale = value(self.connection, STALE)
        found = self.connection.execute(VERIFY, (start, start + DAY, users)).fetchall()
        wrong = [f"{self.name}: {level} of {user} at {bucket}: {problem}" for level, user, bucket, problem in found]
        return wrong + ([f"{self.name}: {stale:,} days of users are stale after the refresh"] if stale else [])
