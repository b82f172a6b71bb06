"""What PgBouncer costs: the same requests to a service on the server itself and to one behind it, in turns.

Requests a second depend on what else the machine does; the processor time of a request does so little.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from scripts.bench.database import connect, database, version
from scripts.bench.ingest.processes import PROC, CannotStart, tree_ticks
from scripts.bench.pgbouncer import find_program, running_pgbouncer
from scripts.bench.requests import KINDS, Sender
from scripts.bench.service import changed_environment, running_service

TURNS = 6
SECONDS = 1.5  # of each kind in each turn
CLIENTS = (1, 8)
"""How many send at once."""
SESSIONS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"


@contextlib.contextmanager
def service(database_url: str, direct: str | None) -> Iterator[str]:
    """Run a service that asks for no keys, and knows where the server itself is; only one of two would be elected."""
    given = {"AUTH": "off", "REFRESH_SECONDS": "off"}
    if direct is not None:
        given["DIRECT_DATABASE_URL"] = direct
    with changed_environment(**given), running_service(database_url) as url:
        yield url


class Turn(NamedTuple):
    """Requests a second, and milliseconds of processor time of one, without and with PgBouncer."""

    rates: tuple[float, float]
    spent: tuple[float, float]
    """Of the service, of the database's sessions, and of PgBouncer."""
    pooler: float
    """Of these, of PgBouncer."""


class Processor:
    """The processor time of a service, of all sessions of the database, and of PgBouncer, all on this machine."""

    def __init__(self, direct: str, pooler: Sequence[int]) -> None:
        self.direct = direct
        self.pooler = pooler

    def seconds(self, service: Sequence[int]) -> tuple[float, float]:
        """Return the seconds of all, and of PgBouncer, so far."""
        with connect(self.direct) as connection:
            rows = connection.execute(SESSIONS).fetchall()
        pooler = seconds_of(self.pooler)
        return seconds_of(service) + seconds_of([row[0] for row in rows]) + pooler, pooler


def seconds_of(pids: Sequence[int]) -> float:
    """Return the processor time of processes, without those that they started; none of one that has ended."""
    ticks = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def started_since(before: Collection[int]) -> list[int]:
    """Return the processes that this one has started since."""
    return [pid for pid in tree_ticks(os.getpid()) if pid not in before]


def measure(direct: str, through: str, pooler: Sequence[int], turns: int, seconds: float) -> dict[str, list[Turn]]:
    """Return what was measured of each kind, by turns."""
    found: dict[str, list[Turn]] = {}
    processor = Processor(direct, pooler)
    numbers = {kind.name: iter(range(10**9)) for kind in KINDS}
    with contextlib.ExitStack() as stack:
        services: list[list[int]] = []
        urls = []
        for url, beside in ((direct, None), (through, direct)):
            before = tree_ticks(os.getpid())
            urls.append(stack.enter_context(service(url, beside)))
            services.append(started_since(before))
        threads = stack.enter_context(ThreadPoolExecutor(max(CLIENTS)))
        senders = [[Sender(url, {}) for _ in range(max(CLIENTS))] for url in urls]
        for turn in range(turns):
            for kind in KINDS:
                for clients in CLIENTS:
                    rates, spent, pooled = [0.0, 0.0], [0.0, 0.0], 0.0
                    for which in (0, 1) if turn % 2 else (1, 0):
                        for sender in senders[which]:
                            sender.connection.close()  # the service has, where it was idle; the next request opens it
                        then = processor.seconds(services[which])
                        begun = [
                            threads.submit(sender.rate, kind, numbers[kind.name], seconds)
                            for sender in senders[which][:clients]
                        ]
                        rates[which] = sum(one.result() for one in begun)
                        now = processor.seconds(services[which])
                        spent[which], of_pooler = (
                            (later - earlier) / sum(sender.sent for sender in senders[which][:clients]) * 1000
                            for earlier, later in zip(then, now, strict=True)
                        )
                        pooled = of_pooler if which else pooled
                    turn_of_kind = Turn((rates[0], rates[1]), (spent[0], spent[1]), pooled)
                    found.setdefault(f"{kind.name}, {clients} at once", []).append(turn_of_kind)
    return found


def cells(pairs: Sequence[tuple[float, float]], form: str) -> list[str]:
    """Return the medians without and with PgBouncer, and those, the least and the most of their ratios."""
    ratios = [pooled / plain for plain, pooled in pairs]
    medians = [form.format(statistics.median(column)) for column in zip(*pairs, strict=True)]
    return medians + [f"{ratio:.3f}" for ratio in (statistics.median(ratios), min(ratios), max(ratios))]


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
    with database(server_url, chosen.database) as url:
        before = tree_ticks(os.getpid())
        with running_pgbouncer(url) as through:
            pooler = started_since(before)
            with connect(url) as connection:
                title = version(connection)
            found = measure(url, through, pooler, chosen.turns + 1, chosen.seconds)
    asked = subprocess.run([find_program(), "--version"], capture_output=True, text=True, check=False).stdout
    table = Table("requests a second", box=None, pad_edge=False)
    for head in ("without PgBouncer", "with it", "ratio of turns, median", "least", "most"):
        table.add_column(head, justify="right")
    spent = Table("milliseconds of processor time a request", box=None, pad_edge=False)
    for head in ("without PgBouncer", "with it", "of these PgBouncer", "ratio of turns, median", "least", "most"):
        spent.add_column(head, justify="right")
    for name, (_, *turns) in found.items():
        table.add_row(name, *cells([turn.rates for turn in turns], "{:,.0f}"))
        plain, pooled, *ratios = cells([turn.spent for turn in turns], "{:.3f}")
        spent.add_row(name, plain, pooled, f"{statistics.median(turn.pooler for turn in turns):.3f}", *ratios)
    console = Console(width=140)
    console.print(f"{title}; {asked.partition(chr(10))[0]}")
    console.print(table)
    console.print(spent)
    if chosen.json:
        written = {name: [turn._asdict() for turn in turns] for name, turns in found.items()}
        chosen.json.write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")
    return 0
