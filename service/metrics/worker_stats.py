"""What the workers of one port tell of themselves: each writes it down every second, so that any can tell of all.

A worker that has ended is not forgotten, or its counts would seem to be taken back.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from service.metrics import rejections
from service.metrics.counters import ITEMS, REQUESTS, Asked

if TYPE_CHECKING:
    from service.state import State

TELL_SECONDS = 1.0
DIRECTORY = "TOLD_IN"  # the variable that names the directory; without it there is one process
ENDED = ".ended"
COUNTED_OF_POOL = ("requests_wait_ms", "requests_errors")  # the others say how things are now


class Told(msgspec.Struct):
    """What processes have counted since they started, and how they are now."""

    requests: list[tuple[Asked, list[int], float]]
    """How many answers began within each bound, and the seconds of all."""
    items: dict[str, dict[str, int]]
    """By kind and outcome."""
    rejected: list[tuple[str, str, int, datetime]]
    """Field, problem, how often, and when last; the newest first."""
    pool: dict[str, int]
    queued: int = 0
    live_clients: int = 0


def own(state: State) -> Told:
    """Tell of this process."""
    items: dict[str, dict[str, int]] = {}
    for (kind, outcome), count in ITEMS.items():
        items.setdefault(kind, {})[outcome] = count
    return Told(
        [(asked, timing.counts, timing.seconds) for asked, timing in REQUESTS.items()],
        items,
        [(*kind, *seen) for kind, seen in rejections.recent()],
        dict(state.pool.get_stats()),
        state.writer.queued,
        state.hub.clients,
    )


def everyone(state: State) -> Told:
    """Tell of this process and of the others on its port, as they were up to a second ago."""
    return together([own(state), *others()])


def others() -> list[Told]:
    """Read what the others wrote."""
    directory = os.environ.get(DIRECTORY)
    found = []
    for path in Path(directory).iterdir() if directory else ():
        if path.suffix in ("", ENDED) and path.stem != str(os.getpid()):
            try:
                told = msgspec.json.decode(path.read_bytes(), type=Told)
            except (OSError, msgspec.MsgspecError):
                continue  # it has just ended, and is found again under its other name
            found.append(ended(told) if path.suffix else told)
    return found


def ended(told: Told) -> Told:
    """Keep what was counted by a process that is no more."""
    pool = {name: told.pool.get(name, 0) for name in COUNTED_OF_POOL}
    return Told(told.requests, told.items, told.rejected, pool)


def together(told: Iterable[Told]) -> Told:
    """Add up."""
    requests: dict[Asked, tuple[list[int], float]] = {}
    items: dict[str, Counter[str]] = {}
    rejected: dict[tuple[str, str], tuple[int, datetime]] = {}
    pool: Counter[str] = Counter()
    queued = live_clients = 0
    for each in told:
        for asked, counts, seconds in each.requests:
            before, spent = requests.get(asked, ([0] * len(counts), 0.0))
            requests[asked] = [one + other for one, other in zip(before, counts, strict=True)], spent + seconds
        for kind, outcomes in each.items.items():
            items.setdefault(kind, Counter()).update(outcomes)
        for field, problem, times, last in each.rejected:
            count, newest = rejected.get((field, problem), (0, last))
            rejected[field, problem] = count + times, max(last, newest)
        pool.update(each.pool)
        queued += each.queued
        live_clients += each.live_clients
    newest_first = sorted(rejected.items(), key=lambda seen: seen[1][1], reverse=True)
    return Told(
        [(asked, *timing) for asked, timing in requests.items()],
        {kind: dict(outcomes) for kind, outcomes in items.items()},
        [(*kind, *seen) for kind, seen in newest_first[: rejections.MOST_KINDS]],
        dict(pool),
        queued,
        live_clients,
    )


@asynccontextmanager
async def telling(state: State) -> AsyncIterator[None]:
    """Write down what this process tells, every second until the block ends, where there are others."""
    directory = os.environ.get(DIRECTORY)
    if not directory:
        yield
        return
    task = asyncio.create_task(tell(state, Path(directory) / str(os.getpid())))
    try:
        yield
    finally:
        task.cancel()


async def tell(state: State, path: Path) -> None:
    """Write it down, again and again; whoever reads finds it whole."""
    part = path.with_suffix(".part")
    while True:
        part.write_bytes(msgspec.json.encode(own(state)))
        part.replace(path)
        await asyncio.sleep(TELL_SECONDS)
