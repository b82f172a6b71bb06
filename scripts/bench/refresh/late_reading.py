"""One late reading of one user: what a refresh costs then, with ever more users."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial

from scripts.bench.refresh.measurement import NO_AIMS, Aims, Row, Spent, spent
from scripts.bench.refresh.readings import DAY, QUARTER, Late, Source, late
from scripts.bench.refresh.steps import MINUTE, Asked, Cut, Watch, gather_statistics, refresh, yesterday
from scripts.bench.refresh.subject import Subject

QUESTION = "one late reading of one user"
REFRESH = "refresh after one late reading"
AIMS = Aims(passed=0.015, wal=0.3e6)
EMBEDDED_AIMS = Aims(passed=0.05)
EMBEDDED_QUESTION = "one late reading of one user, embedded"
DENSE = 10_000
"""With more users than these, each has a reading a quarter of an hour instead of one a minute."""


def one_late(asked: Asked) -> Iterator[Row]:
    """Measure with each number of users."""
    for users in asked.options.sizes:
        with asked.made(f"late_{users}") as subject:
            yield from one_size(subject, users, asked, QUESTION, AIMS)


def one_late_embedded(asked: Asked) -> Iterator[Row]:
    """Measure with the users of the embedded database."""
    with asked.made("late_embedded") as subject:
        yield from one_size(subject, asked.options.embedded_users, asked, EMBEDDED_QUESTION, EMBEDDED_AIMS)


def one_size(subject: Subject, users: int, asked: Asked, question: str, aims: Aims) -> Iterator[Row]:
    """Measure one database: a refresh of all, then one after each of several late readings."""
    options, day = asked.options, yesterday()
    every = MINUTE if users <= DENSE else QUARTER
    asked.say(f"  {subject.name}: {users:,} users, a reading every {every.total_seconds():,.0f} s")
    sources = subject.enrol(users, 0)
    subject.begin(day)
    readings = filled(subject, sources, day, every, asked)
    gather_statistics(subject)
    row = partial(Row, question, subject.name, users=users)
    step = "refresh of all"
    try:
        everything = refresh(subject, day + DAY, options.patience)
        yield row(step, readings=readings, spent=(everything,))
        gather_statistics(subject, vacuum=True)
        step = REFRESH
        written, refreshed = repeat(subject, picked(sources, day, asked), day + DAY, asked)
    except Cut as cut:
        yield row(step, readings=1 if step == REFRESH else readings, spent=(), note=str(cut))
        return
    yield row("write one late reading", readings=1, spent=tuple(written))
    yield row(REFRESH, readings=1, spent=tuple(refreshed), aims=aims if subject.is_ours else NO_AIMS)
    if users <= DENSE:
        asked.check(subject, day)


def filled(subject: Subject, sources: Sequence[Source], day: datetime, every: timedelta, asked: Asked) -> int:
    """Write a day of everybody, quarter by quarter; return how many readings."""
    readings, watch = 0, Watch()
    for number in range(96):
        start = day + number * QUARTER
        readings += subject.fill(sources, start, start + QUARTER, every)
        if watch.is_due():
            asked.say(f"    {readings:,} readings")
    return readings


def picked(sources: Sequence[Source], day: datetime, asked: Asked) -> Iterator[Late]:
    """Draw users, each with another moment of the day."""
    chance = random.Random(asked.options.seed)  # noqa: S311
    for source in chance.sample(sources, min(asked.options.repeats, len(sources))):
        yield late(source, day + chance.randrange(24 * 60) * MINUTE)


def repeat(
    subject: Subject, readings: Iterator[Late], until: datetime, asked: Asked
) -> tuple[list[Spent], list[Spent]]:
    """Write a reading and refresh, again and again; return what each took. Ends early when it takes long."""
    watch = Watch()
    written, refreshed = [], []
    for reading in readings:
        written.append(spent(subject.connection, partial(subject.write, [reading])))
        refreshed.append(refresh(subject, until, asked.options.patience))
        if watch.passed() > asked.options.patience:
            break
    return written, refreshed
