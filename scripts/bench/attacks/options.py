"""The command line of `bench attacks`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from scripts.bench.attacks.scenarios import SCENARIOS
from scripts.bench.overload.options import number
from scripts.simulate.options import Parser, whole

FLOOD = "flood"
LIMITS = "limits"
NAMES = (*(scenario.name for scenario in SCENARIOS), FLOOD, LIMITS)

DESCRIPTION = """\
Attack the service as someone on the network could, and measure what others notice. Beside each attack other clients
of another tenant write and read; their latency and errors are compared with a calm time just before, and the peak
memory of the service and the time until it has ended the attacker's connections are measured.

"""

EPILOG = """\
`flood`: a tenant floods writes, reads, live clients and exports, within the limits of its key, beyond them, and with
a key without limits; another tenant's p99 is compared with what it has alone.
`limits`: keys with limits send as much as they can to three workers, of which one is killed with kill -9.

The service is one of its own, with the settings that it has by default or that the environment names, on the server
that BENCH_DATABASE_URL names, in a database of its own that is dropped and created again; without it on the embedded
database. Only 127.0.0.0/8 is attacked. Attackers run when nothing else does, since they share the processor with
the service; they come from 200 addresses. Loopback addresses are not counted by MAX_CONNECTIONS_PER_ADDRESS, so what is
measured is an attacker with many addresses; a single one is refused beyond 1000 connections.

examples:
  BENCH_DATABASE_URL=postgresql://postgres@localhost/postgres python -m scripts.bench attacks
  python -m scripts.bench attacks --only slow-bodies,idle            on the embedded database, these two
  python -m scripts.bench attacks --only flood --seconds 30          longer phases
  python -m scripts.bench attacks --scale 0.02 --seconds 3           a fiftieth of the connections, for a try
  HEAD_SECONDS=600 python -m scripts.bench attacks --only idle       without one of the limits: a bound breaks

exit status: 0 all bounds hold; 1 one is broken, or a server does not start; 2 wrong options; 130 stopped."""


class Options(NamedTuple):
    """The options of a run."""

    server_url: str | None
    """Where databases can be created; None for the embedded database."""
    only: tuple[str, ...]
    seconds: float
    """Of each attack, and of each phase of a flood."""
    calm: float
    scale: float
    rate: float
    """Requests a second of others."""
    patience: float
    """Seconds within which all connections must have been ended once an attack comes no more."""
    workers: int
    port: int
    database: str
    json: Path | None


def names(text: str) -> tuple[str, ...]:
    """Read names of attacks."""
    chosen = tuple(text.split(","))
    if unknown := [name for name in chosen if name not in NAMES]:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(NAMES)}")
    return chosen


def listing() -> str:
    """Describe the attacks."""
    width = max(len(scenario.name) for scenario in SCENARIOS)
    lines = [f"  {scenario.name:{width}}  {scenario.lines:6,}  {scenario.description}" for scenario in SCENARIOS]
    return "attacks, and how many connections each has:\n" + "\n".join(lines)


def parse(arguments: Sequence[str]) -> Options:
    """Return the options."""
    made = Parser(
        prog="bench attacks",
        description=DESCRIPTION + listing(),
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = made.add_argument
    add("--only", type=names, default=NAMES, metavar="NAMES", help="these, separated by commas (all)")
    add("--seconds", type=number(1, 600), default=25.0, metavar="N", help="of each attack (25)")
    add("--calm", type=number(1, 600), default=6.0, metavar="N", help="seconds before each attack (6)")
    add("--scale", type=number(0.001, 1), default=1.0, metavar="N", help="share of the connections of each attack (1)")
    add("--rate", type=number(1, 1000), default=80.0, metavar="N", help="requests a second of others (80)")
    add("--patience", type=number(1, 600), default=60.0, metavar="N", help="seconds until all must be ended (60)")
    add("--workers", type=whole(1, 64), default=1, metavar="N", help="processes of the service, but for limits (1)")
    add("--port", type=whole(1024, 65000), default=18310, help="where the service listens (18310)")
    add("--database", default="hyperpulse_bench_attacks", metavar="NAME", help="(%(default)s)")
    add("--json", type=Path, metavar="FILE", help="write the results there too")
    return Options(server_url=os.environ.get("BENCH_DATABASE_URL") or None, **vars(made.parse_args(arguments)))


def title_of(options: Options, service: str) -> str:
    """Return what the tables of a run are headed with."""
    workers = f"{options.workers} worker{'s'[: options.workers - 1]}"
    return f"{service}; {options.seconds:g} s each, {workers}, {options.rate:g} requests/s of others"
