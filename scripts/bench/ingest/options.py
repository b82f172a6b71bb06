"""The command line of `bench ingest`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from scripts.simulate.options import Parser, span, whole

DESCRIPTION = """\
Measure how many readings a second are stored: by psql's COPY into a hypertable of the same shape, the limit; by
Hyperpulse over HTTP; and by what one would take instead. Everything, the client too, runs on this machine.

On the server that BENCH_DATABASE_URL names, in a database of its own that is dropped and created again; without
it on the embedded database, in a temporary directory, with fewer readings."""

EPILOG = """\
examples:
  BENCH_DATABASE_URL=postgresql://postgres@localhost/postgres python -m scripts.bench ingest
  python -m scripts.bench ingest --quick                 two seconds a row
  python -m scripts.bench ingest --only hyperpulse       COPY, and what has the word in its name
  python -m scripts.bench ingest --only influxdb --only "1 worker" --json first.json
  python -m scripts.bench ingest --turns 8               the rows that aims are set for, in eight turns

Compare the figures of one run only. Ctrl-C stops what was started and drops the database."""


class Options(NamedTuple):
    """The options of a run."""

    server_url: str | None
    """Where databases can be created; None for the embedded database."""
    database: str
    readings: int
    """The most readings of a row."""
    users: int
    seconds: float
    """After which a row sends no further request."""
    every: int
    """Seconds between two readings of a user."""
    seed: int
    only: tuple[str, ...]
    turns: int
    """How often the rows that have targets are measured, interleaved; 0 measures all rows once."""
    port: int
    """The first port that servers listen on."""
    json: Path | None


def parser() -> Parser:
    """Return the parser of all options."""
    made = Parser(
        prog="bench ingest",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--quick", action="store_true", help="two seconds a row, and fewer readings")
    made.add_argument("--only", action="append", default=[], metavar="WORD", help="rows whose name contains it")
    made.add_argument(
        "--turns",
        type=whole(1, 1000),
        default=0,
        metavar="N",
        help="measure the rows that aims are set for N times, in turns with what they are compared with",
    )
    made.add_argument(
        "--readings", type=whole(1000, 10_000_000), metavar="N", help="most of a row (1000000; embedded 200000)"
    )
    made.add_argument("--users", type=whole(1, 100_000), default=1000, metavar="N", help="who send them (1000)")
    made.add_argument(
        "--every", type=whole(1, 3600), default=1, metavar="SECONDS", help="between two readings of a user (1)"
    )
    made.add_argument("--seconds", type=span(0.1, 600, "from 0.1s to 10m"), metavar="TIME", help="most of a row (5s)")
    made.add_argument("--seed", type=int, default=1, metavar="N", help="the same seed makes the same readings (1)")
    made.add_argument("--database", default="hyperpulse_bench", metavar="NAME", help="(hyperpulse_bench)")
    made.add_argument("--port", type=whole(1024, 65000), default=18200, help="the first that servers take (18200)")
    made.add_argument("--json", type=Path, metavar="FILE", help="write all measurements there too")
    return made


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Return the options; defaults depend on the kind of database."""
    given = parser().parse_args(arguments)
    server_url = os.environ.get("BENCH_DATABASE_URL") or None
    usual = 1_000_000 if server_url else 200_000
    readings = given.readings or (usual // 4 if given.quick else usual // 2 if given.turns else usual)
    return Options(
        server_url=server_url,
        database=given.database,
        readings=max(readings // given.users, 1) * given.users,
        users=given.users,
        seconds=given.seconds or (2.0 if given.quick or given.turns else 5.0),
        every=given.every,
        seed=given.seed,
        only=tuple(word.lower() for word in given.only),
        turns=given.turns,
        port=given.port,
        json=given.json,
    )
