"""The command line of `bench failover`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from scripts.simulate.options import Parser, whole

DESCRIPTION = """\
Fail over under load. Three hosts, each a network namespace with a disk of its own, run etcd, Patroni and PostgreSQL by
the configuration of deploy/failover, with a synchronous standby; the service is on this machine, and its address of the
database names all three. The host of the primary meets one fault after the other, in turn: PostgreSQL is killed with
kill -9, the host is cut off the network, and its disk is paused (fsfreeze), and comes back once another host has taken
over. Afterwards everything that was answered is there, once; clients saw success, or 503 with Retry-After.

It takes root, iproute2, util-linux, e2fsprogs, etcd (or its path in BENCH_ETCD), patroni (BENCH_PATRONI), and
PostgreSQL with TimescaleDB (BENCH_PG_BIN). It leaves nothing behind."""

FAULTS = ("kill", "cut", "pause")


class Options(NamedTuple):
    """The options of a run."""

    rounds: int
    faults: tuple[str, ...]
    port: int
    json: Path | None
    logs: Path | None


def parse(arguments: Sequence[str]) -> Options:
    """Return the options."""
    made = Parser(prog="bench failover", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--rounds", type=whole(1, 1000), default=10, metavar="N", help="failovers (10)")
    made.add_argument("--faults", nargs="+", choices=FAULTS, default=FAULTS, help="in turn (all three)")
    made.add_argument("--port", type=whole(1024, 65000), default=18300, help="where the service listens (18300)")
    made.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")
    made.add_argument("--logs", type=Path, metavar="DIRECTORY", help="keep the logs of all programs there")
    given = made.parse_args(arguments)
    return Options(given.rounds, tuple(given.faults), given.port, given.json, given.logs)
