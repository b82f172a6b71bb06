"""How load time, size, freshness and answers grow with the number of users."""

from __future__ import annotations

import argparse
import os
import random
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from scripts.bench import freshness
from scripts.bench.database import Connection, connect, database, value, version
from scripts.bench.history import DAY, TENANT, History, Say, fill, refresh
from scripts.bench.measure import Times, measure
from scripts.bench.options import at_least
from scripts.bench.questions import KINDS, Question, ask
from scripts.bench.report import write_json

DESCRIPTION = """\
Load groups of users, each beside those before it, as a week of readings that arrive hour by hour. After each group,
refresh, then measure sizes, answers, a late upload, and a refresh with nothing to do; after the last one compress the
old chunks and measure sizes and answers again.

On the server that BENCH_DATABASE_URL names, in a database of its own that is dropped. The defaults are 100 million
readings of 100,000 users: some 40 GB and hours of one processor."""

EPILOG = """\
examples:
  BENCH_DATABASE_URL=postgresql://postgres@localhost/postgres python -m scripts.bench scale --sizes 300,1000
  BENCH_DATABASE_URL=postgresql://postgres@localhost/postgres python -m scripts.bench scale --json scale.json"""

ASKED = (
    "summary of a ragged week",
    "summary of a ragged day",
    "summary of the last 24 hours",
    "year of days, Europe/Berlin",
    "auto of 1000 points, week",
    "day by minute",
    "latest values",
)
OVERVIEW = b"SELECT * FROM api.overview(%(tenant)s, 'UTC', NULL::text[], 100)"
USERS = b"SELECT * FROM api_internal.seen_users(%(tenant)s, %(user)s, 100)"
SIZES = """
    SELECT pg_database_size(current_database()), hypertable_size('core.reading'),
           (SELECT sum(hypertable_size(format('%I.%I', hypertable_schema, hypertable_name)::regclass))::bigint
              FROM timescaledb_information.hypertables WHERE hypertable_schema = 'rollup'),
           (SELECT count(*) FROM timescaledb_information.chunks
             WHERE hypertable_schema = 'core' AND hypertable_name = 'reading')
"""
MEGABYTE = 1_000_000


class Options(NamedTuple):
    """The options of a run."""

    server_url: str
    sizes: list[int]
    """Numbers of users, ascending."""
    days: int
    every: int
    """Seconds between two readings of a user."""
    questions: int
    database: str
    keep: bool
    json: Path | None


class Sizes(NamedTuple):
    """Bytes, and the number of chunks of readings."""

    database: int
    readings: int
    rollups: int
    chunks: int


class Stage(NamedTuple):
    """What was measured with a number of users; seconds, for what was added since the stage before."""

    name: str
    users: int
    readings: int
    added: int
    load: float
    refresh: float
    idle_refresh: float
    late_write: float
    """Milliseconds of a day of one user that is uploaded late, and of the refresh after it."""
    late_refresh: float
    sizes: Sizes
    times: dict[str, Times]


class Results(NamedTuple):
    """The stages, and the seconds of compression, VACUUM and ANALYZE after the last group."""

    version: str
    stages: list[Stage]
    upkeep: float


def parse(arguments: Sequence[str]) -> Options:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(
        prog="bench scale",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--sizes", type=ascending, default=[10_000, 30_000, 100_000], help="users of each stage (10000,30000,100000)"
    )
    parser.add_argument("--days", type=at_least(2), default=7, help="of readings of each user (7)")
    parser.add_argument("--every", type=at_least(1), default=600, help="seconds between two readings of a user (600)")
    parser.add_argument("--questions", type=at_least(3), default=100, help="of each kind (100)")
    parser.add_argument("--database", default="hyperpulse_bench_scale", help="its name")
    parser.add_argument("--keep", action="store_true", help="leave the database there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all measurements there too")
    given = parser.parse_args(arguments)
    server_url = os.environ.get("BENCH_DATABASE_URL")
    if not server_url:
        parser.error("name a server with BENCH_DATABASE_URL: the embedded database is not for millions of readings")
    return Options(server_url, **vars(given))


def ascending(text: str) -> list[int]:
    """Return the numbers of an option such as 100,1000."""
    numbers = [at_least(2)(part) for part in text.split(",")]
    if numbers != sorted(set(numbers)):
        raise argparse.ArgumentTypeError(f"{text} does not ascend; write 100,1000")
    return numbers


def run(options: Options, say: Say) -> Results:
    """Load group after group, and measure after each."""
    with database(options.server_url, options.database, keep=options.keep) as url, connect(url) as connection:
        end = value(connection, "SELECT date_trunc('hour', now())")
        of = History({}, end - options.days * DAY, end)
        stages: list[Stage] = []
        for users in options.sizes:
            stages.append(grow(url, connection, of, users, sum(stage.added for stage in stages), options, say))
        say("Compression, VACUUM and ANALYZE.")
        # The readings are too young otherwise.
        connection.execute("UPDATE core.setting SET value = '1 day' WHERE name = 'late_window'")
        began = time.perf_counter()
        connection.execute("CALL api.upkeep()")
        connection.execute("VACUUM (ANALYZE)")
        upkeep = time.perf_counter() - began
        after = stages[-1]._replace(
            name="compressed", sizes=sizes(connection), times=answers(connection, of, options, say)
        )
        return Results(version(connection), [*stages, after], upkeep)


def grow(url: str, connection: Connection, of: History, users: int, before: int, options: Options, say: Say) -> Stage:
    """Add users up to a number, and measure."""
    group = tuple(f"walker-{number}" for number in range(len(of.users) + 1, users + 1))
    say(f"{len(group):,} users more.")
    began = time.perf_counter()
    added = fill(connection, group, of.start, of.end, options.every, say, step=timedelta(hours=1))
    load = time.perf_counter() - began
    say(f"  {added / load:,.0f} readings a second.")
    say("Refresh.")
    refreshed = refresh(url, connection, say, watch=True)
    say(f"  {added / refreshed:,.0f} readings a second.")
    connection.execute("ANALYZE")
    of.users.update(
        connection.execute(
            "SELECT user_id, user_key FROM core.app_user WHERE starts_with(user_id, 'walker')"
        ).fetchall()
    )
    idle = min(freshness.timed_refresh(connection) for _ in range(5))
    times = answers(connection, of, options, say)
    say("A late upload.")
    late = freshness.late_day(connection, of, 60, time.time_ns())
    return Stage(
        f"{users:,} users",
        users,
        before + added,
        added,
        load,
        refreshed,
        idle,
        late.write,
        late.refresh,
        sizes(connection),
        times,
    )


def sizes(connection: Connection) -> Sizes:
    """Return the sizes of the database."""
    row = connection.execute(SIZES.encode()).fetchone()
    assert row is not None
    return Sizes(*row)


def answers(connection: Connection, of: History, options: Options, say: Say) -> dict[str, Times]:
    """Ask about users at random, and about all of them."""
    say("Questions.")
    kinds = [kind for kind in KINDS if kind.name in ASKED]
    times = {kind.name: measure(connection, ask(kind, of, options.questions, 1)) for kind in kinds}
    times["a page of users"] = measure(connection, pages(USERS, of, options.questions))
    times["overview"] = measure(connection, pages(OVERVIEW, of, 5))
    return times


def pages(statement: bytes, of: History, count: int) -> Iterator[Question]:
    """Yield questions about many users, from one at random on."""
    chance = random.Random(1)  # noqa: S311 - the same users each time
    users = list(of.users)
    for _ in range(count):
        yield Question(statement, {"tenant": TENANT, "user": chance.choice(users)})


def show(results: Results, console: Console) -> None:
    """Print one table of costs and one of answers, a column for each stage."""
    console.print(f"\n{results.version}")
    for title, rows in (("", costs(results)), ("p50 ms, and p99", asked(results.stages))):
        table = Table(title, box=None, pad_edge=False)
        for stage in results.stages:
            table.add_column(stage.name, justify="right")
        for row in rows:
            table.add_row(*row)
        console.print(table)
    console.print(f"Compression, VACUUM and ANALYZE: {results.upkeep:,.0f} s.", highlight=False)


def costs(results: Results) -> Iterator[list[str]]:
    """Yield the rows of what a stage holds and what it cost."""
    grown = [stage for stage in results.stages if stage.name != "compressed"]
    every = results.stages
    yield ["readings", *(f"{stage.readings:,}" for stage in every)]
    yield ["chunks of readings", *(f"{stage.sizes.chunks:,}" for stage in every)]
    yield ["bytes a reading", *(f"{stage.sizes.readings / stage.readings:.1f}" for stage in every)]
    yield ["bytes of rollups a reading", *(f"{stage.sizes.rollups / stage.readings:.1f}" for stage in every)]
    yield ["database, MB", *(f"{stage.sizes.database / MEGABYTE:,.0f}" for stage in every)]
    yield ["readings loaded a second", *(f"{stage.added / stage.load:,.0f}" for stage in grown)]
    yield ["readings refreshed a second", *(f"{stage.added / stage.refresh:,.0f}" for stage in grown)]
    yield ["refresh with nothing to do, ms", *(f"{stage.idle_refresh * 1000:.0f}" for stage in grown)]
    yield ["a late day of a user: write, ms", *(f"{stage.late_write:.0f}" for stage in grown)]
    yield ["a late day of a user: refresh, ms", *(f"{stage.late_refresh:.0f}" for stage in grown)]


def asked(stages: Sequence[Stage]) -> Iterator[list[str]]:
    """Yield the rows of answers."""
    for name in stages[0].times:
        yield [name, *(f"{stage.times[name].p50:.2f}  {stage.times[name].p99:.1f}" for stage in stages)]


def main(arguments: Sequence[str], say: Say, console: Console) -> int:
    """Run the benchmark and return the exit status."""
    options = parse(arguments)
    results = run(options, say)
    show(results, console)
    if options.json is not None:
        write_json(results, options.json)
    return 0
