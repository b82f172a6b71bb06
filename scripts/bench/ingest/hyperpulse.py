"""Hyperpulse over HTTP, by size of requests, kind of readings, and number of workers."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from scripts.bench.ingest.client import Answered, Body, send, stream
from scripts.bench.ingest.environment import Keys, Target, empty, fill_past, stored
from scripts.bench.ingest.kinds import INTERVALS, ONE_OTHER, THREE, WEARABLES, Kind
from scripts.bench.ingest.measurement import Measured, Watched, timed
from scripts.bench.ingest.processes import CannotStart, server, wait_until_answering
from scripts.bench.ingest.readings import Readings, by_line, chunks, json_array

ROOT = Path(__file__).resolve().parents[3]
PATH = "/v1/readings"
JSON, NDJSON = "application/json", "application/x-ndjson"
WARM = timedelta(minutes=1)
"""Time between the warm-up readings, which open connections and create the chunk, and the others."""


class Shape(NamedTuple):
    """The requests of a row."""

    arrival: str
    batch: int
    connections: int
    pace: float | None = None
    """Requests a second; None sends as fast as it is answered."""
    is_stream: bool = False
    kind: Kind = THREE

    @property
    def what(self) -> str:
        """Return the name of the row."""
        name = self.arrival if self.kind is THREE else self.kind.name
        if self.is_stream:
            return f"{name}, NDJSON stream"
        pace = f" at {self.pace:,.0f}/s" if self.pace else ""
        return f"{name}, batch {self.batch}{pace}"


SHAPES = (
    Shape("fresh", 1, 100),
    Shape("fresh", 1, 100, pace=2000),
    Shape("fresh", 100, 16),
    Shape("fresh", 1000, 8),
    Shape("fresh", 5000, 8),
    Shape("fresh", 1000, 2, is_stream=True),
    Shape("half duplicate", 1000, 8),
    Shape("all duplicate", 1000, 8),
    Shape("time-interleaved", 1000, 8),
    Shape("late", 1000, 8),
    Shape("fresh", 1000, 8, kind=ONE_OTHER),
    Shape("fresh", 1000, 8, kind=INTERVALS),
    Shape("fresh", 1000, 8, kind=WEARABLES),
)


class Subject(NamedTuple):
    """A running service."""

    name: str
    port: int
    target: Target
    keys: Keys
    watched: Watched
    seconds: float


@contextmanager
def running(target: Target, keys: Keys, workers: int, port: int, seconds: float, directory: Path) -> Iterator[Subject]:
    """Run the service with `workers` processes."""
    environment = {"DATABASE_URL": target.url, "HOST": "127.0.0.1", "PORT": str(port), "STOP_WITH_STDIN": "1"}
    environment["REFRESH_SECONDS"] = "3600"  # refreshes are measured apart
    if workers > 1:
        environment["WORKERS"] = str(workers)
    log = directory / f"service-{workers}.log"
    with server([sys.executable, "-m", "service"], ROOT, environment, log) as process:
        wait_until_answering(f"http://127.0.0.1:{port}/ready", process, log)
        name = f"Hyperpulse, {workers} worker{'' if workers == 1 else 's'}"
        yield Subject(name, port, target, keys, Watched(process.pid, target.pid), seconds)


def row(subject: Subject, shape: Shape, fresh: Readings, late: Readings) -> Measured:
    """Prepare the database for one row, and measure it."""
    empty(subject.target.url)
    readings = late if shape.arrival == "late" else shape.kind.spread(fresh)
    made = prepare(subject, shape, readings, bodies_of(shape, readings))
    already = sum(stored(subject.target.url, table) for table in shape.kind.tables)

    def work() -> Answered:
        if shape.is_stream:
            return stream(subject.port, PATH, NDJSON, made, shape.connections, subject.seconds)
        return send(subject.port, PATH, JSON, made, shape.connections, subject.seconds, shape.pace)

    measured = timed(subject.name, shape.what, subject.watched, work)
    if shape.arrival in ("fresh", "time-interleaved", "late") and shape.kind is not WEARABLES:
        kept = sum(stored(subject.target.url, table) for table in shape.kind.tables) - already
        if kept != measured.readings:
            raise CannotStart(f"{measured.name}: {measured.readings} readings were acknowledged, {kept} are stored.")
    return measured


def bodies_of(shape: Shape, readings: Readings) -> list[Body]:
    """Make the bodies of a row."""
    by_time = shape.arrival == "time-interleaved" or shape.batch == 1
    parts = shape.kind.texts(readings, readings.by_time() if by_time else readings.by_user())
    join = by_line if shape.is_stream else json_array
    return [Body(join(part), len(part)) for part in chunks(parts, shape.batch)]


def prepare(subject: Subject, shape: Shape, readings: Readings, made: Sequence[Body]) -> Sequence[Body]:
    """Store the readings that a row expects, as far as twice a row's time allows; return the bodies that match them."""
    match shape.arrival:
        case "late":
            fill_past(subject.target.url, "core.reading", subject.keys, readings)
        case "half duplicate":
            every_second = shape.kind.texts(readings, readings.by_user())[::2]
            there = load(subject, [Body(json_array(part), len(part)) for part in chunks(every_second, 5000)])
            return made[: 2 * there.readings // shape.batch]
        case "all duplicate":
            return made[: load(subject, made).requests]
        case _:
            # At another second than those of whole minutes, which a day of wearables has.
            warm = readings._replace(each=1, start=(readings.start - WARM).replace(second=30))
            for kind in (THREE, ONE_OTHER, INTERVALS) if shape.kind is WEARABLES else (shape.kind,):
                sent = chunks(kind.texts(warm, warm.by_user()), 1000)
                load(subject, [Body(json_array(part), len(part)) for part in sent])
    return made


def load(subject: Subject, bodies: Sequence[Body]) -> Answered:
    """Send bodies without measuring; CannotStart if one is refused."""
    answered = send(subject.port, PATH, JSON, bodies, 8, 2 * subject.seconds)
    if answered.refusal:
        raise CannotStart(f"The service refused what a row needs: {answered.refusal}")
    return answered
