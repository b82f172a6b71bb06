"""The command line of `bench sustained`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from scripts.bench.overload.options import number
from scripts.simulate.options import Parser, whole

DESCRIPTION = """\
Find the rate of readings that can be sustained: phones that upload 1 to 12 hours at once, others that sync
within the hour, straps, and uploads that are sent again, while the refresher runs. Kept up is a rate at which no stale
day becomes older than 2 minutes, and the backlog does not grow. Short windows close in on it, a long one confirms it.

Beside it: ingest alone, with the same arrivals; plain continuous aggregates of continuous aggregates fed by COPY with
the same arrivals; and, with --against, another revision of this project. Everything runs on this machine.

On the server that BENCH_DATABASE_URL names, in databases of its own that are dropped; without it on the embedded
database, in a temporary directory, with less load and without the plain continuous aggregates."""

EPILOG = """\
examples:
  BENCH_DATABASE_URL=postgresql://postgres@localhost/postgres python -m scripts.bench sustained
  python -m scripts.bench sustained --against HEAD~1     and the previous commit
  python -m scripts.bench sustained --only hyperpulse --minutes 10

Compare the figures of one run only. Ctrl-C stops what was started and drops the databases."""

CONTESTANTS = ("hyperpulse", "plain", "against")
REFRESHERS = ("auto", "service", "bench")


class Options(NamedTuple):
    """The options of a run."""

    server_url: str | None
    """Where databases can be created; None for the embedded database."""
    database: str
    minutes: float
    """Duration of the window that confirms a rate."""
    short: float
    """Duration in seconds of a window that closes in."""
    users: int
    """People whose last day is stored before."""
    most: int | None
    """The most readings a second to offer."""
    refresher: str
    against: str | None
    only: tuple[str, ...]
    connections: int
    copiers: int
    workers: int
    seed: int
    port: int
    json: Path | None


def parser() -> Parser:
    """Return the parser of all options."""
    made = Parser(
        prog="bench sustained",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "--minutes", type=number(0.02, 10_000), default=2.0, metavar="N", help="of the window that confirms a rate (2)"
    )
    made.add_argument(
        "--short", type=number(1, 600), default=15.0, metavar="SECONDS", help="of a window that closes in (15)"
    )
    made.add_argument(
        "--users", type=whole(1, 1_000_000), metavar="N", help="whose last day is stored before (1000; embedded 20)"
    )
    made.add_argument(
        "--most", type=whole(1, 10_000_000), metavar="N", help="readings a second offered at most (embedded 2000)"
    )
    made.add_argument(
        "--refresher",
        choices=REFRESHERS,
        default="auto",
        help="the service's elected one, or CALL api.refresh() every 2 s by the benchmark (what the service has)",
    )
    made.add_argument("--against", metavar="REVISION", help="measure this revision too, from a temporary directory")
    made.add_argument("--only", action="append", default=[], choices=CONTESTANTS, help="leave the others out")
    made.add_argument("--connections", type=whole(1, 1000), default=64, metavar="N", help="of phones, over HTTP (64)")
    made.add_argument("--copiers", type=whole(1, 100), default=2, metavar="N", help="clients of COPY (2)")
    made.add_argument("--workers", type=whole(1, 64), default=1, metavar="N", help="processes of the service (1)")
    made.add_argument("--seed", type=int, default=1, metavar="N", help="the same seed draws the same uploads (1)")
    made.add_argument("--port", type=whole(1024, 65000), default=18400, help="where the service listens (18400)")
    made.add_argument(
        "--database", default="hyperpulse_bench_sustained", metavar="NAME", help="and NAME_plain, NAME_against"
    )
    made.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")
    return made


def parse(arguments: Sequence[str]) -> Options:
    """Return the options; defaults depend on the kind of database."""
    given = vars(parser().parse_args(arguments))
    server_url = os.environ.get("BENCH_DATABASE_URL") or None
    given["users"] = given["users"] or (1000 if server_url else 20)
    given["most"] = given["most"] or (None if server_url else 2000)
    given["only"] = tuple(given["only"]) or CONTESTANTS
    return Options(server_url=server_url, **given)
