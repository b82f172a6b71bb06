"""The rows that have targets, interleaved: COPY, Hyperpulse and two peers in turn, repeated.

A machine that changes its speed between two rows of a table makes their ratio worth little. Only measurements within
a few seconds of each other are compared here, and the result is the median of many such comparisons.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import NamedTuple

from scripts.bench.ingest import hyperpulse, peers
from scripts.bench.ingest.copying import copy_kind
from scripts.bench.ingest.hyperpulse import Shape
from scripts.bench.ingest.kinds import INTERVALS, ONE_OTHER, THREE, WEARABLES
from scripts.bench.ingest.measurement import Measured
from scripts.bench.ingest.options import Options
from scripts.bench.ingest.processes import CannotStart
from scripts.bench.ingest.report import Results
from scripts.bench.ingest.run import Run, Say, begun, bench_of, other_kinds, service

SHAPES = (
    Shape("fresh", 1000, 8),
    Shape("fresh", 5000, 8),
    Shape("fresh", 1000, 2, is_stream=True),
    Shape("all duplicate", 1000, 8),
    Shape("fresh", 1000, 8, kind=ONE_OTHER),
    Shape("fresh", 1000, 8, kind=INTERVALS),
    Shape("fresh", 1000, 8, kind=WEARABLES),
)
SIZES = (1000, 5000)
"""Of the peers' requests."""


class Contestant(NamedTuple):
    """A row that is measured once in each turn."""

    name: str
    measure: Callable[[], Measured]


def run(options: Options, say: Say) -> Results:
    """Measure every contestant `options.turns` times; their servers run all the time."""
    with begun(options, say) as running, ExitStack() as stack:
        kinds = [THREE, *other_kinds(running)]
        contestants = [
            *(Contestant("psql COPY", partial(copy_kind, running.target, kind, running.fresh)) for kind in kinds),
            *(one for workers in (1, 2) for one in of_hyperpulse(running, stack, workers)),
            *of_peers(running, stack),
        ]
        for turn in range(options.turns):
            say(f"turn {turn + 1} of {options.turns}")
            # In alternating order, so that no contestant always follows the same one.
            for contestant in contestants if turn % 2 == 0 else reversed(contestants):
                row = contestant.measure()
                if not row.readings:
                    raise CannotStart(f"{row.name}: {row.note or 'nothing was taken'}")
                running.add(row)
        return running.results()


def of_hyperpulse(running: Run, stack: ExitStack, workers: int) -> list[Contestant]:
    """Start the service with `workers` processes."""
    name = service(workers)
    shapes = [shape for shape in SHAPES if running.wanted(f"{name}: {shape.what}")]
    if not shapes:
        return []
    subject = stack.enter_context(
        hyperpulse.running(
            running.target, running.keys, workers, running.next_port(), running.options.seconds, running.directory
        )
    )
    return [Contestant(name, partial(hyperpulse.row, subject, shape, running.fresh, running.late)) for shape in shapes]


def of_peers(running: Run, stack: ExitStack) -> list[Contestant]:
    """Start the peers that a target names, if they are installed."""
    bench, found = bench_of(running), []
    for name, served, row in (
        ("FastAPI + SQLAlchemy", peers.sqlalchemy_served, add_all),
        ("InfluxDB", peers.influxdb_served, peers.influxdb_row),
    ):
        sizes = [size for size in SIZES if running.wanted(f"{name}: fresh, batch {size}")]
        try:
            if sizes:
                peer = stack.enter_context(served(bench, name))
                found += [Contestant(name, partial(row, bench, peer, size)) for size in sizes]
        except CannotStart as reason:
            running.left_out.append(f"{name}: {reason}")
    return found


def add_all(bench: peers.Bench, served: peers.Served, size: int) -> Measured:
    """Measure add_all, the fastest of SQLAlchemy's ways."""
    return peers.sqlalchemy_row(bench, served, "add_all", size)
