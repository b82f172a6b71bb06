"""All users' day at once: the cost of COPY, of a refresh of the whole day, and of a refresh with nothing to do."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from scripts.bench.refresh.measurement import NO_AIMS, Aims, Row, spent
from scripts.bench.refresh.readings import DAY, by_time
from scripts.bench.refresh.steps import MINUTE, Context, Cut, gather_statistics, refresh, store, yesterday
from scripts.bench.refresh.subject import Subject

QUESTION = "a day of all users, a reading a minute"
AIM_PER_READING = 3e-6
AIM_WAL = 40e6 / 1_440_000
"""Bytes a reading."""
IDLE = Aims(passed=0.002)


def whole_day(context: Context) -> Iterator[Row]:
    """Measure with one device each, and with a second device of some users."""
    for second_every in sorted({0, context.options.second_every}):
        with context.open_subject("day") as subject:
            yield from one_day(subject, second_every, context)


def one_day(subject: Subject, second_every: int, context: Context) -> Iterator[Row]:
    """Measure one database."""
    options, day = context.options, yesterday()
    devices = f"; two devices of every {second_every}th" if second_every else "; one device each"
    context.say(f"  {subject.name}: a day of {options.users:,} users{devices}")
    sources = subject.enrol(options.users, second_every)
    subject.begin(day)
    batches = list(by_time(sources, day, day + DAY, MINUTE))
    readings = sum(batch.readings for batch in batches)
    row = partial(Row, f"{QUESTION}{devices}", subject.name, users=options.users)
    copied = spent(subject.connection, partial(store, subject, batches))
    yield row("COPY", readings=readings, spent=(copied,))
    gather_statistics(subject)
    aims = Aims(per_reading=AIM_PER_READING, wal=AIM_WAL * readings) if subject.is_ours else NO_AIMS
    try:
        everything = refresh(subject, day + DAY, options.patience)
    except Cut as cut:
        yield row("refresh of all", readings=readings, spent=(), aims=aims, note=str(cut))
        return
    yield row("refresh of all", readings=readings, spent=(everything,), aims=aims)
    idle = [refresh(subject, day + DAY, options.patience) for _ in range(options.repeats)]
    aims = IDLE if subject.is_ours else NO_AIMS
    yield row("refresh with nothing to do", readings=0, spent=tuple(idle), aims=aims)
    context.check(subject, day)
