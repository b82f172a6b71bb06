"""The cost of keeping answers fast, compared with the cost of writing."""

from __future__ import annotations

import math
import os
import random
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple

import psycopg

from scripts.bench.database import Connection, value
from scripts.bench.history import DAY, TENANT, History, names
from scripts.bench.measure import in_database
from scripts.bench.questions import SUMMARY, Question

WRITE = Path(__file__).with_name("write.sql").read_bytes()
QUARTER = timedelta(minutes=15)
BATCH = 1000
COPY = "COPY core.reading (user_key, device_key, ts, heart_rate, steps, calories) FROM STDIN (FORMAT binary)"
TYPES = ("int4", "int4", "timestamptz", "float8", "int4", "float8")
Batch = dict[str, list[object]]
"""Columns of readings by the parameter of write.sql."""


class Cost(NamedTuple):
    """Elapsed seconds, and processor seconds of the database's process; None if these cannot be read."""

    passed: float
    computed: float | None


class Live(NamedTuple):
    """A day as it happens, on one connection."""

    readings: int
    ingest: Cost
    refresh: Cost
    """Of a refresh every quarter of an hour."""
    idle_refresh: float
    """Seconds of a refresh with nothing to do; the job runs one a minute."""


class Late(NamedTuple):
    """A day uploaded late; milliseconds."""

    readings: int
    write: float
    before: float
    """The day's summary before the upload, from rollups."""
    stale: float
    """Its summary while the day is stale, from raw readings."""
    refresh: float
    after: float
    """Its summary after the refresh, from rollups again."""


def live_day(connection: Connection, users: int, every: int) -> Live:
    """Write a day of new users as it happens, refreshing every quarter of an hour, into a database without readings."""
    end = value(connection, "SELECT announced FROM core.horizon")
    moment = end - DAY
    connection.execute("UPDATE core.horizon SET announced = %s, materialized = %s", (moment, moment))
    people = names("live", users)
    keys = enrolled(connection, people)
    readings, ingest, refresh = 0, [], []
    while moment < end:
        batches = [keyed(batch, keys) for batch in readings_of(people, moment, moment + QUARTER, every)]
        ingest.append(cost(connection, partial(copy, connection, batches)))
        readings += sum(len(batch) for batch in batches)
        moment += QUARTER
        set_lag_to(connection, moment)
        refresh.append(cost(connection, partial(timed_refresh, connection)))
    set_lag(connection, "1 hour")
    connection.execute("CALL api.refresh()")
    return Live(readings, total(ingest), total(refresh), min(timed_refresh(connection) for _ in range(5)))


def cost(connection: Connection, work: Callable[[], object]) -> Cost:
    """Do work on a connection and return its cost."""
    computed, began = computed_seconds(connection), time.perf_counter()
    work()
    passed, after = time.perf_counter() - began, computed_seconds(connection)
    return Cost(passed, None if computed is None or after is None else after - computed)


def computed_seconds(connection: Connection) -> float | None:
    """Return the processor seconds of a connection's process, if it runs on this machine (Linux)."""
    process = Path(f"/proc/{connection.info.backend_pid}")
    try:
        name, _, rest = process.joinpath("stat").read_text().rpartition(")")
        if not name.endswith("(postgres"):
            return None
        nanoseconds = int(process.joinpath("schedstat").read_text().split()[0])
    except OSError:
        return None
    if nanoseconds:
        return nanoseconds / 1e9
    # A kernel without schedstat; its clock ticks every 10 ms.
    user, system = rest.split()[11:13]  # proc(5): fields 14 and 15, of which the first two are in name
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def total(costs: list[Cost]) -> Cost:
    """Return the sum of costs."""
    computed = [cost.computed for cost in costs if cost.computed is not None]
    return Cost(sum(cost.passed for cost in costs), sum(computed) if computed else None)


def enrolled(connection: Connection, people: tuple[str, ...]) -> dict[str, tuple[int, int]]:
    """Register people and their watches; return the keys of both."""
    tenants = [TENANT] * len(people)
    row = connection.execute(
        "SELECT user_keys, device_keys FROM api_internal.enrol_names(%s::text[], %s::text[], %s::text[], %s::text[])",
        (tenants, list(people), tenants, [watch_of(person) for person in people]),
    ).fetchone()
    assert row is not None
    return dict(zip(people, zip(*row, strict=True), strict=True))


def keyed(batch: Batch, keys: dict[str, tuple[int, int]]) -> list[tuple[object, ...]]:
    """Return the rows of a batch, in the order of COPY's columns."""
    columns = (batch[name] for name in ("timestamps", "heart_rates", "steps", "calories"))
    return [(*keys[str(user)], *row) for user, *row in zip(batch["user_ids"], *columns, strict=True)]


def copy(connection: Connection, batches: list[list[tuple[object, ...]]]) -> None:
    """Store new readings by the statements with which the service copies."""
    for batch in batches:
        with connection.transaction(), psycopg.Cursor(connection) as cursor:
            cursor.execute("SELECT api_internal.begin_writing()")
            with cursor.copy(COPY) as stream:
                stream.set_types(TYPES)
                for row in batch:
                    stream.write_row(row)
            cursor.execute(
                "SELECT api_internal.announce(%s::int[], %s::timestamptz[])",
                ([r[0] for r in batch], [r[2] for r in batch]),
            )


def write(connection: Connection, batches: list[Batch]) -> None:
    """Write batches by api's write function."""
    cursor = psycopg.Cursor(connection)
    for batch in batches:
        cursor.execute(WRITE, batch)


def set_lag_to(connection: Connection, moment: datetime) -> None:
    """Let the next refresh move the horizon up to a moment."""
    set_lag(connection, value(connection, "SELECT (now() - %s::timestamptz)::text", moment))


def set_lag(connection: Connection, lag: str) -> None:
    """Set how far the horizon stays behind now."""
    connection.execute("UPDATE core.setting SET value = %s WHERE name = 'refresh_lag'", (lag,))
    # The smallest step; revisions without steps have no such setting.
    connection.execute("UPDATE core.setting SET value = '15 minutes' WHERE name = 'refresh_step'")


def timed_refresh(connection: Connection) -> float:
    """Refresh and return the seconds."""
    began = time.perf_counter()
    connection.execute("CALL api.refresh()")
    return time.perf_counter() - began


def readings_of(people: tuple[str, ...], start: datetime, end: datetime, every: int, seed: int = 1) -> Iterator[Batch]:
    """Yield batches as the service writes them: a minute of every user, then the next."""
    chance = random.Random(f"{seed} {start}")  # noqa: S311
    count = math.ceil((end - start).total_seconds() / every)
    rows = [
        (TENANT, person, watch_of(person), start + timedelta(seconds=every * step), pulse(chance), 3, 1.25)
        for step in range(count)
        for person in people
    ]
    fields = ("tenant_ids", "user_ids", "device_ids", "timestamps", "heart_rates", "steps", "calories")
    for first in range(0, len(rows), BATCH):
        columns = zip(*rows[first : first + BATCH], strict=True)
        yield {field: list(column) for field, column in zip(fields, columns, strict=True)}


def watch_of(person: str) -> str:
    """Return the name of a person's device."""
    return f"watch of {person}"


def pulse(chance: random.Random) -> float:
    """Return a heart rate in beats per minute."""
    return float(chance.randint(50, 150))


def late_day(connection: Connection, of: History, every: int, seed: int) -> Late:
    """Overwrite a day of a user's past, refresh, and return the times."""
    user = next(iter(of.users))
    start = of.start + (of.end - of.start) // 2
    start = start.replace(hour=0, minute=0, second=0, microsecond=0)
    question = Question(SUMMARY, {"tenant": TENANT, "user": user, "start": start, "end": start + DAY})
    before = best(connection, question)
    batches = list(readings_of((user,), start, start + DAY, every, seed))
    began = time.perf_counter()
    write(connection, batches)
    written = (time.perf_counter() - began) * 1000
    stale = best(connection, question)
    refresh = timed_refresh(connection) * 1000
    return Late(sum(len(b["user_ids"]) for b in batches), written, before, stale, refresh, best(connection, question))


def best(connection: Connection, question: Question) -> float:
    """Return the least of five times in the database, in milliseconds."""
    return min(in_database(connection, question) for _ in range(5))
