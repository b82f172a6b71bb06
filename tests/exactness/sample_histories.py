"""Random histories of samples, each from its seed.

What a tenant does and asks happens in the database and in the model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any

import psycopg

from tests.support import sql_client
from tests.support.moments import DAY, HOUR, MINUTE, micros, moment
from tests.support.sample_model import BUCKETS, DEVICES, ERAS, KINDS, STEPS, USERS, Model
from tests.support.samples import Question, Sample, latest, series, summary, write_samples

QUARTER = 15 * MINUTE
TENANT = "default"
VIEW = """
    SELECT bucket, metric, unit, kind, count, avg, min, max, total, last, sole_device
      FROM api.metrics_{}
     WHERE tenant_id = %s AND user_id = %s AND bucket >= %s AND bucket < %s
     ORDER BY array_position(%s::text[], metric), bucket
"""
DELETE = "SELECT samples FROM api.delete_readings(%s, %s, %s, %s, %s)"


class Storyteller:
    """Does something to a tenant and asks, in turn, in the database and in the model."""

    def __init__(self, db: psycopg.Connection[Any], seed: int) -> None:
        self.db = db
        self.random = Random(seed)
        day, self.tz = self.random.choice(ERAS)
        self.middle = micros(datetime.fromisoformat(day).replace(tzinfo=UTC))
        self.horizon = self.middle - self.random.choice([60, 40, 0]) * HOUR
        self.crowd = [self.random.randint(-40, 40) for _ in range(3)]
        self.model = Model()
        db.execute("SELECT api.set_metric(%s, 'strain', '{score}', 'gauge', -1e6, 1e6)", [TENANT])
        sql_client.place_horizon(db, self.horizon)

    def deeds(self) -> list[Callable[[], tuple[Any, Any]]]:
        """Return what may be done, the more often the likelier."""
        return [
            *[self.write] * 8,
            *[self.refresh] * 3,
            *[self.piece] * 2,
            *[self.delete] * 2,
            *[self.prioritize] * 2,
            self.compress,
            self.erase,
            *[self.ask] * 20,
            *[self.view] * 5,
        ]

    def tell(self, steps: int) -> Iterator[tuple[Any, Any]]:
        """Do as many steps; yield what each came to in the database, and what is right."""
        deeds = self.deeds()
        yield self.write()
        for _ in range(steps):
            yield self.random.choice(deeds)()
        yield self.refresh()
        for _ in range(5):
            yield self.ask()
            yield self.view()
        yield sql_client.drift(self.db, self.middle - 90 * DAY, self.middle + 90 * DAY), []

    def moment(self) -> int:
        hour = self.random.choice(self.crowd) if self.random.random() < 0.7 else self.random.randint(-40, 40)
        return self.middle + hour * HOUR + self.random.choice(STEPS)

    def sample(self) -> Sample:
        value = self.random.choice([self.random.randint(-4_000_000, 4_000_000) / 1000, self.random.uniform(-1e6, 1e6)])
        metric = self.random.choice(list(KINDS)[:2] if self.random.random() < 0.6 else list(KINDS))
        return Sample(self.random.choice(["ada", *USERS]), self.random.choice(DEVICES), metric, self.moment(), value)

    def write(self) -> tuple[Any, Any]:
        batch = list({one[:4]: one for one in (self.sample() for _ in range(self.random.randint(1, 25)))}.values())
        return write_samples(self.db, TENANT, batch), self.model.write(batch)

    def refresh(self) -> tuple[Any, Any]:
        """Let the horizon move on, within a day or past it, or stay."""
        self.horizon += self.random.choice([0, 0, 1, 3, 7, 30, 96, 130]) * QUARTER
        sql_client.refresh(self.db, self.horizon)
        return (sql_client.horizon(self.db), sql_client.stale_days(self.db)), (self.horizon, 0)

    def piece(self) -> tuple[Any, Any]:
        sql_client.aim(self.db, self.horizon)
        self.db.execute("CALL api.refresh('0 seconds')")
        return None, None

    def going(self) -> tuple[int, int]:
        """Draw a range to delete."""
        start, end = sorted([self.moment(), self.moment()])
        return start, end

    def delete(self) -> tuple[Any, Any]:
        start, end = self.going()
        user, device = self.random.choice(USERS), self.random.choice([None, *DEVICES])
        if device not in self.model.devices:
            device = None
        found = self.db.execute(DELETE, [TENANT, user, moment(start), moment(end), device]).fetchone()
        going = [
            key for key in self.model.stored if key[0] == user and device in (None, key[1]) and start <= key[3] < end
        ]
        for key in going:
            del self.model.stored[key]
        return found, (len(going),)

    def prioritize(self) -> tuple[Any, Any]:
        device, priority = self.random.choice(DEVICES), self.random.choice([None, 1, 5, 900])
        metrics = {
            metric: self.random.choice([None, 1, 5, 900])
            for metric in self.random.sample(list(KINDS), self.random.choice([0, 0, 1, 2]))
        }
        if device in self.model.devices:
            sql_client.set_priority(self.db, TENANT, device, priority, metrics)
            if priority is not None:
                self.model.priorities[device] = priority
            for metric, its in metrics.items():
                self.model.of_metrics.pop((device, metric), None)
                if its is not None:
                    self.model.of_metrics[device, metric] = its
        return None, None

    def compress(self) -> tuple[Any, Any]:
        self.db.execute("SELECT compress_chunk(c, true) FROM show_chunks('core.sample') AS c")
        return None, None

    def erase(self) -> tuple[Any, Any]:
        sql_client.erase(self.db, TENANT, "bob")
        for key in [key for key in self.model.stored if key[0] == "bob"]:
            del self.model.stored[key]
        return sql_client.keyless(self.db), []

    def ask(self) -> tuple[Any, Any]:
        known = [key[3] for key in self.model.stored] or [self.middle]
        ends = sorted(self.random.choice([self.moment(), self.random.choice(known)]) for _ in range(2))
        if self.random.random() < 0.4:
            ends = [self.middle - 400 * HOUR, self.middle + 400 * HOUR]
        metrics = self.random.sample(list(KINDS), self.random.choice([1, 2, 4]))
        user = self.random.choice(["ada", *USERS])
        device = self.random.choice([None, None, *DEVICES])
        tz = self.random.choice([self.tz, self.tz, *(zone for _, zone in ERAS)])
        asked = Question(user, ends[0], ends[1], tuple(metrics), device, self.random.choice(BUCKETS), tz, 30)
        got = summary(self.db, TENANT, asked), series(self.db, TENANT, asked), latest(self.db, TENANT, user)
        return got, (self.model.summary(asked), self.model.series(asked), self.model.latest(user))

    def view(self) -> tuple[Any, Any]:
        """Read a view of all metrics, of which rows belong to a user."""
        bucket, user = self.random.choice(["15m", "1h", "1d"]), self.random.choice(["ada", *USERS])
        days = (self.middle - 5 * DAY, self.middle + 5 * DAY)
        rows = self.db.execute(
            VIEW.format(bucket).encode(), [TENANT, user, moment(days[0]), moment(days[1]), list(KINDS)]
        ).fetchall()
        asked = Question(user, *days, tuple(KINDS), None, bucket, "UTC", 30)
        return [(micros(at), *row) for at, *row in rows], [row[:-1] for row in self.model.series(asked)]
