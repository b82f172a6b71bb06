"""A try spread over several days, of which what is old is dropped, in the database and by brute force."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import psycopg

from tests.exactness.retention.dropping import kept_from
from tests.exactness.sample_histories import QUARTER
from tests.exactness.tries import DEVICES, Try, ranked
from tests.support import sql_client
from tests.support.answers import micro
from tests.support.database import empty
from tests.support.interleaving import NOON
from tests.support.interval_model import Instant, Stretch, Total, Window
from tests.support.moments import DAY, HOUR, MINUTE, micros, moment
from tests.support.reference_model import Model
from tests.support.samples import Sample, write_samples
from tests.support.stored import Item, Part
from tests.support.sums import GRAIN, Sums

USER = ("default", "ada")
EARLIER = (-2 * DAY, -DAY, 0, 10 * HOUR, 12 * HOUR)
"""Where the hours of a try lie: on the days before, around the midnight up to which is closed, and behind it."""
OTHERS = ("distance", "floors")
ZONES = ("UTC", "Asia/Kathmandu", "America/Havana")


class Spread:
    """What a try sends, on several days, of steps, calories and another metric that adds up."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.one = Try(seed)
        self.metric = self.random.choice(OTHERS)

    def shift(self) -> int:
        return self.random.choice(EARLIER)

    def items(self, since: int) -> list[Item]:
        items = [item._replace(ts=item.ts + self.shift()) for item in self.one.items()]
        return [item for item in {item[:4]: item for item in items}.values() if item.ts >= since]

    def values(self, since: int) -> dict[tuple[str, int], float]:
        r = self.random
        drawn = {
            (r.choice(DEVICES), self.one.moment() + self.shift()): float(r.randrange(50))
            for _ in range(r.choice([1, 10, 40]))
        }
        return {key: value for key, value in drawn.items() if key[1] >= since}

    def parts(self, since: int) -> list[Part]:
        r = self.random
        parts = []
        for part in [*self.one.parts(), *self.one.parts()]:
            ts = part.ts + self.shift()
            metric = part.metric if part.kind == "worn" or r.random() < 0.5 else self.metric
            parts.append(part._replace(metric=metric, ts=ts, end=ts + part.end - part.ts))
        for day in range(-3, 3):
            for metric in ("steps", self.metric):
                start = NOON - 12 * HOUR + day * DAY + r.choice([0, 0, HOUR, -6 * HOUR])
                if r.random() < 0.5:
                    parts.append(Part(*USER, r.choice(DEVICES), "daily_total", metric, start, start + DAY, 5000.0))
        return [part for part in {part[:6]: part for part in parts}.values() if part.ts >= since]


class Tale:
    """What is stored of a try, in the database and in the models."""

    def __init__(self, db: psycopg.Connection[Any], seed: int) -> None:
        self.db, self.spread, self.model = db, Spread(seed), Model()
        self.sums = Sums(self.spread.metric, [], [], [], [])
        empty(db)
        sql_client.place_horizon(db, NOON - 10 * DAY)

    def send(self, since: int) -> None:
        """Store everything of or after a moment."""
        metric, model = self.spread.metric, self.model
        grain = GRAIN[metric]
        if items := self.spread.items(since):
            sql_client.write(self.db, items)
            self.enrol()
            model.write(items)
        if values := self.spread.values(since):
            samples = [Sample("ada", device, metric, ts, value) for (device, ts), value in values.items()]
            write_samples(self.db, "default", samples)
            self.enrol()
            stored = {(each.device, each.ts): each for each in self.sums.instants}
            stored |= {(name, ts): Instant(name, ts, micro(value) // grain) for (name, ts), value in values.items()}
            self.sums.instants = list(stored.values())
        if parts := self.spread.parts(since):
            sql_client.merge(self.db, parts)
            self.enrol()
            model.merge(parts)
        sent = model.parts.get(USER, {})
        of_metric = [
            (kind, name, ts, each.end, micro(each.value) if grain == 1 else round(each.value), each.version)
            for (kind, of, name, ts), each in sent.items()
            if of == metric
        ]
        self.sums.stretches = [Stretch(*each) for kind, *each in of_metric if kind == "interval"]
        self.sums.totals = [Total(*each) for kind, *each in of_metric if kind == "daily_total"]
        self.sums.windows = [Window(name, ts, each.end) for (kind, _, name, ts), each in sent.items() if kind == "worn"]
        self.sums.ranks = ranked(self.db, metric)

    def enrol(self) -> None:
        """Register the devices in the order of the database."""
        for (name,) in self.db.execute("SELECT device_id FROM core.device ORDER BY device_key"):
            self.model.enrol("default", name)

    def refresh(self) -> None:
        sql_client.refresh(self.db, NOON + 4 * DAY)

    def wrong(self) -> list[Any]:
        """Ask for ranges of whole quarters of an hour, and others where nothing is dropped."""
        r, kept = self.spread.random, kept_from(self.db)
        found: list[Any] = [
            ("latest", got, right)
            for got, right in [
                (sql_client.latest(self.db, *USER), self.model.latest(*USER)),
                (sql_client.seen(self.db, "default"), [("ada", self.seen())]),
                (sql_client.last_seen(self.db, "default"), [("ada", self.seen())]),
            ]
            if got != right
        ]
        ranges = [(NOON - 4 * DAY, NOON + 4 * DAY)]
        ranges += [
            (min(pair), max(pair)) for pair in ([NOON + r.randrange(-200, 100) * QUARTER for _ in "ab"] for _ in "abc")
        ]
        ranges += [(min(pair), max(pair)) for pair in ([kept + r.randrange(12 * HOUR) for _ in "ab"] for _ in "ab")]
        for span in ranges:
            for device in (None, r.choice(self.sums.ranks)):
                found += self.differing(span, device, r.choice(["15m", "1h", "1d", "1w"]), r.choice(ZONES))
        return found

    def seen(self) -> int | None:
        instants = [each.ts for each in self.sums.instants]
        begun = [max(each.ts, (each.end - 1) // MINUTE * MINUTE) for each in self.sums.stretches]
        readings = [when for _, when in self.model.seen("default") if when is not None]
        return max([*instants, *begun, *readings], default=None)

    def differing(self, span: tuple[int, int], device: str | None, bucket: str, tz: str) -> Iterator[Any]:
        """Yield what differs of a range: the hot metrics, and the other one."""
        start, end = span
        by_bucket = (start, end, bucket, tz)
        asked = ["default", "ada", moment(start), moment(end), [self.spread.metric]]
        row = self.db.execute("SELECT total FROM api.metric_summary(%s, %s, %s, %s, %s, %s)", [*asked, device])
        series = self.db.execute(
            "SELECT t, total FROM api.metric_series(%s, %s, %s, %s, %s, %s, %s, 1000, %s)", [*asked, bucket, tz, device]
        )
        answers = [
            (sql_client.summary(self.db, *USER, start, end, device), self.model.summary(*USER, start, end, device)),
            (
                sql_client.series(self.db, *USER, *by_bucket, device=device)[0],
                self.model.series(*USER, *by_bucket, device),
            ),
            ((row.fetchone() or (None,))[0], self.sums.whole(start, end, device)),
            ({micros(t): total for t, total in series}, self.sums.series(*by_bucket, device)),
        ]
        for got, right in answers:
            if got != right:
                yield span, device, bucket, tz, got, right
