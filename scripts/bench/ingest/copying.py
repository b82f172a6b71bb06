"""The limit: psql's COPY in text format into a hypertable of the same shape."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from scripts.bench.ingest.client import Answered
from scripts.bench.ingest.environment import Keys, Target, empty, fill_past, stored
from scripts.bench.ingest.kinds import THREE, Kind
from scripts.bench.ingest.measurement import Measured, Watched, timed
from scripts.bench.ingest.processes import CannotStart
from scripts.bench.ingest.readings import Reading, Readings, texts

SUBJECT = "psql COPY"
COPY = "\\copy bench.{} from '{}'"


def copies(target: Target, fresh: Readings, late: Readings, others: Iterable[Kind]) -> Iterator[Measured]:
    """Yield the rows of COPY; the fresh ones are the limit, beside the other kinds each its own."""
    if shutil.which("psql") is None:
        raise CannotStart("psql is not installed (Debian: postgresql-client), so there is no limit to compare with.")
    yield copy(target, "fresh, 1 connection", fresh, fresh.by_user(), 1)
    yield copy(target, "fresh, 2 connections", fresh, fresh.by_user(), 2)
    yield copy(target, "time-interleaved, 2 connections", fresh, fresh.by_time(), 2)
    yield copy(target, "late, 2 connections", late, late.by_user(), 2, keys=numbers(late.users))
    for kind in others:
        yield copy_kind(target, kind, fresh)


def copy_kind(target: Target, kind: Kind, readings: Readings) -> Measured:
    """Copy readings of a kind over one connection, which is the faster way on few cores."""
    spread = kind.spread(readings)
    return copy(target, f"{kind.name}, 1 connection", spread, spread.by_user(), 1, kind=kind)


def numbers(users: int) -> Keys:
    """Return the keys in the lines of COPY."""
    return Keys(list(range(1, users + 1)), list(range(1, users + 1)))


def copy(
    target: Target,
    what: str,
    readings: Readings,
    order: Iterator[Reading],
    connections: int,
    keys: Keys | None = None,
    kind: Kind = THREE,
) -> Measured:
    """Copy all readings; with keys, into chunks that hold compressed readings already."""
    empty(target.url)
    if keys is not None:
        fill_past(target.url, "bench.reading", keys, readings)
    table = f"bench.{kind.columns.split()[0]}"
    before = stored(target.url, table)
    assert kind.as_copy_text is not None, "it is stored in one table"
    lines = texts(readings, order, kind.as_copy_text)
    with tempfile.TemporaryDirectory(prefix="hyperpulse-bench-") as directory:
        share = -(-len(lines) // connections)
        files = [Path(directory) / str(number) for number in range(connections)]
        for number, file in enumerate(files):
            file.write_text("".join(lines[number * share : (number + 1) * share]))
        row = timed(SUBJECT, what, Watched(None, target.pid), lambda: run_psql(target.url, kind, files, len(lines)))
    if stored(target.url, table) - before != len(lines):
        raise CannotStart("psql's COPY did not store everything.")
    return row


def run_psql(url: str, kind: Kind, files: list[Path], count: int) -> Answered:
    """Copy files in parallel, each with its own psql."""
    began = time.perf_counter()
    psql = ["psql", "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--command"]
    running = [
        subprocess.Popen([*psql, COPY.format(kind.columns, file), url], stderr=subprocess.PIPE) for file in files
    ]
    for process in running:
        _, errors = process.communicate()
        if process.returncode != 0:
            raise CannotStart(f"psql's COPY failed: {errors.decode(errors='replace')}")
    return Answered(count, 0, time.perf_counter() - began, [], 0, "")
