"""A run of `bench answers`, from an empty database to the results."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import NamedTuple

from scripts.bench import freshness
from scripts.bench.database import Connection, connect, database, version
from scripts.bench.freshness import Late, Live
from scripts.bench.history import DAY, History, Loaded, Say, load, loaded
from scripts.bench.measure import Times, in_turns, measure
from scripts.bench.options import Options
from scripts.bench.questions import KINDS, RAW, Kind, ask

STALE_DAYS = 1000
ONCE = "once"
SCALED = (
    "summary of a ragged year",
    "summary of a ragged day",
    "year of days, Europe/Berlin",
    "year of days, Asia/Kathmandu",
    "auto of 1000 points, year",
    "latest values",
)


class Results(NamedTuple):
    """All measurements; times by the kind's name."""

    version: str
    users: int
    days: int
    live: Live | None
    loaded: Loaded | None
    times: dict[str, Times]
    stale_days: int
    with_stale_days: dict[str, Times]
    """The same questions while `stale_days` days of other users are stale."""
    late: Late
    scaled: dict[str, dict[str, Times]]
    """The same questions on databases of other sizes, by size."""


def run(options: Options, say: Say) -> Results:
    """Measure what the options select."""
    measured = database(options.server_url, options.database, keep=options.keep, reuse=options.reuse)
    live, filled = None, None
    with measured as url:
        if not options.reuse:
            with connect(url) as connection:
                say(f"A day of {options.live_users:,} users as it happens.")
                live = freshness.live_day(connection, options.live_users, options.every)
            say(f"{options.days:,} days of {options.users:,} users at once.")
            filled = load(url, options.users, options.days, options.every, say, watch=not options.is_embedded)
        with connect(url) as connection:
            of = loaded(connection)
            say("Questions.")
            times = all_times(connection, of, KINDS, options, say)
            times |= all_times(connection, of, RAW, options._replace(questions=options.baselines), say)
            stale_days, stale = with_stale_days(connection, of, options, say)
            say("A late upload.")
            # A new seed each time, since an upload that is stored already changes nothing.
            late = freshness.late_day(connection, of, options.every, time.time_ns())
            name = version(connection)
    scaled = compare_sizes(options, say) if options.scale else {}
    days = round((of.end - of.start) / DAY)
    return Results(name, len(of.users), days, live, filled, times, stale_days, stale, late, scaled)


def all_times(
    connection: Connection, of: History, kinds: tuple[Kind, ...], options: Options, say: Say
) -> dict[str, Times]:
    """Measure several kinds of questions."""
    times = {}
    for kind in kinds:
        say(f"  {kind.name}")
        times[kind.name] = measure(connection, ask(kind, of, options.questions, options.seed))
    return times


def with_stale_days(connection: Connection, of: History, options: Options, say: Say) -> tuple[int, dict[str, Times]]:
    """Measure questions about some users while days of others are stale; return the number of days and the times."""
    users = list(of.users.items())
    others = [key for _, key in users[len(users) // 2 :]]
    midnight = of.start.replace(hour=0, minute=0, second=0, microsecond=0)
    days = [midnight + day * DAY for day in range((of.end - of.start) // DAY)]
    marks = [(key, day) for day in days for key in others][:STALE_DAYS]
    say(f"With {len(marks):,} stale days of other users.")
    connection.execute(
        "SELECT api_internal.mark_stale(%s::int[], %s::timestamptz[])",
        ([key for key, _ in marks], [day for _, day in marks]),
    )
    try:
        asked = of._replace(users=dict(users[: len(users) // 2]))
        return len(marks), all_times(connection, asked, KINDS[:3], options, say)
    finally:
        # The marks do not stand for changes, so nothing needs a refresh.
        connection.execute("TRUNCATE core.stale_day")


def compare_sizes(options: Options, say: Say) -> dict[str, dict[str, Times]]:
    """Ask the same, in turn, with ten times the users and ten times the days, each with readings a tenth as dense."""
    sizes = {
        ONCE: (options.users, options.days),
        "ten times the users": (options.users * 10, options.days),
        "ten times the days": (options.users, options.days * 10),
    }
    with contextlib.ExitStack() as stack:
        asked = {size: stack.enter_context(sized(options, size, *sizes[size], say)) for size in sizes}
        found: dict[str, dict[str, Times]] = {size: {} for size in sizes}
        for kind in KINDS:
            if kind.name in SCALED:
                say(f"  {kind.name}")
                turns = [
                    (connection, ask(kind, of, options.questions, options.seed)) for connection, of in asked.values()
                ]
                for size, times in zip(sizes, in_turns(turns), strict=True):
                    found[size][kind.name] = times
        return found


@contextlib.contextmanager
def sized(options: Options, size: str, users: int, days: int, say: Say) -> Iterator[tuple[Connection, History]]:
    """Yield a connection to a database of a size, and its history."""
    name = f"{options.database}_{size.rsplit(maxsplit=1)[-1]}"
    with database(options.server_url, name, keep=options.keep, reuse=options.reuse) as url:
        if not options.reuse:
            say(f"{size.capitalize()}: {users:,} users, {days:,} days, a reading every {options.every * 10} s.")
            load(url, users, days, options.every * 10, say, watch=not options.is_embedded)
        with connect(url) as connection:
            yield connection, loaded(connection)
