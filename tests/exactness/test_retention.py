"""What retention drops of samples, intervals and worn windows changes no answer that rollups give.

Random histories against brute force, in chunks of a day each, so that much is dropped that others reach into. Each step
of a drop is needed: without it a history notices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

import psycopg
import pytest

from tests.exactness.test_exactness import FIRST
from tests.exactness.test_intervals import DEVICES, NOON, SAMPLES, Try, ranked
from tests.exactness.test_intervals import TRIES as SMALL_TRIES
from tests.exactness.test_samples import TENANT, Storyteller
from tests.support import sql_client
from tests.support.answers import micro
from tests.support.database import empty
from tests.support.interleaving import mutated
from tests.support.interval_model import Instant, Stretch, Total, Window
from tests.support.moments import DAY, HOUR, MINUTE, auto_bucket, micros, moment
from tests.support.reference_model import Model
from tests.support.sample_model import USERS
from tests.support.sample_model import Model as SampleModel
from tests.support.samples import Question, Sample, latest, write_samples
from tests.support.stored import Item, Part
from tests.support.sums import GRAIN, Sums

QUARTER = 15 * MINUTE
HISTORIES = max(2, SMALL_TRIES // 4)
STEPS = 60
TRIES = max(2, SMALL_TRIES // 8)
MOST = 40
"""Histories in which a mutant must be noticed."""
TABLES = ("core.sample", "core.interval")
KEPT = "SELECT CASE WHEN isfinite(samples_from) THEN samples_from END FROM core.horizon"
MAY_DROP = """
    SELECT h.samples_from >= %(bound)s
           OR h.materialized >= %(bound)s AND NOT EXISTS (SELECT FROM core.stale_day AS s WHERE s.day < %(bound)s)
      FROM core.horizon AS h
"""


@pytest.fixture
def daily(calm: psycopg.Connection[Any]) -> Iterator[psycopg.Connection[Any]]:
    """The empty database, with chunks of a day."""
    for table in TABLES:
        calm.execute("SELECT set_chunk_time_interval(%s, INTERVAL '24 hours')", [table])
    yield calm
    empty(calm)
    for table in TABLES:
        calm.execute("SELECT set_chunk_time_interval(%s, INTERVAL '28 days')", [table])


def drop(db: psycopg.Connection[Any], end: int) -> bool:
    """Drop what begins before a midnight; return whether it was dropped."""
    row = db.execute("CALL api_internal.drop_samples(%s, %s)", [moment(end - 40 * DAY), moment(end)]).fetchone()
    assert row is not None
    return bool(row[0])


def kept_from(db: psycopg.Connection[Any]) -> int:
    """Return from where on everything is kept; long before everything where nothing was dropped."""
    row = db.execute(KEPT).fetchone()
    assert row is not None
    return NOON - 10 * DAY if row[0] is None else micros(row[0])


# Samples ----------------------------------------------------------------------------------------------------


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


def differences(db: psycopg.Connection[Any], seed: int) -> list[str]:
    """Tell a story up to the first answer that is wrong, or the first error; return it."""
    empty(db)
    try:
        for number, (got, right) in enumerate(Keeper(db, seed).tell(STEPS)):
            if got != right:
                return [f"seed {seed}, step {number}\ngot      {got}\nexpected {right}"]
    except psycopg.Error as error:
        return [f"seed {seed}: {error}"]
    return []


@pytest.mark.parametrize("seed", range(FIRST, FIRST + HISTORIES))
def test_answers_of_samples_stay_exact(daily: psycopg.Connection[Any], seed: int) -> None:
    assert differences(daily, seed) == []


# Each with the function and what is taken out of it.
MUTANTS = {
    "stale days are not waited for": (
        "close_samples",
        r" OR \(SELECT min\(s\.day\) FROM core\.stale_day AS s WHERE s\.version > 0\) < bound",
        "",
    ),
    "the horizon is not waited for": ("close_samples", r"horizon\.materialized < bound OR ", ""),
    "the bound stays": ("close_samples", r"UPDATE core\.horizon[^;]*;", ""),
    "the bound is the end of what is dropped": ("drop_samples", r"range_end \+ INTERVAL '24 hours'", "range_end"),
    "last samples are not kept": ("keep_values", r"x\.ts < %2\$L\n", "false\n"),
    "the first last sample stays": ("keep_values", r"WHERE k\.ts < excluded\.ts", "WHERE false"),
    "latest samples are looked for among what is left": ("last_samples", r"AND NOT k\.is_interval", "AND false"),
    "what is too old is let in": ("mark_samples", r"IF dropped IS NOT NULL THEN", "IF false THEN"),
    "a new priority marks what cannot be computed again": (
        "set_device",
        r"AND r\.bucket >= \(SELECT samples_from FROM core\.horizon\)",
        "",
    ),
    "parts of a quarter are read where some of it is gone": (
        "raw_sample_rows",
        r"ranges \* \(SELECT .*?core\.horizon AS h\)",
        "ranges",
    ),
    "an erasure leaves last values": ("erase_user", r"DELETE FROM core\.kept_value[^;]*;", ""),
}


# A history that notices a mutant early; others are tried where that is no longer so.
NOTICING = {
    "what is too old is let in": (1,),
    "a new priority marks what cannot be computed again": (5,),
    "an erasure leaves last values": (5,),
    "last intervals are not kept": (1,),
    "latest intervals are looked for among what is left": ("last_intervals", r"AND k\.is_interval", "AND false"),
    "daily totals count where finer values are gone": (1,),
    "daily totals of a device count where its samples are gone": (4,),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_histories_of_samples_notice(daily: psycopg.Connection[Any], name: str) -> None:
    with mutated(daily, *MUTANTS[name]):
        for seed in (*NOTICING.get(name, ()), *range(MOST)):
            if differences(daily, seed):
                return
    pytest.fail(f"no history notices that {name}")


# Intervals, worn windows and daily totals -------------------------------------------------------------------

USER = ("default", "ada")
EARLIER = (-2 * DAY, -DAY, 0, 10 * HOUR, 12 * HOUR)
"""Where the hours of a try lie: on the days before, around the midnight up to which is closed, and behind it."""
FIRST_END, LAST_END = NOON - 36 * HOUR, NOON - 12 * HOUR
"""The midnights before which is dropped, one after the other."""
OTHERS = ("distance", "floors")


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
            devices, moments = zip(*values, strict=True)
            many = len(values)
            with self.db.transaction():
                self.db.execute(
                    SAMPLES,
                    {
                        "tenants": ["default"] * many,
                        "users": ["ada"] * many,
                        "metrics": [metric] * many,
                        "devices": list(devices),
                        "moments": [moment(ts) for ts in moments],
                        "values": list(values.values()),
                    },
                )
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


ZONES = ("UTC", "Asia/Kathmandu", "America/Havana")


def torn(db: psycopg.Connection[Any], seed: int) -> list[Any]:
    """Drop what a try sent, send more, and refresh; return what is answered otherwise than by brute force."""
    tale = Tale(db, seed)
    try:
        tale.send(-(2**62))
        tale.refresh()
        if found := tale.wrong():
            return ["before", *found]
        for end in (FIRST_END, LAST_END):
            # Readings go first, up to the same midnight.
            db.execute("SELECT api_internal.drop_raw(%s, %s)", [moment(end), moment(end + DAY)])
            if not drop(db, end):
                return ["nothing is dropped"]
            if found := tale.wrong():
                return [f"dropped before {end}", *found]
        tale.send(kept_from(db))
        if found := tale.wrong():
            return ["sent more", *found]
        tale.refresh()
        if found := tale.wrong() + sql_client.drift(db, NOON - 9 * DAY, NOON + 9 * DAY):
            return ["refreshed", *found]
    except psycopg.Error as error:
        return [error]
    return []


@pytest.mark.parametrize("seed", range(FIRST, FIRST + TRIES))
def test_answers_of_intervals_stay_exact(daily: psycopg.Connection[Any], seed: int) -> None:
    assert torn(daily, seed) == []


INTERVAL_MUTANTS = {
    "the bound is the end of what is dropped": ("drop_samples", r"range_end \+ INTERVAL '24 hours'", "range_end"),
    "last intervals are not kept": ("keep_values", r"s\.kind = 0 OFFSET 0", "false OFFSET 0"),
    "latest intervals are looked for among what is left": ("last_intervals", r"AND k\.is_interval", "AND false"),
    "worn windows go that are needed": (
        "keep_values",
        r"AND w\.ts < range_end",
        "AND w.ts < range_end + INTERVAL '48 hours'",
    ),
    "daily totals count where finer values are gone": (
        "counted_totals",
        r"t\.metric_key > 3 AND t\.ts",
        "false AND t.ts",
    ),
    "daily totals of a device count where its steps are gone": (
        "counted_totals",
        r"FROM rollup\.device_15m AS r\s+WHERE",
        "FROM rollup.device_15m AS r WHERE false AND",
    ),
    "daily totals of a device count where its samples are gone": (
        "counted_totals",
        r"FROM rollup\.sample_device_15m AS r\s+WHERE",
        "FROM rollup.sample_device_15m AS r WHERE false AND",
    ),
}


@pytest.mark.parametrize("name", INTERVAL_MUTANTS)
def test_tries_of_intervals_notice(daily: psycopg.Connection[Any], name: str) -> None:
    with mutated(daily, *INTERVAL_MUTANTS[name]):
        for seed in (*NOTICING.get(name, ()), *range(MOST)):
            if torn(daily, seed):
                return
    pytest.fail(f"no try notices that {name}")
