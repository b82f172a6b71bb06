"""What keys cost: the same requests to a service that asks for none and to one that does, in turns."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table

from scripts.bench.database import connect, database
from scripts.bench.service import running_service
from service.auth.key import new_key
from service.database.schema import query

TURNS = 8
SECONDS = 1.5  # of each kind in each turn
START = datetime(2026, 1, 1, tzinfo=UTC)
JSON = {"Content-Type": "application/json"}


class Kind(NamedTuple):
    """A kind of request: its name, how many readings one has, and what makes the arguments of the n-th."""

    name: str
    readings: int
    make: Callable[[int], tuple[str, str, bytes | None]]


def write(size: int) -> Callable[[int], tuple[str, str, bytes | None]]:
    """Return what makes a write of so many readings, none of them like another."""

    def make(number: int) -> tuple[str, str, bytes | None]:
        moments = (START + timedelta(seconds=number * size + n) for n in range(size))
        items = [
            {
                "user_id": f"runner-{size}",
                "device_id": "watch",
                "timestamp": moment.isoformat(),
                "heart_rate": 60 + number % 90,
            }
            for moment in moments
        ]
        return "POST", "/v1/readings", json.dumps(items).encode()

    return make


def latest(number: int) -> tuple[str, str, bytes | None]:
    """Return a request for the latest values of a user."""
    return "GET", "/v1/users/runner-1/latest", None


def summary(number: int) -> tuple[str, str, bytes | None]:
    """Return a request for a day's summary."""
    return "GET", "/v1/users/runner-1/summary?start=2026-01-01T00:00:00Z&end=2026-01-02T00:00:00Z", None


KINDS = [
    Kind("write of one reading", 1, write(1)),
    Kind("write of 1000 readings", 1000, write(1000)),
    Kind("latest values", 0, latest),
    Kind("summary of a day", 0, summary),
]


class Sender:
    """One connection, which sends the same kinds of requests with or without a key; numbers never come again."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self.connection = HTTPConnection(urlsplit(url).netloc, timeout=30)
        self.headers = {**JSON, **headers}

    def rate(self, kind: Kind, numbers: Iterator[int], seconds: float) -> float:
        """Return requests a second, one after the other."""
        # Made before the clock starts, as many as a turn may need.
        requests = [kind.make(next(numbers)) for _ in range(int(seconds * (60 if kind.readings > 1 else 4000)))]
        begun, sent = time.perf_counter(), 0
        for method, path, body in requests:
            self.connection.request(method, path, body, self.headers)
            answer = self.connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{kind.name}: HTTP {answer.status}")
            sent += 1
            if time.perf_counter() - begun > seconds:
                break
        return sent / (time.perf_counter() - begun)


@contextlib.contextmanager
def service(database_url: str, auth: str) -> Iterator[str]:
    """Run a service that asks for keys, or not."""
    before = os.environ.get("AUTH")
    os.environ["AUTH"] = auth
    try:
        with running_service(database_url) as url:
            yield url
    finally:
        os.environ.pop("AUTH")
        if before is not None:
            os.environ["AUTH"] = before


def measure(url: str, turns: int, seconds: float) -> dict[str, list[tuple[float, float]]]:
    """Return, for each kind and turn, requests a second without and with a key."""
    key = new_key()
    values = dict.fromkeys(
        ("tenant_id", "name", "valid_for", "requests_per_second", "readings_per_second", "bytes_per_day")
    )
    with connect(url) as connection:
        connection.execute(
            query("add_key"), {**values, "key_id": key.id, "digest": key.digest, "scopes": ["ingest", "read"]}
        )
    found: dict[str, list[tuple[float, float]]] = {kind.name: [] for kind in KINDS}
    numbers = {kind.name: iter(range(10**9)) for kind in KINDS}
    with service(url, "off") as open_url, service(url, "keys") as guarded_url:
        senders = [Sender(open_url, {}), Sender(guarded_url, {"Authorization": f"Bearer {key.text}"})]
        for turn in range(turns):
            for kind in KINDS:
                order = senders if turn % 2 else senders[::-1]
                rates = {id(sender): sender.rate(kind, numbers[kind.name], seconds) for sender in order}
                found[kind.name].append((rates[id(senders[0])], rates[id(senders[1])]))
    return found


def main(arguments: Sequence[str]) -> int:
    """Measure and print; the first turn warms up and does not count."""
    parser = argparse.ArgumentParser(prog="bench keys", description=__doc__)
    parser.add_argument("--turns", type=int, default=TURNS, metavar="N", help=f"of each kind ({TURNS})")
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, metavar="TIME", help=f"of each kind in a turn ({SECONDS})"
    )
    parser.add_argument("--database", default="hyperpulse_bench", metavar="NAME", help="(hyperpulse_bench)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all measurements there too")
    chosen = parser.parse_args(arguments)
    with database(os.environ.get("BENCH_DATABASE_URL"), chosen.database) as url:
        found = measure(url, chosen.turns + 1, chosen.seconds)
    table = Table("requests a second", box=None, pad_edge=False)
    for title in ("without keys", "with a key", "ratio of turns, median", "least", "most"):
        table.add_column(title, justify="right")
    for name, (_, *turns) in found.items():
        ratios = [guarded / free for free, guarded in turns]
        medians = (statistics.median(column) for column in zip(*turns, strict=True))
        figures = (statistics.median(ratios), min(ratios), max(ratios))
        table.add_row(name, *(f"{rate:,.0f}" for rate in medians), *(f"{ratio:.3f}" for ratio in figures))
    Console(width=140).print(table)
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0
