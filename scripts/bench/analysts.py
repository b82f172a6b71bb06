"""How fast the database answers direct connections: through the views, api.daily, and the reports."""

from __future__ import annotations

import argparse
import os
import random
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from scripts.bench.database import Connection, connect, database, value, version
from scripts.bench.history import DAY, TENANT, History, Say, fill, loaded, names, refresh
from scripts.bench.measure import Times, measure
from scripts.bench.options import at_least
from scripts.bench.questions import SERIES, Question
from service.database.schema import SQL

DESCRIPTION = """\
Load users with a month of readings, others with a day, and mark days stale. Measure one user's month through the views
beside api.series, all users by local day, and every report.

On the server that BENCH_DATABASE_URL names, in a database of its own that is dropped; without it on the embedded
database, with less data."""

EPILOG = """\
examples:
  BENCH_DATABASE_URL=postgresql://postgres@localhost/postgres python -m scripts.bench analysts
  python -m scripts.bench analysts --others 100000 --only months     a day of 100,000 other users beside them"""

VIEW = """
    SELECT * FROM api.vitals_{level}
     WHERE user_id = %(user)s AND bucket >= %(start)s::timestamptz AND bucket < %(end)s::timestamptz
"""
DAILY = b"SELECT * FROM api.daily(%(tz)s, %(first)s::date, %(after)s::date)"
LEVELS = ("1d", "1h", "15m")
ZONES = ("UTC", "Europe/Berlin", "Asia/Kathmandu")
STALE_DAYS = 1000
PARTS = ("months", "days", "reports")


class Options(NamedTuple):
    """The options of a run."""

    server_url: str | None
    """Where databases can be created; None for the embedded database."""
    users: int
    others: int
    days: int
    every: int
    """Seconds between two readings of a user."""
    questions: int
    only: list[str] | None
    database: str
    keep: bool
    reuse: bool


class Row(NamedTuple):
    """A question and its times; `limit` is the target in milliseconds."""

    name: str
    times: Times
    limit: float | None = None


def parse(arguments: Sequence[str]) -> Options:
    """Return the options of the command line."""
    server_url = os.environ.get("BENCH_DATABASE_URL") or None
    parser = argparse.ArgumentParser(
        prog="bench analysts",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    few = server_url is None
    parser.add_argument(
        "--users", type=at_least(1), default=20 if few else 1000, help="with a month (1000; embedded 20)"
    )
    parser.add_argument("--others", type=at_least(0), default=0, help="with a day (0)")
    parser.add_argument("--days", type=at_least(2), default=30, help="of a month (30)")
    parser.add_argument("--every", type=at_least(1), default=900, help="seconds between readings of a user (900)")
    parser.add_argument("--questions", type=at_least(3), default=40, help="of each kind (40)")
    parser.add_argument("--only", action="append", choices=PARTS, help="measure only this; may be repeated")
    parser.add_argument("--database", default="hyperpulse_bench_analysts", help="its name")
    parser.add_argument("--keep", action="store_true", help="leave the database there; not for the embedded one")
    parser.add_argument("--reuse", action="store_true", help="ask the database that --keep left; sql/ is applied again")
    return Options(server_url, **vars(parser.parse_args(arguments)))


def run(options: Options, say: Say) -> tuple[str, list[Row]]:
    """Load and ask; return the versions and the rows."""
    with database(options.server_url, options.database, keep=options.keep, reuse=options.reuse) as url:
        if not options.reuse:
            load(url, options, say)
        with connect(url) as connection:
            of = loaded(connection)
            say("With stale days of others.")
            stale(connection, of, options)
            parts = dict(zip(PARTS, (months, all_days, reports), strict=True))
            wanted = [parts[name] for name in options.only or PARTS]
            return version(connection), [row for part in wanted for row in part(connection, of, options, say)]


def load(url: str, options: Options, say: Say) -> None:
    """Write a month of the users and a day of the others, refresh, and run the upkeep."""
    with connect(url) as connection:
        midnight = value(connection, "SELECT date_trunc('day', now())")
        fill(connection, names("walker", options.users), midnight - options.days * DAY, midnight, options.every, say)
        if options.others:
            fill(connection, names("other", options.others), midnight - DAY, midnight, options.every, say)
        refresh(url, connection, say, watch=options.server_url is not None)
        connection.execute("CALL api.upkeep()")
        connection.execute("VACUUM (ANALYZE)" if options.server_url else "ANALYZE")


def stale(connection: Connection, of: History, options: Options) -> None:
    """Mark days of the second half of the users stale."""
    keys = list(of.users.values())[len(of.users) // 2 :]
    days = [of.start + day * DAY for day in range(options.days)]
    marks = [(key, day) for day in days for key in keys][:STALE_DAYS]
    connection.execute(
        "SELECT mark_stale(%s::int[], %s::timestamptz[])", ([key for key, _ in marks], [day for _, day in marks])
    )


def months(connection: Connection, of: History, options: Options, say: Say) -> Iterator[Row]:
    """Ask for a user's month, through the view and through api.series."""
    for level in LEVELS:
        say(f"A user's month by {level}.")
        by_series = measure(connection, ask(SERIES, of, options, bucket=level, tz="UTC"))
        by_view = measure(connection, ask(VIEW.format(level=level).encode(), of, options))
        yield Row(f"a user's month by {level}: api.series", by_series)
        yield Row(f"a user's month by {level}: api.vitals_{level}", by_view, 2 * by_series.p50)


def ask(statement: bytes, of: History, options: Options, **more: object) -> Iterator[Question]:
    """Yield questions about users of the first half, who have no stale day."""
    chance = random.Random(1)  # noqa: S311 - the same users each time
    users = list(of.users)[: max(1, len(of.users) // 2)]
    for _ in range(options.questions):
        span = {"start": of.start, "end": of.start + options.days * DAY}
        yield Question(statement, {"tenant": TENANT, "user": chance.choice(users), **span, **more})


def all_days(connection: Connection, of: History, options: Options, say: Say) -> Iterator[Row]:
    """Ask for all users' days, with stale days and without."""
    first = of.start.date()
    days = {"first": first, "after": first + timedelta(days=options.days)}
    for zone in ZONES:
        say(f"Everyone's days in {zone}.")
        question = Question(DAILY, {"tz": zone, **days})
        yield Row(f"everyone's days, {zone}; {STALE_DAYS} stale", measure(connection, [question] * 3))
    connection.execute("TRUNCATE core.stale_day")
    for zone in ZONES:
        question = Question(DAILY, {"tz": zone, **days})
        yield Row(f"everyone's days, {zone}", measure(connection, [question] * 5), 500)


def reports(connection: Connection, of: History, options: Options, say: Say) -> Iterator[Row]:
    """Run the reports, without stale days."""
    connection.execute("TRUNCATE core.stale_day")
    for report in sorted((SQL / "reports").glob("*.sql")):
        say(f"The report {report.stem}.")
        yield Row(f"report {report.stem}", measure(connection, [Question(text(report), {})] * 3), 300)


def text(report: Path) -> bytes:
    """Return a report without its last semicolon, as EXPLAIN needs it."""
    return report.read_bytes().rstrip().removesuffix(b";")


def show(found: tuple[str, list[Row]], options: Options, console: Console) -> None:
    """Print a table."""
    name, rows = found
    console.print(f"\n{name}; {options.users:,} users × {options.days} days, a day of {options.others:,} others")
    table = Table("question", "p50 ms", "p99 ms", "client p50", "aim", box=None, header_style="bold")
    for row in rows:
        judged = "" if row.limit is None else f"≤ {row.limit:,.1f} {'met' if row.times.p50 <= row.limit else 'missed'}"
        table.add_row(
            row.name, *(f"{each:,.1f}" for each in (row.times.p50, row.times.p99, row.times.client_p50)), judged
        )
    console.print(table)
