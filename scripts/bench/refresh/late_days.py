"""Whole days that are uploaded late, and one late reading of each user."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from scripts.bench.refresh.measurement import NO_AIMS, Aims, Row, spent
from scripts.bench.refresh.readings import DAY, by_user, late
from scripts.bench.refresh.steps import MINUTE, Context, Cut, gather_statistics, refresh, store, yesterday
from scripts.bench.refresh.subject import Subject

QUESTION = "late user-days"
AIM = 8 / 1000
"""Seconds for a user-day with a reading a minute."""


def late_days(context: Context) -> Iterator[Row]:
    """Measure one database, to which all users' days are uploaded after their end."""
    with context.open_subject("uploaded") as subject:
        try:
            yield from whole_days(subject, context)
            yield from a_reading_each(subject, context)
        except Cut as cut:
            yield Row(QUESTION, subject.name, "refresh", context.options.users, 0, (), note=str(cut))


def whole_days(subject: Subject, context: Context) -> Iterator[Row]:
    """Upload all users' days below the horizon, then refresh."""
    users, day = context.options.users, yesterday()
    context.say(f"  {subject.name}: {users:,} days of users uploaded late")
    row = partial(Row, QUESTION, subject.name, users=users)
    sources = subject.enrol(users, 0)
    subject.begin(day + DAY)
    batches = list(by_user(sources, day, day + DAY, MINUTE))
    readings = sum(batch.readings for batch in batches)
    uploaded = spent(subject.connection, partial(store, subject, batches))
    yield row("upload of a whole day each", readings=readings, spent=(uploaded,))
    gather_statistics(subject)
    taken = refresh(subject, day + DAY, context.options.patience)
    aims = Aims(passed=AIM * users) if subject.is_ours else NO_AIMS
    yield row("refresh after a whole day each", readings=readings, spent=(taken,), aims=aims)
    context.check(subject, day)


def a_reading_each(subject: Subject, context: Context) -> Iterator[Row]:
    """Write one late reading of each user, spread over the day, then refresh."""
    users, day = context.options.users, yesterday()
    context.say(f"  {subject.name}: one late reading of each of {users:,} users")
    gather_statistics(subject, vacuum=True)
    row = partial(Row, QUESTION, subject.name, users=users, readings=users)
    sources = subject.enrol(users, 0)
    readings = [late(source, day + source.user_key * 37 % 1440 * MINUTE) for source in sources]
    yield row("write a late reading each", spent=(spent(subject.connection, partial(subject.write, readings)),))
    yield row("refresh after a late reading each", spent=(refresh(subject, day + DAY, context.options.patience),))
    context.check(subject, day)
