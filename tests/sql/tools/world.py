"""What tools are shown: two users with readings until now, and what a count in Python makes of them."""

from __future__ import annotations

import os
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import psycopg
import pytest

NAME = f"tool_{os.getpid()}"  # roles are shared by all databases of a server
HOUR = timedelta(hours=1)
BERLIN = ZoneInfo("Europe/Berlin")
ELSEWHERE = "America/New_York"
Rows = list[tuple[Any, ...]]


class Reading(NamedTuple):
    """A reading of the one device that each user wears."""

    user: str
    ts: datetime
    heart_rate: float
    steps: int


class World(NamedTuple):
    """A database with readings until now, and a user who may only read."""

    owner: psycopg.Connection[Any]
    url: str
    now: datetime
    readings: list[Reading]

    def ask(self, statement: str, parameters: dict[str, Any] | None = None, zone: str = "UTC") -> Rows:
        """Return the rows of a statement, asked in a session of a zone."""
        with psycopg.connect(self.url, autocommit=True, options=f"-c timezone={zone}") as connection:
            return connection.execute(statement.encode(), parameters).fetchall()

    def moments(self) -> list[datetime]:
        """Return what now() may have been since the readings were written: an hour may have begun since."""
        return [self.now, datetime.now(UTC)]

    def hours(self) -> set[int]:
        """Return how many hours of the last week ada reported in, at each of these moments."""
        mine = {floor(reading.ts, HOUR) for reading in self.readings if reading.user == "ada"}
        return {sum(hour >= now - 168 * HOUR for hour in mine) for now in self.moments()}

    def steps(self, user: str) -> dict[date, int]:
        """Return a user's steps by day of Berlin."""
        found: dict[date, int] = defaultdict(int)
        for reading in self.readings:
            if reading.user == user:
                found[reading.ts.astimezone(BERLIN).date()] += reading.steps
        return dict(found)

    def heart_rates(self, width: timedelta, first: datetime, last: datetime) -> dict[datetime, Any]:
        """Return ada's average heart rates by bucket, of the whole hours that begin between two moments."""
        found: dict[datetime, list[float]] = defaultdict(list)
        for reading in self.readings:
            if reading.user == "ada" and first <= floor(reading.ts, HOUR) <= last:
                found[floor(reading.ts, width)].append(reading.heart_rate)
        return {bucket: pytest.approx(sum(rates) / len(rates)) for bucket, rates in sorted(found.items())}


def floor(moment: datetime, width: timedelta) -> datetime:
    """Return the start of a moment's bucket."""
    return moment - (moment - datetime(2000, 1, 3, tzinfo=UTC)) % width


def by_hour(world: World, rows: Rows) -> dict[datetime, tuple[int, int]]:
    """Return users and steps by hour, of those hours that upkeep has certainly taken in."""
    return {bucket: (users, steps) for bucket, users, _, steps in rows if bucket < world.now - 4 * HOUR}


def hours_of_both(world: World, first: datetime) -> dict[datetime, tuple[int, int]]:
    """Return how many users reported something in each of these hours, and their steps."""
    found: dict[datetime, list[Reading]] = defaultdict(list)
    for reading in world.readings:
        if first <= floor(reading.ts, HOUR) < world.now - 4 * HOUR:
            found[floor(reading.ts, HOUR)].append(reading)
    return {hour: (len({r.user for r in group}), sum(r.steps for r in group)) for hour, group in found.items()}


def views(world: World) -> list[str]:
    """Return the names of the views of api."""
    return [name for (name,) in world.owner.execute("SELECT viewname FROM pg_views WHERE schemaname = 'api'")]
