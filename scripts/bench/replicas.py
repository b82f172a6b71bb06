"""What replicas give and cost: the same questions to services that read from none, one and two, in turns."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from scripts.bench.database import connect, settle
from scripts.bench.ingest.processes import cpu_seconds, server, wait_until_answering
from scripts.bench.overload.client import Answer, Client, Request
from scripts.bench.overload.cluster import Cluster, cluster, free_port
from scripts.bench.overload.standby import standby
from scripts.bench.own_share import own_share
from scripts.simulate.options import Parser, whole
from service.database.schema import ROOT

ABOUT = """\
Ask services that read from no replica, from one and from two the same questions in turns: how many are answered a
second, alone and beside writers, and how long one takes; what an answer costs the primary, and the replicas, in
processor time. Then write and read at once, one after the other: what the position of a write, and the wait for it,
add. Every read must find what was written; exit status 1: one does not.

It starts a primary and two replicas of its own, as `bench kills` does, on this machine, whose processors they share. So
with --share each server has that many cores and no more, as if it were a machine of its own, and the service and the
clients have the rest: then rates show what replicas give. It takes root."""

USERS = 30
DAY = datetime(2026, 1, 5, tzinfo=UTC)
FILL = """
    INSERT INTO api.readings (tenant_id, user_id, device_id, ts, heart_rate, steps, calories)
    SELECT 'default', 'user_' || u, 'watch', t, 60 + mod(u + extract(minute FROM t)::int, 90), 1, 0.5
      FROM generate_series(1, %s) AS u, generate_series(%s::timestamptz, %s::timestamptz, INTERVAL '1 minute') AS t
"""
READERS = 16
RANGE = "start=2026-01-05T00:00:00Z&end=2026-01-06T00:00:00Z"
WRITTEN = "start=2026-01-06T00:00:00Z&end=2026-01-07T00:00:00Z"


class Question(NamedTuple):
    """What is asked for, about one of the users."""

    name: str
    target: str


QUESTIONS = (
    Question("summary of a day, from rollups", f"/v1/users/user_{{user}}/summary?{RANGE}"),
    Question("series of a day by minute, from readings", f"/v1/users/user_{{user}}/series?{RANGE}&bucket=1m"),
)


WRITERS = 4
"""Who send one request after the other while questions are asked."""
WRITTEN_AT_ONCE = 200


class Options(NamedTuple):
    """The options of a run."""

    turns: int
    share: float | None
    seconds: float
    workers: int
    lag: float
    json: Path | None


def parse(arguments: Sequence[str]) -> Options:
    """Return the options."""
    made = Parser(prog="bench replicas", description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--turns", type=whole(1, 1000), default=6, metavar="N", help="of each service (6)")
    made.add_argument("--share", type=float, metavar="N", help="cores of each server (all share all)")
    made.add_argument("--seconds", type=float, default=1.5, metavar="N", help="of each question in a turn (1.5)")
    made.add_argument("--workers", type=whole(1, 64), default=1, metavar="N", help="processes of each service (1)")
    made.add_argument("--lag", type=float, default=0, metavar="N", help="seconds that the replicas are behind (0)")
    made.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")
    return Options(**vars(made.parse_args(arguments)))


Say = Callable[[str], None]
Figures = dict[str, dict[int, list[float]]]


def main(arguments: Sequence[str], say: Say, console: Console) -> int:
    """Measure, and print the results."""
    options = parse(arguments)
    with tempfile.TemporaryDirectory(prefix="hyperpulse-replicas-") as name, contextlib.ExitStack() as stack:
        directory = Path(name)
        say("starting a primary and two replicas")
        primary = stack.enter_context(cluster(directory / "primary.log", {"max_connections": "200"}))
        settle(primary.url)
        with connect(primary.url) as connection:
            connection.execute(FILL, [USERS, DAY, DAY + timedelta(days=1)])
            connection.execute("CALL api.refresh()")
            connection.execute("VACUUM ANALYZE")
        late = {"recovery_min_apply_delay": f"{options.lag * 1000:.0f}ms"}
        replicas = [stack.enter_context(standby(primary, directory / f"{number}.log", late)) for number in (1, 2)]
        ports = [
            stack.enter_context(service(primary, replicas[:count], options, directory / f"service_{count}.log"))
            for count in (0, 1, 2)
        ]
        for port, count in zip(ports, (0, 1, 2), strict=True):
            asyncio.run(wait_until_used(port, count))
        if options.share is not None:
            for each in (primary, *replicas):
                assert each.process is not None
                stack.enter_context(own_share(each.process.pid, options.share))
        found = asyncio.run(measure(ports, Servers(primary, replicas), options, say))
        served = {count: asyncio.run(reads_by_server(port)) for port, count in zip(ports, (0, 1, 2), strict=True)}
    show(found, options, console)
    for count, servers in served.items():
        if servers:
            reads = ", ".join(f"{server} {number:,.0f}" for server, number in sorted(servers.items()))
            console.print(f"reads with {count} replica(s): {reads}", markup=False, highlight=False)
    console.print(f"reads that missed what their sender had written: {found.missed}", markup=False, highlight=False)
    if options.json is not None:
        figures = {"rates": found.rates, "processor_milliseconds": found.processor, "milliseconds": found.times}
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return 1 if found.missed else 0


@contextlib.contextmanager
def service(primary: Cluster, replicas: Sequence[Cluster], options: Options, log: Path) -> Iterator[int]:
    """Run a service that reads from these replicas; yield its port."""
    port = free_port()
    variables = {
        "DATABASE_URL": primary.url,
        "READ_DATABASE_URL": ",".join(replica.url for replica in replicas),
        "PORT": str(port),
        "WORKERS": str(options.workers),
        "REFRESH_SECONDS": "off",
        "STOP_WITH_STDIN": "1",
    }
    with server([sys.executable, "-m", "service"], ROOT, variables, log) as process:
        wait_until_answering(f"http://127.0.0.1:{port}/ready", process, log)
        yield port


async def reads_by_server(port: int) -> dict[str, float]:
    """Return how many reads went to each server."""
    client = Client(port)
    text = (await client.ask(get("/prometheus"))).body.decode()
    client.close()
    return {server: float(number) for server, number in re.findall(r'_reads_total{server="(.+)"} (.+)', text)}


async def wait_until_used(port: int, replicas: int) -> None:
    """Wait until a service reads from all of its replicas."""
    client = Client(port)
    while True:
        lines = (await client.ask(get("/prometheus"))).body.decode().splitlines()
        if sum(line.startswith("hyperpulse_replica_up{") and line.endswith(" 1.0") for line in lines) == replicas:
            break
        await asyncio.sleep(0.2)
    client.close()


def get(target: str) -> Request:
    """Return a request for an answer."""
    return Request(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n")


def write(number: int) -> Request:
    """Return a request that stores one reading."""
    when = (DAY + timedelta(days=1, seconds=number)).isoformat()
    body = json.dumps({"user_id": "writer", "device_id": "watch", "timestamp": when, "steps": 1}).encode()
    return Request("POST /v1/readings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n", body)


class Servers(NamedTuple):
    """The servers."""

    primary: Cluster
    replicas: Sequence[Cluster]

    def seconds(self) -> tuple[float, float]:
        """Return the processor time of the primary, and of the replicas together."""
        return used(self.primary), sum(used(replica) for replica in self.replicas)


def used(server: Cluster) -> float:
    """Return the processor time of a server, in seconds."""
    assert server.process is not None
    return cpu_seconds(server.process.pid) or 0.0


def figures() -> Figures:
    """Return figures by what was measured and the number of replicas, none so far."""
    return defaultdict(lambda: defaultdict(list))


class Found:
    """What was measured."""

    def __init__(self) -> None:
        self.rates = figures()
        """A second."""
        self.processor = figures()
        """Milliseconds of an answer."""
        self.times = figures()
        """Milliseconds of a request, one at a time."""
        self.missed = 0


async def measure(ports: Sequence[int], servers: Servers, options: Options, say: Say) -> Found:
    """Ask, and write, in turns."""
    found = Found()
    rates, times = found.rates, found.times
    written = 0
    loads = [Load(number) for number in range(WRITERS)]
    for turn in range(options.turns):
        say(f"turn {turn + 1} of {options.turns}")
        for count in sorted((0, 1, 2), key=lambda each: (each + turn) % 3):
            client = Client(ports[count])
            for question in QUESTIONS:
                before = servers.seconds()
                answered, seconds = await rate(client, question, options.seconds)
                rates[question.name][count].append(answered / seconds)
                for name, then, now in zip(("primary", "replicas"), before, servers.seconds(), strict=True):
                    found.processor[f"{name}: {question.name}"][count].append((now - then) / answered * 1000)
                over = asyncio.Event()
                writing = [asyncio.create_task(load.run(client, over)) for load in loads]
                answered, seconds = await rate(client, question, options.seconds)
                over.set()
                stored = sum(await asyncio.gather(*writing))
                rates[f"beside writers: {question.name}"][count].append(answered / seconds)
                rates[f"readings written beside: {question.name}"][count].append(stored / seconds)
                single = [(await ask(client, question, user)).seconds for user in range(1, 21)]
                times[f"one at a time: {question.name}"][count].append(statistics.median(single) * 1000)
            writes, reads = [], []
            for _ in range(20):
                written += 1
                writes.append((await client.ask(write(written))).seconds)
                answer = await client.ask(get(f"/v1/users/writer/summary?{WRITTEN}"))
                reads.append(answer.seconds)
                found.missed += answer.status != 200 or json.loads(answer.body)["steps"] != written
            times["a write of one reading"][count].append(statistics.median(writes) * 1000)
            times["a read of it at once"][count].append(statistics.median(reads) * 1000)
            client.close()
    return found


class Load:
    """A client that writes readings of a user of its own, one request after the other."""

    def __init__(self, number: int) -> None:
        self.user_id = f"load_{number}"
        self.sent = 0

    async def run(self, client: Client, over: asyncio.Event) -> int:
        """Write until it is over, and return how many readings were stored."""
        stored = 0
        while not over.is_set():
            start = DAY + timedelta(seconds=self.sent)
            self.sent += WRITTEN_AT_ONCE
            body = [
                {
                    "user_id": self.user_id,
                    "device_id": "watch",
                    "timestamp": (start + timedelta(seconds=number)).isoformat(),
                    "heart_rate": 60,
                }
                for number in range(WRITTEN_AT_ONCE)
            ]
            head = "POST /v1/readings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            answer = await client.ask(Request(head, json.dumps(body).encode()))
            if answer.status == 200 and not over.is_set():
                stored += WRITTEN_AT_ONCE
        return stored


async def ask(client: Client, question: Question, number: int) -> Answer:
    """Ask about one of the users."""
    answer = await client.ask(get(question.target.format(user=number % USERS + 1)))
    if answer.status != 200:
        raise RuntimeError(f"{question.name}: {answer}")
    return answer


async def rate(client: Client, question: Question, seconds: float) -> tuple[int, float]:
    """Return how many answers a number of readers get, and in how many seconds."""
    until, answered = time.perf_counter() + seconds, 0

    async def read(first: int) -> None:
        nonlocal answered
        number = first
        while time.perf_counter() < until:
            await ask(client, question, number)
            answered += 1
            number += READERS

    began = time.perf_counter()
    await asyncio.gather(*(read(first) for first in range(READERS)))
    return answered, time.perf_counter() - began


def show(found: Found, options: Options, console: Console) -> None:
    """Print medians of the turns, and what they are to those without replicas, turn by turn."""
    shared = (
        f"{os.cpu_count()} processors for all servers" if options.share is None else f"{options.share} cores of each"
    )
    heads = ("no replica", "one", "two", "one : none", "two : none")
    for title, figures, form in (
        (f"a second, {READERS} readers; {shared}", found.rates, "{:,.0f}"),
        ("milliseconds of processor time an answer", found.processor, "{:,.3f}"),
        ("milliseconds", found.times, "{:,.2f}"),
    ):
        table = Table(box=None, pad_edge=False)
        table.add_column(title, no_wrap=True)
        for head in heads:
            table.add_column(head, justify="right")
        for name, by_count in figures.items():
            medians = [form.format(statistics.median(by_count[count])) for count in (0, 1, 2)]
            ratios = [ratio(by_count[count], by_count[0]) for count in (1, 2)]
            table.add_row(name, *medians, *ratios)
        console.print(table, markup=False)


def ratio(of: Sequence[float], to: Sequence[float]) -> str:
    """Return the median of the ratios of turns."""
    ratios = [one / other for one, other in zip(of, to, strict=True) if other]
    return f"{statistics.median(ratios):.2f}" if ratios else ""
