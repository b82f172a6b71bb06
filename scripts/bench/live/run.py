"""The benchmarks of live updates: `python -m scripts.bench live`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from scripts.bench.database import database
from scripts.bench.live.cost import cost
from scripts.bench.live.latency import measure, measure_beside_unread, show
from scripts.bench.live.senders import BATCH
from scripts.bench.live.service import service
from scripts.bench.live.subscribers import paths_of
from scripts.simulate.options import whole

DESCRIPTION = """\
Wearables that send a reading a second each, and clients that receive some of them over WebSockets.

On the server that BENCH_DATABASE_URL names, in a database of its own that is dropped and created again; without it on
the embedded database, with a tenth of the readings."""


def parser(native: bool) -> argparse.ArgumentParser:
    """Return the parser of all options."""
    made = argparse.ArgumentParser(
        prog="bench live", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    some = whole(1, 1_000_000)
    rate = 20_000 if native else 2_000
    made.add_argument("--rate", type=some, default=rate, metavar="N", help=f"readings a second, and users ({rate})")
    made.add_argument("--clients", type=some, default=1000, metavar="N", help="clients at most (1000)")
    made.add_argument("--seconds", type=some, default=12, metavar="N", help="of each measurement (12)")
    made.add_argument("--rounds", type=some, default=5, metavar="N", help="of four pairs that compare the cost (5)")
    made.add_argument(
        "--only", choices=("latency", "deaf", "cost"), action="append", help="measure only this; may be repeated"
    )
    made.add_argument("--database", default="hyperpulse_bench_live", metavar="NAME", help="(hyperpulse_bench_live)")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks and return the exit status."""
    server_url = os.environ.get("BENCH_DATABASE_URL") or None
    given = parser(server_url is not None).parse_args(arguments)
    only = given.only or ("latency", "deaf", "cost")
    users = -(-given.rate // BATCH) * BATCH
    with database(server_url, given.database) as url, service(url) as (port, pid):
        # Creates the users and today's chunk before anything is measured.
        measure(port, pid, users, given.rate, 2 * users / given.rate, paths_of(1, users))
        if "latency" in only:
            for clients in (1, given.clients):
                paths = paths_of(clients, users)
                show(f"{clients} clients, a user each", measure(port, pid, users, given.rate, given.seconds, paths))
        if "deaf" in only:
            measure_beside_unread(port, pid, given.clients, given.seconds + 8)
        if "cost" in only:
            cost(url, port, pid, users, given.clients, given.seconds / 20, given.rounds)
    return 0
