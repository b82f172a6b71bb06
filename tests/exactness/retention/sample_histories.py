"""Histories of samples of which the old ones are dropped, in the database and by brute force."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg

from tests.exactness.retention.dropping import drop
from tests.exactness.sample_histories import QUARTER, TENANT, Storyteller
from tests.support.moments import DAY, MINUTE, auto_bucket, moment
from tests.support.sample_model import USERS
from tests.support.sample_model import Model as SampleModel
from tests.support.samples import Question, Sample, latest, write_samples

MAY_DROP = """
    SELECT h.samples_from >= %(bound)s
           OR h.materialized >= %(bound)s AND NOT EXISTS (SELECT FROM core.stale_day AS s WHERE s.day < %(bound)s)
      FROM core.horizon AS h
"""


@dataclass
class Keeping(SampleModel):
    """Values of which the old ones are known by whole quarters of an hour only, and which device counted in them."""

    closed: int = -(2**62)
    gone: int = -(2**62)
    winners: dict[tuple[str, str, int], str] = field(default_factory=dict)

    def close(self, end: int) -> None:
        """Drop what begins before a midnight, and close the day after it."""
        self.gone = max(self.gone, end)
        self.closed = max(self.closed, end + DAY)
        minutes: dict[tuple[str, str, int], set[str]] = {}
        for user, device, metric, ts in self.stored:
            if ts < self.closed:
                minutes.setdefault((user, metric, ts // MINUTE), set()).add(device)
        for (user, metric, minute), devices in minutes.items():
            best = min(devices, key=lambda device: self.rank(device, metric))
            self.winners.setdefault((user, metric, minute), best)

    def asked(self, asked: Question, metric: str) -> list[Sample]:
        return [
            sample
            for sample in super().asked(asked, metric)
            if asked.bucket == "raw"
            or sample.ts >= self.closed
            or ((start := sample.ts // QUARTER * QUARTER) >= asked.start and start + QUARTER <= asked.end)
        ]

    def counted(self, asked: Question, metric: str) -> list[Sample]:
        minutes: dict[int, list[Sample]] = {}
        for sample in self.asked(asked, metric):
            minutes.setdefault(sample.ts // MINUTE, []).append(sample)
        counted = []
        for minute, samples in minutes.items():
            best = min((sample.device for sample in samples), key=lambda device: self.rank(device, metric))
            if asked.device is None:
                best = self.winners.get((asked.user, metric, minute), best)
            counted += [sample for sample in samples if sample.device == best]
        return counted

    def summary(self, asked: Question) -> list[tuple[Any, ...]]:
        return super().summary(asked._replace(bucket="15m"))

    def series(self, asked: Question) -> list[tuple[Any, ...]]:
        used = asked.bucket
        if used == "auto":
            used = auto_bucket(asked.start, asked.end, asked.max_points)
            used = "15m" if used in ("1m", "5m") and asked.start < self.closed else used
        since = {"raw": self.gone, "1m": self.closed, "5m": self.closed}.get(used, asked.start)
        return super().series(asked._replace(bucket=used, start=max(asked.start, since)))


class Keeper(Storyteller):
    """Does to a tenant what others do, and drops what is old."""

    def __init__(self, db: psycopg.Connection[Any], seed: int) -> None:
        super().__init__(db, seed)
        self.model: Keeping = Keeping()

    def deeds(self) -> list[Callable[[], tuple[Any, Any]]]:
        return [*super().deeds(), *[self.retain] * 5, *[self.refresh] * 2, *[self.write_what_is_too_old] * 2]

    def tell(self, steps: int) -> Iterator[tuple[Any, Any]]:
        yield from super().tell(steps)
        self.horizon = max(self.horizon, self.middle + 5 * DAY)
        for days in (-2, -1, 0, 3):
            yield self.refresh()
            yield self.drop(self.middle + days * DAY)
            for user in ("ada", *USERS):
                yield latest(self.db, TENANT, user), self.model.latest(user)
            for _ in range(3):
                yield self.ask()
                yield self.view()

    def write(self) -> tuple[Any, Any]:
        drawn = {one[:4]: one for one in (self.sample() for _ in range(self.random.randint(1, 25)))}
        batch = [one for one in drawn.values() if one.ts >= self.model.closed]
        return (write_samples(self.db, TENANT, batch), self.model.write(batch)) if batch else (None, None)

    def write_what_is_too_old(self) -> tuple[Any, Any]:
        sample = self.sample()
        if sample.ts >= self.model.closed:
            return None, None
        try:
            write_samples(self.db, TENANT, [sample])
        except psycopg.errors.ObjectNotInPrerequisiteState:
            return None, None
        return f"{sample} is accepted", None

    def going(self) -> tuple[int, int]:
        """Draw a range; what was dropped cannot be deleted."""
        start, end = super().going()
        return max(start, self.model.closed), max(end, self.model.closed)

    def retain(self) -> tuple[Any, Any]:
        return self.drop(self.middle + self.random.randint(-2, 1) * DAY)

    def drop(self, end: int) -> tuple[Any, Any]:
        row = self.db.execute(MAY_DROP, {"bound": moment(end + DAY)}).fetchone()
        is_dropped = drop(self.db, end)
        if is_dropped:
            self.model.close(end)
        return (is_dropped,), row
