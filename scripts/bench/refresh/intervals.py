"""Whole days of users with intervals or other metrics, beside days of the hot three, by the number of users."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from scripts.bench.database import Connection, value
from scripts.bench.history import TENANT
from scripts.bench.refresh.measurement import Row, Spent, median_of
from scripts.bench.refresh.readings import DAY
from scripts.bench.refresh.steps import Context, Cut, gather_statistics, refresh, yesterday
from scripts.bench.refresh.subject import Subject
from scripts.simulate import walks

QUESTION = "days of users with intervals and other metrics"
FILL = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
WALKERS = 5
"""Different walks; further users get copies."""
STEPS, GAUGES, DISTANCE = 2, 5, 28
TURNS = 3
VALUES = """
    SELECT sum(v.number)::bigint, sum(v.minutes)::bigint
      FROM (SELECT sum(num_nonnulls(r.heart_rate, r.steps, r.calories)) AS number,
                   sum(num_nonnulls(r.heart_rate, r.steps, r.calories)) AS minutes
              FROM core.reading AS r
             WHERE r.user_key = ANY (%(user_keys)s)
            UNION ALL
            SELECT count(*), sum(greatest(extract(epoch FROM i.ends_at - i.ts) / 60, 1))
              FROM core.interval AS i
             WHERE i.user_key = ANY (%(user_keys)s)
            UNION ALL
            SELECT count(*), count(*) FROM core.sample AS s WHERE s.user_key = ANY (%(user_keys)s)) AS v
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
    """Those with a reading of the hot three `every` so many minutes."""
    every: int = 1
    counters: tuple[str, ...] = ()
    """Those with an interval each minute."""
    samplers: tuple[str, ...] = ()
    """Those with a value of each of three metrics each minute, from `metric` on."""
    metric: int = STEPS
    only_steps: bool = False
    """Whether readings have nothing but steps."""
    length: str = "1 minute"
    walks: bool = False
    is_worn: bool = True
    alike: str = ""
    """A shape of the hot three, of as many values and devices."""

    @property
    def beside(self) -> str:
        """The shape that a value is compared with: a reading a minute of one device, or of two that meet."""
        meets = self.walks or len({*self.readers, *self.counters, *self.samplers}) > 1
        return MET.name if meets and self is not MET else HOT.name


class Stored(NamedTuple):
    """Days of users."""

    shape: Shape
    keys: list[int]
    values: int
    minutes: int
    """Values, an interval of ten minutes as ten."""


HOT = Shape("the hot three, a reading a minute", ("watch",))
MET = Shape("the hot three of two devices", ("watch", "phone"))
AS_MINUTES = "the hot three, a reading each three minutes"
AS_TEN_MINUTES = "the hot three, a reading each half hour"
AS_WALKS = "the hot three of two devices, each seven minutes"
SHAPES = (
    HOT,
    MET,
    Shape(AS_MINUTES, ("watch",), every=3),
    Shape(AS_TEN_MINUTES, ("watch",), every=30),
    Shape(AS_WALKS, ("watch", "phone"), every=7),
    Shape("three other metrics, a value a minute", samplers=("phone",), metric=GAUGES),
    Shape("three other metrics of two devices", samplers=("watch", "phone"), metric=GAUGES),
    Shape("steps of a phone, a reading a minute", ("phone",), only_steps=True, alike=AS_MINUTES),
    Shape("steps of a phone, a reading each ten minutes", ("phone",), every=10, only_steps=True, alike=AS_TEN_MINUTES),
    Shape("steps of a phone by minute", counters=("phone",), alike=AS_MINUTES),
    Shape("steps of a phone by ten minutes", counters=("phone",), length="10 minutes", alike=AS_TEN_MINUTES),
    Shape("distance of a phone by minute", counters=("phone",), metric=DISTANCE, alike=AS_MINUTES),
    Shape("the hot three of a watch, steps of a phone by minute", ("watch",), counters=("phone",)),
    Shape(
        "the hot three of a watch, steps of a phone by ten minutes",
        ("watch",),
        counters=("phone",),
        length="10 minutes",
    ),
    Shape("walks of a watch and a phone, by minute and ten minutes", walks=True, alike=AS_WALKS),
    Shape("the same without worn windows", walks=True, is_worn=False, alike=AS_WALKS),
)


def days_of_intervals(context: Context) -> Iterator[Row]:
    """Measure each shape with each number of users, new and unchanged; a value is an interval, or one of a reading."""
    day = yesterday()
    with context.open_subject("intervals") as subject:
        subject.begin(day + DAY)
        devices = enrolled(subject.connection)
        walkers = walked(subject.connection, devices, day)
        refresh(subject, day + DAY, context.options.patience)
        for users in sorted({min(size, context.options.users) for size in (10, 100, context.options.users)}):
            first: dict[str, tuple[Stored, Spent]] = {}
            for shape in SHAPES:
                context.say(f"  {subject.name}: {users:,} days of users: {shape.name}")
                stored = store(subject.connection, shape, users, devices, walkers)
                gather_statistics(subject)
                try:
                    yield from measured(subject, context, stored, first)
                except Cut as cut:
                    yield Row(QUESTION, subject.name, shape.name, users, stored.values, (), note=str(cut))
        context.check(subject, day)


def store(connection: Connection, shape: Shape, users: int, devices: dict[str, int], walkers: Sequence[int]) -> Stored:
    """Store days of users, and mark them."""
    names = [f"{shape.name}, {number} of {users}" for number in range(users)]
    keys = value(connection, "SELECT enrol_users(%s::text[], %s::text[])", [TENANT] * users, names)
    connection.execute(
        FILL.encode(),
        {
            "user_keys": keys,
            "day": yesterday(),
            "readers": [devices[name] for name in shape.readers],
            "every": shape.every,
            "counters": [devices[name] for name in shape.counters],
            "samplers": [devices[name] for name in shape.samplers],
            "metric": shape.metric,
            "only_steps": shape.only_steps,
            "length": shape.length,
            "walkers": list(walkers) if shape.walks else [],
            "is_worn": shape.is_worn,
        },
    )
    found = connection.execute(VALUES.encode(), {"user_keys": keys}).fetchone()
    assert found is not None
    return Stored(shape, keys, *found)


def measured(
    subject: Subject, context: Context, stored: Stored, first: dict[str, tuple[Stored, Spent]]
) -> Iterator[Row]:
    """Refresh new days, then unchanged ones in turns with the hot three; note how a value compares with these."""
    until, patience, shape = yesterday() + DAY, context.options.patience, stored.shape
    row = partial(Row, QUESTION, subject.name, users=len(stored.keys), readings=stored.values)
    taken = refresh(subject, until, patience)
    first[shape.name] = stored, taken
    others = [first[name] for name in (shape.beside, shape.alike) if name in first and name != shape.name]
    yield row(shape.name, spent=(taken,), note=compared(stored, taken, others))
    turns: list[list[Spent]] = [[], *([] for _ in others)]
    for _ in range(TURNS):
        for each, spent in zip((stored, *(other for other, _ in others)), turns, strict=True):
            mark(subject.connection, each)
            spent.append(refresh(subject, until, patience))
    again = [(other, median_of(spent)) for (other, _), spent in zip(others, turns[1:], strict=True)]
    yield row(f"{shape.name}, unchanged", spent=tuple(turns[0]), note=compared(stored, median_of(turns[0]), again))


def mark(connection: Connection, stored: Stored) -> None:
    """Mark days of users once more."""
    connection.execute(AGAIN.encode(), (yesterday(), stored.shape.metric, stored.shape.metric, stored.keys))


def compared(stored: Stored, taken: Spent, others: Sequence[tuple[Stored, Spent]]) -> str:
    """Return how a value, and a minute that it covers, compare with values of the hot three of as many users."""
    notes = []
    for other, other_taken in others:
        if taken.computed is None or other_taken.computed is None:
            continue
        a_value = other_taken.computed / other.values
        notes.append(f"{taken.computed / stored.values / a_value:.1f} times a value of {other.shape.name}")
        if stored.minutes != stored.values and other.shape.name == stored.shape.beside:
            notes.append(f"{taken.computed / stored.minutes / a_value:.1f} by minutes")
    return ", ".join(notes)


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
