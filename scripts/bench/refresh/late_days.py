"""Whole days that come late, and one late reading of everybody."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from scripts.bench.refresh.measurement import NO_AIMS, Aims, Row, spent
from scripts.bench.refresh.readings import DAY, by_user, late
from scripts.bench.refresh.steps import MINUTE, Asked, Cut, gather_statistics, refresh, store, yesterday
from scripts.bench.refresh.subject import Subject

QUESTION = "late user-days"
AIM = 8 / 1000
"""Seconds a user-day of a reading a minute."""


def late_days(asked: Asked) -> Iterator[Row]:
    """Measure one database, where everybody's day comes once it is over."""
    with asked.made("uploaded") as subject:
        try:
            yield from whole_days(subject, asked)
            yield from a_reading_each(subject, asked)
        except Cut as cut:
            yield Row(QUESTION, subject.name, "refresh", asked.options.users, 0, (), note=str(cut))


def whole_days(subject: Subject, asked: Asked) -> Iterator[Row]:
    """Upload everybody's day below the horizon, then refresh."""
    users, day = asked.options.users, yesterday()
    asked.say(f"  {subject.name}: {users:,} days of users uploaded late")
    row = partial(Row, QUESTION, subject.name, users=users)
    sources = subject.enrol(users, 0)
    subject.begin(day + DAY)
    batches = list(by_user(sources, day, day + DAY, MINUTE))
    readings = sum(batch.readings for batch in batches)
    uploaded = spent(subject.connection, partial(store, subject, batches))
    yield row("upload of a whole day each", readings=readings, spent=(uploaded,))
    gather_statistics(subject)
    taken = refresh(subject, day + DAY, asked.options.patience)
    aims = Aims(passed=AIM * users) if subject.is_ours else NO_AIMS
    yield row("refresh after a whole day each", readings=readings, spent=(taken,), aims=aims)
    asked.check(subject, day)


def a_reading_each(subject: Subject, asked: Asked) -> Iterator[Row]:
    """Write one late reading of everybody, at moments all over the day, then refresh."""
    users, day = asked.options.users, yesterday()
    asked.say(f"  {subject.name}: one late reading of each of {users:,} users")
    gather_statistics(subject, vacuum=True)
    row = partial(Row, QUESTION, subject.name, users=users, readings=users)
    sources = subject.enrol(users, 0)
    readings = [late(source, day + source.user_key * 37 % 1440 * MINUTE) for source in sources]
    yield row("write a late reading each", spent=(spent(subject.connection, partial(subject.write, readings)),))
    yield row("refresh after a late reading each", spent=(refresh(subject, day + DAY, asked.options.patience),))
    asked.check(subject, day)
