"""`bench upload`: one body of gigabytes, made while it is sent, and the memory of the service."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import uvloop

from scripts.bench.database import connect
from scripts.bench.overload import check, request_formats
from scripts.bench.overload.client import Answer, Client, Request
from scripts.bench.overload.environment import running
from scripts.bench.overload.monitor import finish, monitoring, resident
from scripts.bench.overload.options import Options
from scripts.bench.overload.report import Results, Verdict
from scripts.bench.overload.workload import MICROSECONDS, Kind, Ledger, Write

Say = Callable[[str], None]

PEOPLE = 1000
BLOCK = 10_000
"""Consecutive readings of a person."""
PIECE = 1000
MOST_GROWTH = 50e6
PATIENCE = 24 * 3600.0
REPORT_SECONDS = 10.0
PADDING = " " * 40
"""Between two members of each line: longer lines need fewer readings for two gigabytes."""


def run(options: Options, say: Say) -> Results:
    """Send the upload and compare the memory of the service."""
    start = (datetime.now(UTC) - timedelta(days=20)).replace(hour=0, minute=0, second=0, microsecond=0)
    kind = Kind("upload", 1, PEOPLE, BLOCK, int(start.timestamp()) * MICROSECONDS, MICROSECONDS, 10**9)
    ledger = Ledger(kind)
    size = int(options.gigabytes * 1e9)
    with running(options) as environment:
        warm(environment.port, ledger)
        with monitoring(environment.port, environment.pid, 0) as monitor:
            time.sleep(3)
            before = resident(environment.pid)
            began = time.monotonic()
            answer = send(environment.port, ledger, size, say)
            seconds = time.monotonic() - began
            seen = finish(monitor)
        say("comparing what was sent with what is stored")
        found = check.compare(environment.url, [ledger])
        with connect(environment.url) as connection:
            connection.execute("CHECKPOINT")
    most = max((memory for at, memory in seen.memory if at >= began), default=0)
    receipt = json.loads(answer.body) if answer.status == 200 else {}
    sent = len(ledger.sent) * BLOCK
    verdicts = [
        Verdict("the upload was taken", answer.status == 200, f"{answer.status} {answer.body[:200].decode()}"),
        Verdict("the receipt is true", receipt.get("received") == sent - BLOCK, f"{sent - BLOCK:,} readings sent"),
        Verdict(
            "every reading is stored, once, right",
            found.wrong == 0 and found.readings == sent,
            f"{found.readings:,} of {sent:,} stored",
        ),
        Verdict(
            "memory changes by less than 50 MB",
            most - before < MOST_GROWTH,
            f"{before / 1e6:.0f} MB before, at most {most / 1e6:.0f} MB",
        ),
    ]
    rows = [(f"{size / 1e9:g} GB", f"{seconds:.0f}", f"{sent / seconds:,.0f}", f"{size / seconds / 1e6:.1f}")]
    return Results(environment.version, ("NDJSON", "seconds", "readings/s", "MB/s"), rows, verdicts)


def warm(port: int, ledger: Ledger) -> None:
    """Send a block first, so that caches are filled before memory is measured."""
    ledger.sent.append(1)
    ledger.answered.append(0)
    write = Write(ledger.kind, 0, 0, is_new=True, was=None)
    answer = ask(port, request_formats.as_ndjson(write))
    ledger.answered[0] = int(answer.status == 200)


def send(port: int, ledger: Ledger, size: int, say: Say) -> Answer:
    """Send one body of `size` bytes."""
    began = reported = time.monotonic()
    sent = 0

    def pieces() -> Iterator[bytes]:
        nonlocal sent, reported
        while sent < size:
            ledger.sent.append(1)
            ledger.answered.append(1)
            lines = padded(Write(ledger.kind, len(ledger.sent) - 1, 0, is_new=True, was=None))
            for piece in request_formats.in_chunks(lines):
                sent += len(piece)
                yield piece
            if time.monotonic() > reported + REPORT_SECONDS:
                reported = time.monotonic()
                say(f"  {sent / 1e9:.2f} of {size / 1e9:g} GB after {reported - began:.0f} s")

    return ask(port, request_formats.post("/v1/readings", request_formats.NDJSON, pieces()))


def padded(write: Write) -> Iterator[str]:
    """Yield lines with blanks between their members, as some clients send."""
    return (line.replace(",", "," + PADDING) + "\n" for line in request_formats.objects(write))


def ask(port: int, request: Request) -> Answer:
    """Send one request and wait for its answer."""

    async def asked() -> Answer:
        client = Client(port)
        try:
            return await client.ask(request, PATIENCE)
        finally:
            client.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(asked())
