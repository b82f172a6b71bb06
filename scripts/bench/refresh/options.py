"""The command line of `bench refresh`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from scripts.simulate.options import Parser, span, whole

QUESTIONS = ("day", "late", "uploaded", "arriving", "syncing", "intervals", "embedded")

DESCRIPTION = """\
Measure what a refresh costs, and how that grows: processor time of the database's process, time that passed, and WAL.

  day        all users' day at once: COPY above the horizon, a refresh of all, a refresh with nothing to do
  late       one late reading of one user, with increasing numbers of users
  uploaded   a whole day of all users uploaded late, and one late reading of each
  arriving   the same day as it happens, with a refresh every quarter of an hour, and every hour
  syncing    phones that upload a quarter of an hour late, with a refresh after each round
  intervals  whole days of users with intervals or other metrics, in turns with days of the hot three
  embedded   one late reading on the embedded database

On the server that BENCH_DATABASE_URL names, in databases of its own that are dropped; without it on the embedded
database, with few users. Beside Hyperpulse stand plain aggregates: continuous aggregates of a quarter, an hour and a
day over the same readings, without a rule for several devices; and another revision of Hyperpulse, if one is named."""

EPILOG = """\
examples:
  BENCH_DATABASE_URL=postgresql://postgres@localhost/postgres python -m scripts.bench refresh
  python -m scripts.bench refresh --quick --only day --only late
  python -m scripts.bench refresh --only late --sizes 100 1000 --against HEAD~5 --patience 2m --json growth.json

A checkpoint precedes each step, so that each page it touches counts whole in the WAL, once; a series of steps has one
before it. WAL is that of the whole server: leave it alone meanwhile. Compare the figures of one run only."""


class Options(NamedTuple):
    """The options of a run."""

    server_url: str | None
    """Where databases can be created; None for the embedded database."""
    database: str
    """The prefix of the names of its databases."""
    users: int
    sizes: tuple[int, ...]
    """Numbers of users, measured one after the other, of whom one is late."""
    embedded_users: int
    second_every: int
    """Every Nth user has a second device; 0 for none."""
    repeats: int
    patience: float
    """Seconds after which a refresh is cut and repetitions end."""
    seed: int
    only: tuple[str, ...]
    against: str | None
    """Another revision to compare with, as git names it."""
    alone: bool
    """Whether nothing is measured for comparison."""
    json: Path | None


def parser() -> Parser:
    """Return the parser of all options."""
    made = Parser(
        prog="bench refresh",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--quick", action="store_true", help="a tenth of the users, two sizes, fewer repetitions")
    made.add_argument("--only", action="append", choices=QUESTIONS, help="measure only this; may be repeated")
    made.add_argument("--users", type=whole(1, 100_000), metavar="N", help="(1000; embedded 50)")
    made.add_argument(
        "--sizes",
        type=whole(1, 1_000_000),
        nargs="+",
        metavar="N",
        help="users of whom one is late (100 1000 10000 100000; embedded 20 200); with more than 10000, each has a"
        " reading a quarter of an hour instead of one a minute",
    )
    made.add_argument(
        "--embedded-users", type=whole(1, 10_000), default=200, metavar="N", help="on the embedded database (200)"
    )
    made.add_argument(
        "--second-every",
        type=whole(0, 1000),
        default=10,
        metavar="N",
        help="every Nth user has a second device, where that is compared; 0: none (10)",
    )
    made.add_argument("--repeats", type=whole(1, 1000), metavar="N", help="of small steps, for their median (11)")
    made.add_argument(
        "--patience", type=span(1, 36_000, "from 1s to 10h"), default=300.0, metavar="TIME",
        help="cut a refresh that takes longer, and end a series (5m)",
    )  # fmt: skip
    made.add_argument("--seed", type=int, default=1, metavar="N", help="the same seed picks the same users (1)")
    made.add_argument(
        "--against", metavar="REVISION", help="measure day and late with this revision of the project too"
    )
    made.add_argument("--alone", action="store_true", help="leave continuous aggregates out")
    made.add_argument(
        "--database", default="hyperpulse_bench_refresh", metavar="NAME", help="how databases' names begin"
    )
    made.add_argument("--json", type=Path, metavar="FILE", help="write all measurements there too")
    return made


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Return the options; defaults depend on the kind of database."""
    given = parser().parse_args(arguments)
    server_url = os.environ.get("BENCH_DATABASE_URL") or None
    users = 1000 if server_url else 50
    sizes = (100, 1000, 10_000, 100_000) if server_url else (20, 200)
    return Options(
        server_url=server_url,
        database=given.database,
        users=given.users or (users // 10 if given.quick else users),
        sizes=tuple(given.sizes or (sizes[:2] if given.quick else sizes)),
        embedded_users=given.embedded_users,
        second_every=given.second_every,
        repeats=given.repeats or (5 if given.quick else 11),
        patience=given.patience,
        seed=given.seed,
        only=tuple(given.only or QUESTIONS),
        against=given.against,
        alone=given.alone,
        json=given.json,
    )
