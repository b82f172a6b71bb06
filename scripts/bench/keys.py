"""What keys cost: the same requests to one service without a key and with one, request by request in turns."""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from scripts.bench.database import connect, database
from scripts.bench.requests import KINDS, Kind, Sender
from scripts.bench.service import changed_environment, running_service
from service.auth.key import new_key
from service.database.schema import query

ROUNDS = 12
REQUESTS = 200  # of each kind and sender in a round
SHARE = 10
"""A tenth of a round's times is left out at either end: collections of garbage, checkpoints, other programs."""
SENDERS = ("without a key", "key for all tenants", "key of one tenant")

Times = dict[str, dict[str, list[float]]]
"""Milliseconds of a request, by kind and sender, a mean for each round."""


def add_key(url: str, tenant_id: str | None) -> dict[str, str]:
    """Add a key without limits, and return the header that presents it."""
    key = new_key()
    values = dict.fromkeys(("name", "valid_for", "requests_per_second", "readings_per_second", "bytes_per_day"))
    with connect(url) as connection:
        connection.execute(
            query("add_key"),
            {
                **values,
                "tenant_id": tenant_id,
                "key_id": key.id,
                "digest": key.digest,
                "scopes": ["ingest", "read"],
            },
        )
    return {"Authorization": f"Bearer {key.text}"}


def mean_of_most(times: list[float]) -> float:
    """Return the mean without the least and the greatest tenth."""
    left_out = len(times) // SHARE
    return statistics.fmean(sorted(times)[left_out : len(times) - left_out])


def one_round(senders: Sequence[Sender], kind: Kind, numbers: Iterator[int], requests: int) -> list[float]:
    """Return, for each sender, the mean milliseconds of a request; another one begins each time."""
    for sender in senders:
        sender.connection.close()  # the service has, where it was idle; the next request opens it
        sender.seconds(kind, kind.make(next(numbers)))
    times: list[list[float]] = [[] for _ in senders]
    for turn in range(requests):
        for n in range(len(senders)):
            which = (turn + n) % len(senders)
            times[which].append(senders[which].seconds(kind, kind.make(next(numbers))) * 1000)
    return [mean_of_most(each) for each in times]


def measure(url: str, rounds: int, requests: int) -> Times:
    """Return what requests take. The service needs no key, but checks one that comes, so that both have one process."""
    headers = [{}, add_key(url, None), add_key(url, "default")]
    numbers = iter(range(10**9))
    found: Times = {kind.name: {name: [] for name in SENDERS} for kind in KINDS}
    with changed_environment(AUTH="off"), running_service(url) as service_url:
        senders = [Sender(service_url, each) for each in headers]
        for number in range(rounds + 1):
            for kind in KINDS:
                means = one_round(senders, kind, numbers, requests)
                if number:  # the first round warms up
                    for name, mean in zip(SENDERS, means, strict=True):
                        found[kind.name][name].append(mean)
    return found


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench keys", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N", help=f"of each kind ({ROUNDS})")
    parser.add_argument(
        "--requests", type=int, default=REQUESTS, metavar="N", help=f"of each kind and sender in a round ({REQUESTS})"
    )
    parser.add_argument("--database", default="hyperpulse_bench", metavar="NAME", help="(hyperpulse_bench)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all measurements there too")
    chosen = parser.parse_args(arguments)
    with database(os.environ.get("BENCH_DATABASE_URL"), chosen.database) as url:
        found = measure(url, chosen.rounds, chosen.requests)
    table = Table("milliseconds a request", box=None, pad_edge=False)
    for title in SENDERS:
        table.add_column(title, justify="right")
    for title in SENDERS[1:]:
        table.add_column(f"{title}: ratio (least to most)", justify="right")
    for name, times in found.items():
        without = times[SENDERS[0]]
        row = [f"{statistics.median(times[sender]):.3f}" for sender in SENDERS]
        for sender in SENDERS[1:]:
            ratios = [with_key / base for with_key, base in zip(times[sender], without, strict=True)]
            row.append(f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")
        table.add_row(name, *row)
    Console(width=160).print(table)
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0
