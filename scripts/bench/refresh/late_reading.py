"""The cost of a refresh after one late reading of one user, with increasing numbers of users."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial

from scripts.bench.refresh.measurement import NO_AIMS, Aims, Row, Spent, spent
from scripts.bench.refresh.readings import DAY, QUARTER, Late, Source, late
from scripts.bench.refresh.steps import MINUTE, Context, Cut, Stopwatch, gather_statistics, refresh, yesterday
from scripts.bench.refresh.subject import Subject

QUESTION = "one late reading of one user"
REFRESH = "refresh after one late reading"
AIMS = Aims(passed=0.015, wal=0.3e6)
EMBEDDED_AIMS = Aims(passed=0.05)
EMBEDDED_QUESTION = "one late reading of one user, embedded"
DENSE = 10_000
"""With more users, each has a reading a quarter of an hour instead of one a minute."""


def one_late(context: Context) -> Iterator[Row]:
    """Measure with each number of users."""
    for users in context.options.sizes:
        with context.open_subject(f"late_{users}") as subject:
            yield from one_size(subject, users, context, QUESTION, AIMS)


def one_late_embedded(context: Context) -> Iterator[Row]:
    """Measure on the embedded database."""
    with context.open_subject("late_embedded") as subject:
        yield from one_size(subject, context.options.embedded_users, context, EMBEDDED_QUESTION, EMBEDDED_AIMS)


def one_size(subject: Subject, users: int, context: Context, question: str, aims: Aims) -> Iterator[Row]:
    """Measure one database: a refresh of all, then one after each of several late readings."""
    options, day = context.options, yesterday()
    every = MINUTE if users <= DENSE else QUARTER
    context.say(f"  {subject.name}: {users:,} users, a reading every {every.total_seconds():,.0f} s")
    sources = subject.enrol(users, 0)
    subject.begin(day)
    readings = filled(subject, sources, day, every, context)
    gather_statistics(subject)
    row = partial(Row, question, subject.name, users=users)
    step = "refresh of all"
    try:
        everything = refresh(subject, day + DAY, options.patience)
        yield row(step, readings=readings, spent=(everything,))
        gather_statistics(subject, vacuum=True)
        step = REFRESH
        written, refreshed = repeat(subject, picked(sources, day, context), day + DAY, context)
    except Cut as cut:
        yield row(step, readings=1 if step == REFRESH else readings, spent=(), note=str(cut))
        return
    yield row("write one late reading", readings=1, spent=tuple(written))
    yield row(REFRESH, readings=1, spent=tuple(refreshed), aims=aims if subject.is_ours else NO_AIMS)
    if users <= DENSE:
        context.check(subject, day)


def filled(subject: Subject, sources: Sequence[Source], day: datetime, every: timedelta, context: Context) -> int:
    """Write a day of every user, quarter by quarter; return the number of readings."""
    readings, stopwatch = 0, Stopwatch()
    for number in range(96):
        start = day + number * QUARTER
        readings += subject.fill(sources, start, start + QUARTER, every)
        if stopwatch.is_due():
            context.say(f"    {readings:,} readings")
    return readings


def picked(sources: Sequence[Source], day: datetime, context: Context) -> Iterator[Late]:
    """Yield late readings of random users at random moments of the day."""
    chance = random.Random(context.options.seed)  # noqa: S311
    for source in chance.sample(sources, min(context.options.repeats, len(sources))):
        yield late(source, day + chance.randrange(24 * 60) * MINUTE)


def repeat(
    subject: Subject, readings: Iterator[Late], until: datetime, context: Context
) -> tuple[list[Spent], list[Spent]]:
    """Write a reading and refresh, repeatedly; return the costs of both. End early if it takes too long."""
    stopwatch = Stopwatch()
    written, refreshed = [], []
    for reading in readings:
        written.append(spent(subject.connection, partial(subject.write, [reading])))
        refreshed.append(refresh(subject, until, context.options.patience))
        if stopwatch.passed() > context.options.patience:
            break
    return written, refreshed
