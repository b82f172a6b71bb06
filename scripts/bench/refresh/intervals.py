"""Whole days of users whose devices count over intervals, beside days of the hot three, by the number of users."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from scripts.bench.database import Connection, value
from scripts.bench.history import TENANT
from scripts.bench.refresh.measurement import Row, median_of
from scripts.bench.refresh.readings import DAY
from scripts.bench.refresh.steps import Context, Cut, gather_statistics, refresh, yesterday
from scripts.bench.refresh.subject import Subject
from scripts.simulate import walks

QUESTION = "days of users with intervals"
FILL = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
WALKERS = 5
"""Different walks; further users get copies."""
STEPS, DISTANCE = 2, 28
VALUES = """
    SELECT (SELECT coalesce(sum(num_nonnulls(r.heart_rate, r.steps, r.calories)), 0)
              FROM core.reading AS r WHERE r.user_key = ANY (%s))
         + (SELECT count(*) FROM core.interval AS i WHERE i.user_key = ANY (%s))
"""
AGAIN = """
    INSERT INTO core.stale_day (user_key, day, quarters, sample_quarters)
      SELECT u, %s, CASE WHEN %s > 3 THEN B'0'::bit(96) ELSE ~ B'0'::bit(96) END,
             CASE WHEN %s > 3 THEN ~ B'0'::bit(96) END
        FROM unnest(%s::int[]) AS u
"""


class Shape(NamedTuple):
    """What the devices of a user send in a day."""

    name: str
    readers: tuple[str, ...] = ()
    """Those with a reading of the hot three each minute."""
    counters: tuple[str, ...] = ()
    """Those with an interval each minute."""
    metric: int = STEPS
    length: str = "1 minute"
    walks: bool = False
    is_worn: bool = True


HOT = Shape("the hot three, a reading a minute", ("watch",))
SHAPES = (
    HOT,
    Shape("the hot three of two devices", ("watch", "phone")),
    Shape("steps of a phone by minute", counters=("phone",)),
    Shape("the hot three of a watch, steps of a phone by minute", ("watch",), ("phone",)),
    Shape("the hot three of a watch, steps of a phone by ten minutes", ("watch",), ("phone",), length="10 minutes"),
    Shape("walks of a watch and a phone, by minute and ten minutes", walks=True),
    Shape("the same without worn windows", walks=True, is_worn=False),
    Shape("distance of a phone by minute", counters=("phone",), metric=DISTANCE),
)


def days_of_intervals(context: Context) -> Iterator[Row]:
    """Measure each shape with each number of users, new and unchanged; a value is an interval, or one of a reading."""
    day = yesterday()
    with context.open_subject("intervals") as subject:
        subject.begin(day + DAY)
        devices = enrolled(subject.connection)
        walkers = walked(subject.connection, devices, day)
        refresh(subject, day + DAY, context.options.patience)
        hot: dict[int, float] = {}
        for shape in SHAPES:
            for users in sorted({min(size, context.options.users) for size in (10, 100, context.options.users)}):
                context.say(f"  {subject.name}: {users:,} days of users: {shape.name}")
                for row in measured(subject, context, shape, users, devices, walkers):
                    yield row._replace(note=compared(row, hot, is_hot=shape is HOT))
        context.check(subject, day)


def measured(
    subject: Subject, context: Context, shape: Shape, users: int, devices: dict[str, int], walkers: Sequence[int]
) -> Iterator[Row]:
    """Store days of users and refresh them."""
    connection, day = subject.connection, yesterday()
    names = [f"{shape.name}, {number} of {users}" for number in range(users)]
    keys = value(connection, "SELECT enrol_users(%s::text[], %s::text[])", [TENANT] * users, names)
    connection.execute(
        FILL.encode(),
        {
            "user_keys": keys,
            "day": day,
            "readers": [devices[name] for name in shape.readers],
            "counters": [devices[name] for name in shape.counters],
            "metric": shape.metric,
            "length": shape.length,
            "walkers": list(walkers) if shape.walks else [],
            "is_worn": shape.is_worn,
        },
    )
    values = int(value(connection, VALUES, keys, keys))
    row = partial(Row, QUESTION, subject.name, users=users, readings=values)
    gather_statistics(subject)
    try:
        yield row(shape.name, spent=(refresh(subject, day + DAY, context.options.patience),))
        connection.execute(AGAIN.encode(), (day, shape.metric, shape.metric, keys))
        yield row(f"{shape.name}, unchanged", spent=(refresh(subject, day + DAY, context.options.patience),))
    except Cut as cut:
        yield row(shape.name, spent=(), note=str(cut))


def compared(row: Row, hot: dict[int, float], *, is_hot: bool) -> str:
    """Return how a value, and a day of a user, compare with the hot three of as many users."""
    if not row.spent:
        return row.note
    taken = median_of(row.spent).computed
    if taken is None:
        return ""
    key = row.users * (-1 if row.what.endswith("unchanged") else 1)
    if is_hot:
        hot[key] = taken
        return ""
    a_value = taken / row.readings / (hot[key] / (row.users * 4320))
    return f"{a_value:.1f} times a value of the hot three, {taken / hot[key]:.1f} times their day"


def enrolled(connection: Connection) -> dict[str, int]:
    """Register the devices; return their keys."""
    names = ["watch", "phone", walks.WATCH, walks.PHONE]
    keys = value(connection, "SELECT enrol_devices(%s::text[], %s::text[])", [TENANT] * len(names), names)
    return dict(zip(names, keys, strict=True))


def walked(connection: Connection, devices: dict[str, int], day: datetime) -> list[int]:
    """Store what the devices of a few people count in a day; return the keys of these users."""
    start = int(day.timestamp()) // walks.MINUTE
    names = [f"walker {number}" for number in range(WALKERS)]
    keys: list[int] = value(connection, "SELECT enrol_users(%s::text[], %s::text[])", [TENANT] * WALKERS, names)
    for user, user_key in zip(names, keys, strict=True):
        end = start + walks.DAY
        sent = [*walks.watch_readings(1, user, start, end), *walks.phone_readings(1, user, start, end, 10)]
        counted = [each for each in sent if each.get("worn") or "steps" in each]
        beats = [each for each in sent if "heart_rate" in each]
        with connection.transaction():
            value(connection, "SELECT hold_horizon()")
            connection.execute(
                b"SELECT merge_intervals(%s, %s, %s, %s::timestamptz[], %s::timestamptz[], %s::float8[],"
                b" %s::smallint[])",
                (
                    [user_key] * len(counted),
                    [0 if each.get("worn") else STEPS for each in counted],
                    *columns(counted, devices),
                    [each["end"] for each in counted],
                    [float(each.get("steps", 0)) for each in counted],
                    [int(each.get("worn", False)) for each in counted],
                ),
            )
            connection.execute(
                b"INSERT INTO core.reading (user_key, device_key, ts, heart_rate)"
                b" SELECT * FROM unnest(%s::int[], %s::int[], %s::timestamptz[], %s::float8[])",
                ([user_key] * len(beats), *columns(beats, devices), [each["heart_rate"] for each in beats]),
            )
    return keys


def columns(sent: Sequence[dict[str, Any]], devices: dict[str, int]) -> tuple[list[int], list[str]]:
    """Return the keys of the devices, and the moments."""
    return [devices[each["device_id"]] for each in sent], [each["timestamp"] for each in sent]
