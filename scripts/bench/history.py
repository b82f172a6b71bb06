"""Load a history of readings and backfill the rollups."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from scripts.bench.database import Connection, connect, value

FILL = (Path(__file__).with_name("fill.sql")).read_bytes()
TENANT = "default"
DAY = timedelta(days=1)
Say = Callable[[str], None]


class History(NamedTuple):
    """The users of a database, by name and key, and the range of their readings."""

    users: dict[str, int]
    start: datetime
    end: datetime


class Loaded(NamedTuple):
    """Seconds that loading a history took."""

    readings: int
    ingest: float
    backfill: float
    upkeep: float
    """Compression of old chunks, VACUUM and ANALYZE."""


MARK = """
    SELECT api_internal.mark_stale(array_agg(u), array_agg(q))
      FROM unnest(%(user_keys)s::int[]) AS u,
           generate_series(%(begin)s::timestamptz, %(end)s::timestamptz - INTERVAL '1 microsecond',
                           INTERVAL '15 minutes') AS q
"""


def names(word: str, count: int) -> tuple[str, ...]:
    """Return names such as walker-1, walker-2."""
    return tuple(f"{word}-{number}" for number in range(1, count + 1))


def load(url: str, users: int, days: int, every: int, say: Say, *, watch: bool) -> Loaded:
    """Load the last days as a late upload of all users, backfill the rollups, compress, and gather statistics."""
    with connect(url) as connection:
        end = value(connection, "SELECT date_trunc('minute', now())")
        began = time.perf_counter()
        readings = fill(connection, names("walker", users), end - days * DAY, end, every, say)
        ingest = time.perf_counter() - began
        backfill = refresh(url, connection, say, watch=watch)
        began = time.perf_counter()
        connection.execute("CALL api.upkeep()")
        connection.execute("VACUUM (ANALYZE)" if watch else "ANALYZE")
        return Loaded(readings, ingest, backfill, time.perf_counter() - began)


def fill(
    connection: Connection,
    users: tuple[str, ...],
    start: datetime,
    end: datetime,
    every: int,
    say: Say,
    *,
    step: timedelta = DAY,
) -> int:
    """Write all users' readings step by step, marking what is stale; return the number of readings.

    A step is a transaction that ends with the UTC day at the latest.
    """
    tenants = [TENANT] * len(users)
    user_keys = value(connection, "SELECT api_internal.enrol_users(%s::text[], %s::text[])", tenants, list(users))
    watches = [f"watch of {user}" for user in users]
    device_keys = value(connection, "SELECT api_internal.enrol_devices(%s::text[], %s::text[])", tenants, watches)
    readings, reported = 0, time.monotonic()
    while start < end:
        midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
        until = min(end, midnight + DAY, start + step)
        with connection.transaction():
            connection.execute("SELECT api_internal.hold_horizon()")
            span = {"begin": start, "end": until, "every": timedelta(seconds=every)}
            readings += connection.execute(FILL, {"user_keys": user_keys, "device_keys": device_keys, **span}).rowcount
            connection.execute(MARK, {"user_keys": user_keys, "begin": start, "end": until})
        start = until
        if time.monotonic() - reported > 10:
            reported = time.monotonic()
            say(f"  {readings:,} readings, up to {until:%Y-%m-%d}")
    return readings


def loaded(connection: Connection) -> History:
    """Return the history that a database holds."""
    rows = connection.execute(
        "SELECT user_id, user_key FROM core.app_user WHERE starts_with(user_id, 'walker') ORDER BY user_key"
    ).fetchall()
    users = {str(name): int(key) for name, key in rows}
    span = connection.execute(
        # From the rollup: a query over all chunks of ten years needs more locks than PostgreSQL has by default.
        "SELECT min(first_ts), max(last_ts) FROM rollup.user_1d WHERE user_key = %s",
        (next(iter(users.values())),),
    ).fetchone()
    assert span is not None
    return History(users, *span)


def refresh(url: str, connection: Connection, say: Say, *, watch: bool) -> float:
    """Refresh the rollups and return the seconds; with `watch`, print progress from a second connection."""
    done = threading.Event()
    watcher = threading.Thread(target=follow, args=(url, done, say), daemon=True)
    if watch:
        watcher.start()
    began = time.perf_counter()
    try:
        connection.execute("CALL api.refresh()")
    finally:
        done.set()
    return time.perf_counter() - began


def follow(url: str, done: threading.Event, say: Say) -> None:
    """Print the number of stale days until `done` is set."""
    with connect(url) as connection:
        while not done.wait(10):
            stale = value(connection, "SELECT count(*) FROM core.stale_day")
            say(f"  {stale:,} days of users are stale")
