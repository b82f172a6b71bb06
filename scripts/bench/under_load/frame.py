"""The frame of `bench failover` and `bench machines`: something happens while clients send, and is judged afterwards.

Whatever happens, all that was answered must be there, once.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import uvloop

from scripts.bench.database import connect, value
from scripts.bench.overload import check
from scripts.bench.overload.report import Verdict
from scripts.bench.under_load.clients import Clients

Say = Callable[[str], None]
T = TypeVar("T")

MOST_FAULTS = 8
"""Kinds of faults that are reported."""


@contextlib.contextmanager
def workplace(logs: Path | None) -> Iterator[Path]:
    """Make a directory until the block ends, whose logs are kept in another one where it is named."""
    with tempfile.TemporaryDirectory(prefix="hyperpulse-bench-") as directory:
        place = Path(directory)
        try:
            yield place
        finally:
            if logs is not None:
                logs.mkdir(parents=True, exist_ok=True)
                for log in place.glob("*.log"):
                    shutil.copy(log, logs)


def send_during(clients: Clients, happening: Coroutine[Any, Any, T]) -> T:
    """Have clients send until what happens is over; return what it returns."""

    async def both() -> T:
        sending = asyncio.create_task(clients.run())
        try:
            return await happening
        finally:
            clients.over = True
            await sending

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(both())


class Stored(NamedTuple):
    """What is stored, beside what was answered."""

    readings: int
    verdicts: list[Verdict]


def judge_stored(url: str, clients: Clients, say: Say) -> Stored:
    """Compare what was answered with what is stored, and rollups with raw readings."""
    say("comparing what was answered with what is stored")
    missing, surplus, readings = compare(url, clients)
    verified = check.verify(url, say)
    answered = sum(writer.answered for writer in clients.writers)
    once = Verdict(
        "all that was answered is there, once",
        missing == 0 and surplus == 0,
        f"{answered:,} readings and {clients.events_answered:,} events answered, {missing:,} missing, "
        f"{surplus:,} that were never sent; {readings:,} readings stored",
    )
    return Stored(readings, [once, Verdict("rollups equal raw readings", verified.holds, verified.figure)])


def compare(url: str, clients: Clients) -> tuple[int, int, int]:
    """Return how many answered items are missing, how many are there that were not sent, and the number of readings."""
    missing = surplus = total = 0
    with connect(url) as connection:
        for writer in clients.writers:
            rows = connection.execute(
                "SELECT ts, steps FROM api.readings WHERE user_id = %s ORDER BY ts", [writer.user_id]
            ).fetchall()
            stored = {row[0] for row in rows if row[1] == 1}
            total += len(rows)
            expected = [writer.start + timedelta(seconds=number) for number in range(writer.sent)]
            missing += sum(at not in stored for at in expected[: writer.answered])
            surplus += len(rows) - len(stored & set(expected))
        there = value(connection, "SELECT count(DISTINCT event_id) FROM api.events WHERE source = 'bench'")
        each = value(connection, "SELECT count(*) FROM api.events WHERE source = 'bench'")
    missing += max(0, clients.events_answered - there)
    surplus += each - there + max(0, there - clients.events_sent)
    return missing, surplus, total


def seconds(*figures: float) -> tuple[str, ...]:
    """Write seconds for a row."""
    return tuple(f"{figure:.1f}" for figure in figures)


def fault_notes(faults: Counter[str]) -> list[str]:
    """Return notes about the most frequent faults."""
    return [f"Fault, {count} times: {text}" for text, count in faults.most_common(MOST_FAULTS)]
