"""Many small refreshes: a day as it happens, and phones that upload a quarter of an hour late."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from scripts.bench.refresh.measurement import Row, Spent, spent, total
from scripts.bench.refresh.readings import DAY, QUARTER, Batch, by_time, by_user
from scripts.bench.refresh.steps import MINUTE, Context, Cut, Stopwatch, gather_statistics, refresh, store, yesterday
from scripts.bench.refresh.subject import Subject

ARRIVING = "the same day as it happens"
SYNCING = "phones that upload a quarter of an hour, late"
HOUR = timedelta(hours=1)
ROUNDS = 24
ANALYZED_EVERY = 16


class Advance(NamedTuple):
    """Batches, and the moment up to which they are refreshed."""

    batches: Sequence[Batch]
    until: datetime


def arriving(context: Context) -> Iterator[Row]:
    """Measure a day whose horizon advances by quarters, and one whose horizon advances by hours."""
    for step in (QUARTER, HOUR):
        with context.open_subject("arriving") as subject:
            count, day = DAY // step, yesterday()
            sources = subject.enrol(context.options.users, 0)
            subject.begin(day)
            starts = [day + number * step for number in range(count)]
            advances = (Advance(list(by_time(sources, at, at + step, MINUTE)), at + step) for at in starts)
            yield from measured(subject, advances, ARRIVING, f"{count} advances", context)
            context.check(subject, day)


def syncing(context: Context) -> Iterator[Row]:
    """Measure rounds of uploads below the horizon."""
    with context.open_subject("syncing") as subject:
        day = yesterday()
        sources = subject.enrol(context.options.users, 0)
        subject.begin(day + DAY)
        starts = [day + number * QUARTER for number in range(ROUNDS)]
        rounds = (Advance(list(by_user(sources, at, at + QUARTER, MINUTE)), day + DAY) for at in starts)
        yield from measured(subject, rounds, SYNCING, f"{ROUNDS} rounds", context)
        context.check(subject, day)


def measured(
    subject: Subject, advances: Iterator[Advance], question: str, what: str, context: Context
) -> Iterator[Row]:
    """Store and refresh repeatedly; yield a row for each. End early if it takes too long."""
    context.say(f"  {subject.name}: {what} of {context.options.users:,} users")
    subject.connection.execute("CHECKPOINT")
    stored: list[Spent] = []
    refreshed: list[Spent] = []
    readings, note, stopwatch = 0, "", Stopwatch()
    for number, advance in enumerate(advances):
        stored.append(spent(subject.connection, partial(store, subject, advance.batches), checkpoint=False))
        if number % ANALYZED_EVERY == 0:
            gather_statistics(subject)
        try:
            refreshed.append(refresh(subject, advance.until, context.options.patience, checkpoint=False))
        except Cut as cut:
            note = f"{cut}, the one after {len(refreshed)} others"
            break
        readings += sum(batch.readings for batch in advance.batches)
        if stopwatch.passed() > context.options.patience:
            note = f"ended after {len(refreshed)} of them"
            break
    row = partial(Row, question, subject.name, users=context.options.users, readings=readings)
    yield row(f"{what}: readings stored", spent=(total(stored[: len(refreshed)]),))
    yield row(f"{what}: refreshes", spent=(total(refreshed),) if refreshed else (), note=note)
