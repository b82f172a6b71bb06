"""A run from an empty database to the table of results."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from scripts.bench.ingest import hyperpulse, peers
from scripts.bench.ingest.copying import copies
from scripts.bench.ingest.environment import Keys, Target, enrol, target_database
from scripts.bench.ingest.kinds import INTERVALS, ONE_OTHER, Kind
from scripts.bench.ingest.measurement import Measured
from scripts.bench.ingest.options import Options
from scripts.bench.ingest.processes import CannotStart
from scripts.bench.ingest.readings import Readings, shifted
from scripts.bench.ingest.report import Results, machine

Say = Callable[[str], None]
LATE = timedelta(days=-10)


class Run:
    """State that the parts of a run share."""

    def __init__(self, options: Options, found: Target, keys: Keys, directory: Path, say: Say) -> None:
        self.options = options
        self.target = found
        self.keys = keys
        self.directory = directory
        self.say = say
        self.fresh = fresh_readings(options)
        self.late = shifted(self.fresh, LATE)
        self.port = options.port
        self.rows: list[Measured] = []
        self.left_out: list[str] = []

    def wanted(self, name: str) -> bool:
        """Return whether a row is selected."""
        return not self.options.only or any(word in name.lower() for word in self.options.only)

    def next_port(self) -> int:
        """Return a port that no server of this run has had."""
        self.port += 1
        return self.port - 1

    def add(self, row: Measured) -> None:
        """Keep a row and print it."""
        self.rows.append(row)
        rate = f"{row.rate:,.0f}/s" if row.readings else ""
        self.say(f"  {row.name}  {rate}  {row.note}".rstrip())

    def results(self) -> Results:
        """Return everything measured."""
        users, readings = self.options.users, self.fresh.total
        return Results(machine(), self.target.version, readings, users, self.rows, self.left_out)


def fresh_readings(options: Options) -> Readings:
    """Return readings up to now, all of one day if possible."""
    each = options.readings // options.users
    span = timedelta(seconds=each * options.every)
    now = datetime.now(UTC).replace(microsecond=0)
    midnight = now.replace(hour=0, minute=0, second=0)
    start = now - span
    if start < midnight + timedelta(minutes=2) and now - span / 2 > midnight:
        start = midnight + timedelta(minutes=2)  # the service accepts readings that are a little ahead
    return Readings(options.users, each, start, options.every, options.seed)


@contextmanager
def begun(options: Options, say: Say) -> Iterator[Run]:
    """Prepare a run in an empty database."""
    with (
        tempfile.TemporaryDirectory(prefix="hyperpulse-bench-") as directory,
        target_database(options.server_url, options.database) as found,
    ):
        yield Run(options, found, enrol(found.url, options.users), Path(directory), say)


def run(options: Options, say: Say) -> Results:
    """Measure the selected rows, one after the other."""
    with begun(options, say) as running:
        measure_copy(running)
        for workers in (1, 2):
            measure_hyperpulse(running, workers)
        measure_peers(running)
        return running.results()


def measure_copy(running: Run) -> None:
    """Measure COPY, the limit, in every run."""
    try:
        for row in copies(running.target, running.fresh, running.late, other_kinds(running)):
            running.add(row)
    except CannotStart as reason:
        running.left_out.append(str(reason))


def other_kinds(running: Run) -> list[Kind]:
    """Return the kinds beside the three metrics that a wanted row has, and that COPY can store in one table."""
    shapes = [
        shape
        for shape in hyperpulse.SHAPES
        for workers in (1, 2)
        if running.wanted(f"{service(workers)}: {shape.what}")
    ]
    return [kind for kind in (ONE_OTHER, INTERVALS) if any(shape.kind is kind for shape in shapes)]


def service(workers: int) -> str:
    """Return the name of the service with so many processes."""
    return f"Hyperpulse, {workers} worker{'' if workers == 1 else 's'}"


def measure_hyperpulse(running: Run, workers: int) -> None:
    """Measure Hyperpulse with `workers` processes."""
    name = service(workers)
    shapes = [shape for shape in hyperpulse.SHAPES if running.wanted(f"{name}: {shape.what}")]
    if not shapes:
        return
    options = running.options
    with hyperpulse.running(
        running.target, running.keys, workers, running.next_port(), options.seconds, running.directory
    ) as subject:
        for shape in shapes:
            running.add(hyperpulse.row(subject, shape, running.fresh, running.late))


def bench_of(running: Run) -> peers.Bench:
    """Return what every peer is measured with."""
    return peers.Bench(
        running.target,
        running.fresh,
        running.options.seconds,
        running.directory,
        running.next_port,
        running.wanted,
    )


def measure_peers(running: Run) -> None:
    """Measure the peers that are installed."""
    bench = bench_of(running)
    for peer in peers.PEERS:
        # A peer that no --only names need not start.
        if running.options.only and not any(word.split(":")[0] in peer.name.lower() for word in running.options.only):
            continue
        try:
            for row in peers.measure(bench, peer):
                running.add(row)
        except CannotStart as reason:
            running.left_out.append(f"{peer.name}: {reason}")
