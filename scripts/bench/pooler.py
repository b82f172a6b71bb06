"""What PgBouncer costs: the same requests to a service on the server itself and to one behind it, in turns."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.table import Table

from scripts.bench.database import connect, database, version
from scripts.bench.ingest.processes import CannotStart
from scripts.bench.pgbouncer import find_program, running_pgbouncer
from scripts.bench.requests import KINDS, Sender
from scripts.bench.service import changed_environment, running_service

TURNS = 6
SECONDS = 1.5  # of each kind in each turn
CLIENTS = (1, 8)
"""How many send at once."""


@contextlib.contextmanager
def service(database_url: str, direct: str | None) -> Iterator[str]:
    """Run a service that asks for no keys, and knows where the server itself is; only one of two would be elected."""
    given = {"AUTH": "off", "REFRESH_SECONDS": "off"}
    if direct is not None:
        given["DIRECT_DATABASE_URL"] = direct
    with changed_environment(**given), running_service(database_url) as url:
        yield url


def measure(direct: str, through: str, turns: int, seconds: float) -> dict[str, list[tuple[float, float]]]:
    """Return, for each kind and turn, requests a second without and with PgBouncer."""
    found: dict[str, list[tuple[float, float]]] = {}
    numbers = {kind.name: iter(range(10**9)) for kind in KINDS}
    with (
        service(direct, None) as plain_url,
        service(through, direct) as pooled_url,
        ThreadPoolExecutor(max(CLIENTS)) as threads,
    ):
        senders = [[Sender(url, {}) for _ in range(max(CLIENTS))] for url in (plain_url, pooled_url)]
        for turn in range(turns):
            for kind in KINDS:
                for clients in CLIENTS:
                    rates = [0.0, 0.0]
                    for which in (0, 1) if turn % 2 else (1, 0):
                        for sender in senders[which]:
                            sender.connection.close()  # the service has, where it was idle; the next request opens it
                        begun = [
                            threads.submit(sender.rate, kind, numbers[kind.name], seconds)
                            for sender in senders[which][:clients]
                        ]
                        rates[which] = sum(one.result() for one in begun)
                    found.setdefault(f"{kind.name}, {clients} at once", []).append((rates[0], rates[1]))
    return found


def main(arguments: Sequence[str]) -> int:
    """Measure and print; the first turn warms up and does not count."""
    parser = argparse.ArgumentParser(prog="bench pooler", description=__doc__)
    parser.add_argument("--turns", type=int, default=TURNS, metavar="N", help=f"of each kind ({TURNS})")
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, metavar="TIME", help=f"of each kind in a turn ({SECONDS})"
    )
    parser.add_argument("--database", default="hyperpulse_bench", metavar="NAME", help="(hyperpulse_bench)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all measurements there too")
    chosen = parser.parse_args(arguments)
    server_url = os.environ.get("BENCH_DATABASE_URL")
    if server_url is None:
        raise CannotStart("PgBouncer is measured in front of a server: name one in BENCH_DATABASE_URL.")
    with database(server_url, chosen.database) as url, running_pgbouncer(url) as through:
        with connect(url) as connection:
            title = version(connection)
        found = measure(url, through, chosen.turns + 1, chosen.seconds)
    asked = subprocess.run([find_program(), "--version"], capture_output=True, text=True, check=False).stdout
    table = Table("requests a second", box=None, pad_edge=False)
    for head in ("without PgBouncer", "with it", "ratio of turns, median", "least", "most"):
        table.add_column(head, justify="right")
    for name, (_, *turns) in found.items():
        ratios = [pooled / plain for plain, pooled in turns]
        medians = (statistics.median(column) for column in zip(*turns, strict=True))
        figures = (statistics.median(ratios), min(ratios), max(ratios))
        table.add_row(name, *(f"{rate:,.0f}" for rate in medians), *(f"{ratio:.3f}" for ratio in figures))
    console = Console(width=140)
    console.print(f"{title}; {asked.partition(chr(10))[0]}")
    console.print(table)
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0
