"""Plain continuous aggregates of continuous aggregates, fed by COPY, refreshed each minute as their policies would.

TimescaleDB's jobs fail on current minor releases of PostgreSQL, so a loop calls what the policies call.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple

from scripts.bench.database import Connection
from scripts.bench.sustained.copying import copy
from scripts.bench.sustained.environment import database, is_seen, last_day, looking_on
from scripts.bench.sustained.extrapolation import rate_for_ever
from scripts.bench.sustained.monitor import Look, Watch, send
from scripts.bench.sustained.options import Options
from scripts.bench.sustained.phones import Phones, straps
from scripts.bench.sustained.processor_time import Meter
from scripts.bench.sustained.progress import Progress
from scripts.bench.sustained.refresher import Refresher, refreshing
from scripts.bench.sustained.result_row import Row, row_of
from scripts.bench.sustained.search import MOST_AGE, Say, judge

NAME = "plain continuous aggregates, COPY"
SCHEMA = Path(__file__).with_name("plain.sql").read_bytes()
STANDING = Path(__file__).with_name("plain_existing_readings.sql").read_bytes()
REFRESH = Path(__file__).with_name("plain_refresh.sql").read_bytes()
LEVELS = ("plain.user_15m", "plain.user_1h", "plain.user_1d")
FIRST = 70_000_001
"""The key of the first of those whose last day is there before."""
EVERY_SECONDS = 60.0
LATE_WINDOW = timedelta(hours=12)
"""What late uploads touch, which a refresh recomputes for everybody."""
GUESS = 300_000.0


def measure(options: Options, say: Say) -> Row:
    """Copy as fast as they take it while refreshes go on."""
    say(f"{NAME}: the last day of {options.users:,} people")
    with database(options.server_url, f"{options.database}_plain") as url, looking_on(url) as connection:
        connection.execute(SCHEMA)
        begin, end = last_day()
        span = {"first": FIRST, "last": FIRST + options.users - 1, "begin": begin, "end": end}
        there = connection.execute(STANDING, span).rowcount
        refresh(connection)
        connection.execute("ANALYZE")
        return fed(options, url, connection, Filled(there, end), say)


def refresh(connection: Connection) -> None:
    """Do what the policies of all levels do."""
    for level in LEVELS:
        connection.execute(REFRESH, {"level": level})


class Filled(NamedTuple):
    """The last day of people."""

    readings: int
    end: datetime


def fed(options: Options, url: str, connection: Connection, there: Filled, say: Say) -> Row:
    """Copy, and refresh each minute."""
    seconds = options.minutes * 60
    phones = Phones(options.seed, 1, straps(options.most or GUESS), there.end)
    progress = Progress()
    recent = int(there.readings * (LATE_WINDOW / timedelta(days=1)))
    is_here = is_seen(connection)

    def tell(look: Look, rate: float | None) -> None:
        if round(look.at) % 10 == 0:
            reached = look.readings / look.at
            say(f"    {look.at:4.0f} s: {reached:,.0f} readings/s; a refresh takes {look.waiting.age:.0f} s")

    refresher = Refresher(
        url, refresh, lambda: recent + progress.new, 0.0, min(EVERY_SECONDS, seconds / 3), is_here=is_here
    )
    with refreshing(refresher):
        watch = Watch(connection, refresher, partial(Meter, None, is_here=is_here), MOST_AGE, tell)
        seen = send(partial(copy, url, options.copiers, iter(phones)), watch, progress, options.most, seconds)
        progress.refusal = progress.refusal or refresher.fault
    verdict = judge(seen)
    say(f"  {seen.rate:,.0f}/s for {seen.seconds:.0f} s {verdict.words}")
    cycles = [cycle for cycle in refresher.cycles if cycle.began > refresher.cycles[0].began]
    lasting = rate_for_ever(cycles, LATE_WINDOW, MOST_AGE)
    return row_of(NAME, seen, there.readings, verdict.why)._replace(
        is_kept_up=verdict.is_kept_up,
        age=max((cycle.seconds for cycle in refresher.cycles), default=None),
        for_ever=min(filter(None, (lasting, seen.rate)), default=None),
    )
