"""The command line of `bench machines`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from scripts.simulate.options import Parser, whole

DESCRIPTION = """\
Upgrade several machines under load. Services on addresses of their own on this machine, behind HAProxy by the
configuration of deploy/haproxy; writers, readers and live clients reach them through it. The schema is rebuilt, and
then one machine after the other drains, stops, and starts again. Afterwards everything that was answered is there,
once; clients saw success, or 503 with Retry-After that one retry healed; live clients missed nothing.

With --before, a checkout of an earlier release, machines begin with that release, and its schema is migrated. It does
not know how to drain, so HAProxy is asked to; and HAProxy does for it what docs/upgrading.md says.

In a database of its own on the server that BENCH_DATABASE_URL names. It takes haproxy (or its path in
BENCH_HAPROXY). Exit status 1: something does not hold."""


class Options(NamedTuple):
    """The options of a run."""

    server_url: str | None
    machines: int
    rounds: int
    drain: int
    workers: int
    before: Path | None
    database: str
    json: Path | None
    logs: Path | None


def parse(arguments: Sequence[str]) -> Options:
    """Return the options."""
    made = Parser(prog="bench machines", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--machines", type=whole(2, 100), default=3, metavar="N", help="how many there are (3)")
    made.add_argument("--rounds", type=whole(1, 1000), default=1, metavar="N", help="how often each is upgraded (1)")
    made.add_argument("--drain", type=whole(0, 600), default=6, metavar="N", help="DRAIN_SECONDS; 0: not at all (6)")
    made.add_argument("--workers", type=whole(1, 64), default=1, metavar="N", help="processes of each machine (1)")
    made.add_argument("--before", type=Path, metavar="DIRECTORY", help="a checkout of the release before")
    made.add_argument("--database", default="hyperpulse_bench", metavar="NAME", help="(hyperpulse_bench)")
    made.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")
    made.add_argument("--logs", type=Path, metavar="DIRECTORY", help="keep the logs of all programs there")
    return Options(os.environ.get("BENCH_DATABASE_URL"), **vars(made.parse_args(arguments)))
