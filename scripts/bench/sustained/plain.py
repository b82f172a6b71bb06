"""Hierarchical continuous aggregates, fed by COPY, refreshed each minute as by their policies.

TimescaleDB's jobs fail on current minor releases of PostgreSQL, so a loop calls what the policies call.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple

from scripts.bench.database import Connection
from scripts.bench.sustained.copying import copy
from scripts.bench.sustained.environment import database, is_visible, last_day, observing
from scripts.bench.sustained.extrapolation import sustainable_rate
from scripts.bench.sustained.monitor import MonitorOptions, Sample, send
from scripts.bench.sustained.options import Options
from scripts.bench.sustained.phones import Phones, straps
from scripts.bench.sustained.processor_time import ProcessorMeter
from scripts.bench.sustained.progress import Progress
from scripts.bench.sustained.refresher import Refresher, refreshing
from scripts.bench.sustained.result_row import Row, row_of
from scripts.bench.sustained.search import MOST_AGE, Say, judge

NAME = "plain continuous aggregates, COPY"
SCHEMA = Path(__file__).with_name("plain.sql").read_bytes()
EXISTING_READINGS = Path(__file__).with_name("plain_existing_readings.sql").read_bytes()
REFRESH = Path(__file__).with_name("plain_refresh.sql").read_bytes()
LEVELS = ("plain.user_15m", "plain.user_1h", "plain.user_1d")
FIRST = 70_000_001
"""The key of the first person whose last day is stored before."""
EVERY_SECONDS = 60.0
LATE_WINDOW = timedelta(hours=12)
"""The range that late uploads touch, which a refresh recomputes for all users."""
GUESS = 300_000.0


def measure(options: Options, say: Say) -> Row:
    """Copy as fast as possible during refreshes."""
    say(f"{NAME}: the last day of {options.users:,} people")
    with database(options.server_url, f"{options.database}_plain") as url, observing(url) as connection:
        connection.execute(SCHEMA)
        begin, end = last_day()
        span = {"first": FIRST, "last": FIRST + options.users - 1, "begin": begin, "end": end}
        there = connection.execute(EXISTING_READINGS, span).rowcount
        refresh(connection)
        connection.execute("ANALYZE")
        return fed(options, url, connection, Filled(there, end), say)


def refresh(connection: Connection) -> None:
    """Refresh all levels as their policies do."""
    for level in LEVELS:
        connection.execute(REFRESH, {"level": level})


class Filled(NamedTuple):
    """The readings stored before: the last day of some people."""

    readings: int
    end: datetime


def fed(options: Options, url: str, connection: Connection, there: Filled, say: Say) -> Row:
    """Copy, and refresh each minute."""
    seconds = options.minutes * 60
    phones = Phones(options.seed, 1, straps(options.most or GUESS), there.end)
    progress = Progress()
    recent = int(there.readings * (LATE_WINDOW / timedelta(days=1)))
    is_here = is_visible(connection)

    def report(sample: Sample, rate: float | None) -> None:
        if round(sample.at) % 10 == 0:
            reached = sample.readings / sample.at
            say(f"    {sample.at:4.0f} s: {reached:,.0f} readings/s; a refresh takes {sample.waiting.age:.0f} s")

    refresher = Refresher(
        url, refresh, lambda: recent + progress.new, 0.0, min(EVERY_SECONDS, seconds / 3), is_here=is_here
    )
    with refreshing(refresher):
        monitoring = MonitorOptions(
            connection, refresher, partial(ProcessorMeter, None, is_here=is_here), MOST_AGE, report
        )
        observed = send(partial(copy, url, options.copiers, iter(phones)), monitoring, progress, options.most, seconds)
        progress.refusal = progress.refusal or refresher.fault
    verdict = judge(observed)
    say(f"  {observed.rate:,.0f}/s for {observed.seconds:.0f} s {verdict.words}")
    cycles = [cycle for cycle in refresher.cycles if cycle.began > refresher.cycles[0].began]
    lasting = sustainable_rate(cycles, LATE_WINDOW, MOST_AGE)
    return row_of(NAME, observed, there.readings, verdict.why)._replace(
        is_kept_up=verdict.is_kept_up,
        age=max((cycle.seconds for cycle in refresher.cycles), default=None),
        for_ever=min(filter(None, (lasting, observed.rate)), default=None),
    )
