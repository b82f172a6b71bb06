"""The command line of `bench answers`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from scripts.simulate.options import whole

DESCRIPTION = """\
Load users with a history of readings, backfill the rollups, and measure: how long questions take, how much
faster they are than raw readings, what stale days and ten times the data change, and what freshness costs.

On the server that BENCH_DATABASE_URL names, in a database of its own that is dropped and created again; without
it on the embedded database, in a temporary directory, with less data."""

EPILOG = """\
examples:
  BENCH_DATABASE_URL=postgresql://postgres@localhost/postgres python -m scripts.bench answers
  python -m scripts.bench answers --users 5 --days 30
  python -m scripts.bench answers --keep --json first.json     keep the database …
  python -m scripts.bench answers --reuse --json second.json   … and ask it again, after a change to sql/
  python -m scripts.bench answers --scale                      also ten times the users, and ten times the days

The times of one run compare; those of two runs differ by what else the machine does."""


class Options(NamedTuple):
    """The options of a run."""

    server_url: str | None
    """Where databases can be created; None for the embedded database."""
    database: str
    users: int
    days: int
    every: int
    """Seconds between two readings of a user."""
    live_users: int
    questions: int
    baselines: int
    seed: int
    scale: bool
    keep: bool
    reuse: bool
    json: Path | None

    @property
    def is_embedded(self) -> bool:
        """Return whether the embedded database is measured."""
        return self.server_url is None


def at_least(least: int) -> Callable[[str], int]:
    """Return an argument type for whole numbers from `least` on."""
    return whole(least, 1_000_000)


def parser() -> argparse.ArgumentParser:
    """Return the parser of all options."""
    made = argparse.ArgumentParser(
        prog="bench answers",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    data = made.add_argument_group("data")
    data.add_argument("--users", type=at_least(2), metavar="N", help="users with a history (20; embedded 5)")
    data.add_argument("--days", type=at_least(3), metavar="N", help="days of history of each (365; embedded 60)")
    data.add_argument(
        "--every", type=at_least(1), default=60, metavar="SECONDS", help="between two readings of a user (60)"
    )
    data.add_argument(
        "--live-users", type=at_least(1), metavar="N", help="users that send a day as it happens (200; embedded 5)"
    )
    data.add_argument("--scale", action="store_true", help="compare with ten times the users and ten times the days")
    questions = made.add_argument_group("questions")
    questions.add_argument("--questions", type=at_least(1), metavar="N", help="of each kind (200; embedded 40)")
    questions.add_argument(
        "--baselines", type=at_least(1), default=5, metavar="N", help="of each kind from raw readings (5)"
    )
    questions.add_argument("--seed", type=int, default=1, metavar="N", help="the same seed asks the same (1)")
    where = made.add_argument_group("where")
    where.add_argument("--database", default="hyperpulse_bench", metavar="NAME", help="(hyperpulse_bench)")
    where.add_argument("--keep", action="store_true", help="leave the database there; not for the embedded one")
    where.add_argument("--reuse", action="store_true", help="ask the database that --keep left; sql/ is applied again")
    where.add_argument("--json", type=Path, metavar="FILE", help="write all measurements there too")
    return made


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Return the options; defaults depend on the kind of database."""
    known = parser()
    given = known.parse_args(arguments)
    server_url = os.environ.get("BENCH_DATABASE_URL") or None
    if server_url is None and (given.keep or given.reuse):
        known.error("--keep and --reuse need a server: name one with BENCH_DATABASE_URL")
    native = server_url is not None
    return Options(
        server_url=server_url,
        database=given.database,
        users=given.users or (20 if native else 5),
        days=given.days or (365 if native else 60),
        every=given.every,
        live_users=given.live_users or (200 if native else 5),
        questions=given.questions or (200 if native else 40),
        baselines=given.baselines,
        seed=given.seed,
        scale=given.scale,
        keep=given.keep or given.reuse,
        reuse=given.reuse,
        json=given.json,
    )
