"""The command lines of `bench soak`, `bench kills`, `bench upload`, `bench import` and `bench backups`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from scripts.simulate.options import Parser, whole

SOAK = """\
Send the service more than it can take: single readings, batches, NDJSON and CSV streams, gzip, duplicates and
overwrites, invalid items, events, the earlier paths, with questions in between and live clients; requests begin when
they are due, independent of earlier answers. Then compare: every reading that was answered is stored once with the
right values, rollups and answers equal raw readings, memory is flat, and a single reading is fast again soon.

On the server that BENCH_DATABASE_URL names, in a database of its own that is dropped and created again; without
it on the embedded database, in a temporary directory, with less load. Exit status 1: a check fails."""

KILLS = """\
Kill -9 the service, a backend of the database, and the whole database, at random, under load from clients that send
again until they are answered. In the end every reading is stored once with the right values, and rollups are exact.

It starts a PostgreSQL of its own, in a temporary directory, from the programs in BENCH_PG_BIN, or else where
pg_config says; TimescaleDB must be installed there. Started by root, PostgreSQL runs as the user in BENCH_PG_USER
(postgres)."""

BACKUPS = """\
Back up a server under load from clients that write, and restore it: a portable backup into another server, and a base
backup with the archived write-ahead log to a point in time. Every write that was answered before that moment is there
then, and none that began after it; rollups and answers equal raw readings, and the service serves what was restored.

It starts servers of its own, as `bench kills` does."""

UPLOAD = """\
Send one NDJSON body of many gigabytes, made while it is sent, and watch the memory of the service.

On the server that BENCH_DATABASE_URL names, in a database of its own, or on the embedded one."""


IMPORT = """\
Import one export of Apple Health of many gigabytes, made while it is sent, and watch the memory of the service.

On the server that BENCH_DATABASE_URL names, in a database of its own, or on the embedded one."""


def number(least: float, most: float) -> Callable[[str], float]:
    """Return an argument type for numbers between two bounds."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"must be a number from {least:g} to {most:g}, but is {text!r}")
        return value

    return parse


class Options(NamedTuple):
    """The options of a run; defaults stand for options that a command does not have."""

    server_url: str | None
    """Where databases can be created; None for the embedded database."""
    database: str
    port: int
    seed: int
    workers: int
    json: Path | None
    minutes: float = 2.0
    factor: float = 1.0
    clients: int = 20
    rounds: int = 50
    gigabytes: float = 2.0


def parser(name: str, description: str) -> Parser:
    """Return a parser with the options that the commands share."""
    made = Parser(prog=f"bench {name}", description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--workers", type=whole(1, 64), default=1, metavar="N", help="processes of the service (1)")
    made.add_argument("--seed", type=int, default=1, metavar="N", help="the same seed draws the same (1)")
    made.add_argument("--port", type=whole(1024, 65000), default=18300, help="where the service listens (18300)")
    made.add_argument("--database", default=f"hyperpulse_bench_{name}", metavar="NAME", help="(%(default)s)")
    made.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")
    return made


def parse(made: Parser, arguments: Sequence[str]) -> Options:
    """Return the options."""
    return Options(server_url=os.environ.get("BENCH_DATABASE_URL") or None, **vars(made.parse_args(arguments)))


def parse_soak(arguments: Sequence[str]) -> Options:
    """Return the options of `bench soak`."""
    made = parser("soak", SOAK)
    made.add_argument("--minutes", type=number(0.01, 10_000), default=2.0, metavar="N", help="of load (2)")
    usual = 1.0 if os.environ.get("BENCH_DATABASE_URL") else 0.15
    made.add_argument(
        "--factor", type=number(0.001, 100), default=usual, metavar="N", help="times as much load (1; embedded 0.15)"
    )
    made.add_argument("--clients", type=whole(0, 1000), default=20, metavar="N", help="that listen to everyone (20)")
    return parse(made, arguments)


def parse_kills(arguments: Sequence[str]) -> Options:
    """Return the options of `bench kills`."""
    made = parser("kills", KILLS)
    made.add_argument("--rounds", type=whole(1, 100_000), default=50, metavar="N", help="kills (50)")
    return parse(made, arguments)


def parse_backups(arguments: Sequence[str]) -> Options:
    """Return the options of `bench backups`."""
    made = parser("backups", BACKUPS)
    made.add_argument("--minutes", type=number(0.01, 10_000), default=1.0, metavar="N", help="of load before (1)")
    return parse(made, arguments)


def parse_upload(arguments: Sequence[str]) -> Options:
    """Return the options of `bench upload`."""
    return parse_size(parser("upload", UPLOAD), arguments)


def parse_import(arguments: Sequence[str]) -> Options:
    """Return the options of `bench import`."""
    return parse_size(parser("import", IMPORT), arguments)


def parse_size(made: Parser, arguments: Sequence[str]) -> Options:
    """Return the options of a command that sends one body."""
    made.add_argument(
        "--gb", type=number(0.001, 1000), default=2.0, metavar="N", dest="gigabytes", help="to send, of 10^9 bytes (2)"
    )
    return parse(made, arguments)
