"""The rule of intervals against brute force, hour by hour, and its mutants, each of which must be caught.

Many small tries of a few hours, in which everything meets; the histories of test_exactness.py have intervals, too,
among all else that happens. EXACTNESS_TRIES says how many tries a test makes, EXACTNESS_SEED from which seed on. A
mutant is a function of sql/ with one part of the rule taken out.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

import psycopg
import pytest

from tests.exactness.test_exactness import FIRST
from tests.support import sql_client
from tests.support.answers import micro
from tests.support.database import empty
from tests.support.interleaving import mutated
from tests.support.interval_model import Instant, Stretch, Window
from tests.support.moments import DAY, HOUR, MINUTE, micros, moment
from tests.support.reference_model import Model
from tests.support.stored import Item, Part
from tests.support.sums import GRAIN, Sums

NOON = 19_800 * DAY + 12 * HOUR
DEVICES = ["device_a", "device_b", "watch", "phone"]
TRIES = int(os.environ.get("EXACTNESS_TRIES", "16"))
FEW = max(1, TRIES // 16)
"""Tries of what takes seconds each."""
MOST = 600
"""Tries in which a mutant must be noticed."""


class Try:
    """Some hours of one user, and questions about them."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def moment(self) -> int:
        r = self.random
        return NOON + r.choice([r.randrange(3 * HOUR), r.randrange(180) * MINUTE, r.randrange(18) * 10 * MINUTE])

    def items(self) -> list[Item]:
        r = self.random
        items = [
            Item(
                "default",
                "ada",
                r.choice(DEVICES),
                self.moment(),
                None,
                r.choice([0, 1, 7, 100]),
                r.choice([None, 2.5]),
            )
            for _ in range(r.choice([0, 5, 30, 100]))
        ]
        return list({item[:4]: item for item in items}.values())

    def parts(self) -> list[Part]:
        r = self.random
        parts = [self.part() for _ in range(r.choice([1, 3, 10, 40]))]
        # And some that begin where another one of their device ends.
        parts += [part._replace(ts=part.end, end=part.end + MINUTE) for part in parts if r.random() < 0.3]
        return list({part[:6]: part for part in parts}.values())

    def part(self) -> Part:
        r = self.random
        kind, metric = r.choice(["interval"] * 5 + ["worn"] * 2), r.choice(["steps", "steps", "calories"])
        ts, lengths = self.moment(), [r.randrange(1, most) for most in (HOUR, 3 * HOUR, 20 * HOUR)]
        end = ts + r.choice([MINUTE, 3 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, HOUR, *lengths])
        if kind == "worn":
            return Part("default", "ada", r.choice(DEVICES), kind, "", ts, end, 0.0)
        steps = float(r.choice([0, 1, 10, 100, 1000, 99_999]))
        value = steps if metric == "steps" else round(r.uniform(0, 2000), r.choice([0, 3, 6]))
        return Part("default", "ada", r.choice(DEVICES), kind, metric, ts, end, value)

    def grown(self, parts: list[Part]) -> list[Part]:
        """Uploads of before, some of which have grown."""
        r = self.random
        return [
            part._replace(end=part.end + r.choice([0, MINUTE]), value=part.value + (part.kind != "worn"))
            for part in parts
            if r.random() < 0.3
        ]

    def priorities(self) -> Iterator[tuple[str, dict[str, int | None]]]:
        """Which devices rank otherwise for which metrics; mostly none."""
        r = self.random
        for device in r.sample(DEVICES, r.choice([0, 0, 1, 2])):
            yield device, {metric: r.choice([None, 0, 1, 2, 500, 1000]) for metric in ("steps", "calories")}

    def questions(self, model: Model) -> Iterator[tuple[int, int, str | None]]:
        known = [device for device in DEVICES if ("default", device) in model.devices]
        for _ in range(6):
            start, end = sorted([self.moment(), self.moment()])
            yield start, end, self.random.choice([None, None, None, *known])
        yield NOON - DAY, NOON + 2 * DAY, None


def differences(db: psycopg.Connection[Any], seed: int) -> list[Any]:
    """Play a try; return what minutes differ from brute force."""
    empty(db)
    sql_client.place_horizon(db, NOON - 10 * DAY)
    one, model = Try(seed), Model()
    if items := one.items():
        assert sql_client.write(db, items) == model.write(items)
    parts = one.parts()
    for sent in (parts, one.grown(parts)):
        if sent:
            assert sql_client.merge(db, sent) == model.merge(sent)
    for device, metrics in one.priorities():
        sql_client.set_priority(db, "default", device, None, metrics)
        model.set_priority("default", device, None, metrics)
    return [
        (question, got, expected)
        for question in one.questions(model)
        for got, expected in [
            (sql_client.minutes(db, "default", "ada", *question), model.minutes("default", "ada", *question))
        ]
        if got != expected
    ]


def test_minutes_follow_the_rule(calm: psycopg.Connection[Any]) -> None:
    for seed in range(FIRST, FIRST + TRIES):
        assert differences(calm, seed) == [], f"seed {seed}"


# Each with what is taken out: regular expressions whose matches are replaced, each once.
MUTANTS = {
    "no cap of coarse intervals": (r"p\.is_coarse\n       GROUP BY", "false\n       GROUP BY"),
    "a cap of every interval": (r"i\.ends_at - i\.ts > INTERVAL '5 minutes' AS", "true AS"),
    "what better devices counted in all of their minutes": (
        r"k\.device_key IS NULL AND p\.minute >= p\.ts",
        "k.device_key IS NULL",
    ),
    "a cap beside worn devices": (r"WHERE p\.is_coarse\) AS k", "WHERE false) AS k"),
    "a cap of what the interval has left after losses": (
        r"div\(greatest\(sum\(p\.share\) FILTER \(WHERE p\.counts\)",
        "div(greatest(sum(p.share) FILTER (WHERE p.counts AND g.device_key = p.device_key)",
    ),
    "the older version wins": (r"ORDER BY p\.version DESC", "ORDER BY p.version"),
    "no version wins": (r"WHERE u\.newer && ", "WHERE false AND u.newer && "),
    "a newer interval that only meets": (r"u\.newer && tstzrange\(u\.piece_start, u\.piece_end\)", "u.newer <> '{}'"),
    "an interval beside its device's readings": (
        r"o\.version IS NULL AND i\.minute IS NULL AS",
        "o.version IS NULL AS",
    ),
    "worn windows do not cover": (
        r"FROM unnest\(windows\) AS w\n       CROSS",
        "FROM unnest(windows) AS w\n       CROSS JOIN (SELECT 1 LIMIT 0) AS x CROSS",
    ),
    "worn windows hide metrics that are not counted": (
        r"\n +JOIN \(SELECT DISTINCT p\.metric_key, p\.cell, p\.device_key FROM present.*?w\.device_key\) AS v",
        ") AS v",
    ),
    "worn devices count in other hours": (r"AND g\.cell = m\.cell AND g\.device_key", "AND g.device_key"),
    "the worst device wins": (
        r"\(min\(core\.device_rank",
        r"(max(core.device_rank",
    ),
    "the priority of the metric does not matter": (
        r"\(min\(core\.device_rank\(d\.priority, d\.metric_priorities,",
        r"(min(core.device_rank(d.priority, NULL,",
    ),
    "zero does not cover": (r"FROM pieces AS p\n    \), winners", "FROM pieces AS p WHERE p.share > 0\n    ), winners"),
    "shares that do not add up": (
        r"div\(p\.whole \* extract\(epoch FROM x\.piece_end - p\.ts\), p\.length\)\n[^\n]*p\.ts\), p\.length\)",
        "div(p.whole * extract(epoch FROM x.piece_end - x.piece_start), p.length)",
    ),
    "steps in millionths": (
        r"CASE WHEN m\.is_whole THEN 1000000 ELSE 1 END AS grain,\n.*?AS whole",
        "1 AS grain, round(i.value * 1e6)::numeric AS whole",
    ),
    "cut before it is resolved": (r"api_internal\.whole_hours\(ranges\);", "ranges;"),
}


# A try that notices a mutant; others are made where that is no longer so.
NOTICING = {
    "what better devices counted in all of their minutes": 218,
    "a cap beside worn devices": 11,
    "the priority of the metric does not matter": 20,
}


@pytest.mark.parametrize("name", MUTANTS)
def test_each_part_of_the_rule_is_needed(calm: psycopg.Connection[Any], name: str) -> None:
    with mutated(calm, "counted_minutes", *MUTANTS[name]):
        assert any(differences(calm, seed) for seed in (NOTICING.get(name, 0), *range(MOST)))


def counted(start: int, end: int, value: float, device: str = "phone") -> Part:
    return Part("default", "ada", device, "interval", "steps", NOON + start, NOON + end, value)


def beat(device: str, at: int, steps: int) -> Item:
    return Item("default", "ada", device, NOON + at, None, steps, None)


@dataclass
class Story:
    """What happens to one user, in the database and in the model."""

    db: psycopg.Connection[Any]
    model: Model = field(default_factory=Model)

    def write(self, *items: Item) -> None:
        assert sql_client.write(self.db, items) == self.model.write(items)

    def merge(self, *parts: Part) -> None:
        assert sql_client.merge(self.db, parts) == self.model.merge(parts)

    def refresh(self, horizon: int) -> None:
        sql_client.refresh(self.db, NOON + horizon)

    def wrong(self) -> list[Any]:
        """Return the wrong answers to questions about the hours around noon, of quarters, hours and devices."""
        spans = [(NOON + n * MINUTE, NOON + (n + 15) * MINUTE) for n in range(-60, 240, 15)]
        spans += [(NOON + n * HOUR, NOON + (n + 1) * HOUR) for n in range(-1, 4)]
        devices = [None, *(device for _, device in self.model.devices)]
        questions = [("default", "ada", *span, device) for span in spans for device in devices]
        found: list[Any] = [
            question
            for question in questions
            if sql_client.summary(self.db, *question) != self.model.summary(*question)
        ]
        for bucket in ("15m", "1h", "1d"):
            span = (NOON - DAY, NOON + DAY)
            if sql_client.vitals(self.db, "default", "ada", *span, bucket) != self.model.vitals(
                "default", "ada", *span, bucket
            ):
                found.append(bucket)
        return found + sql_client.drift(self.db, NOON - 2 * DAY, NOON + 2 * DAY)


def late_reading(story: Story) -> Iterator[None]:
    """What a watch sends late of one quarter leaves less of a phone's interval in the others."""
    story.merge(counted(0, HOUR, 600))
    story.write(beat("device_a", 50 * MINUTE, 10))
    story.refresh(DAY)
    yield
    story.write(beat("device_a", 5 * MINUTE, 300))
    yield
    story.refresh(DAY)
    yield


def horizon_within_an_hour(story: Story) -> Iterator[None]:
    """What comes above the horizon changes what counts below it in the same hour, and is not marked."""
    story.merge(counted(0, HOUR, 600))
    story.write(beat("device_a", 5 * MINUTE, 10))
    story.refresh(30 * MINUTE)
    yield
    story.write(beat("device_a", 45 * MINUTE, 300))
    yield
    story.refresh(45 * MINUTE)
    yield
    story.refresh(2 * HOUR)
    yield


def shrunk(story: Story) -> Iterator[None]:
    story.merge(counted(0, 3 * HOUR, 900))
    story.refresh(DAY)
    yield
    story.merge(counted(0, HOUR, 900))
    yield
    story.refresh(DAY)
    yield


def only_intervals(story: Story) -> Iterator[None]:
    """There is no reading that would have the new time marked."""
    story.merge(counted(-20 * MINUTE, 70 * MINUTE, 900))
    story.refresh(0)
    yield
    story.refresh(HOUR)
    yield
    story.refresh(DAY)
    yield


def worn_elsewhere(story: Story) -> Iterator[None]:
    """In a quarter in which one device measured, another one of the hour was worn."""
    story.merge(counted(0, 15 * MINUTE, 300), Part("default", "ada", "device_a", "worn", "", NOON, NOON + HOUR, 0.0))
    story.write(beat("device_a", 50 * MINUTE, 10))
    story.refresh(DAY)
    yield


def new_priority(story: Story) -> Iterator[None]:
    """It changes quarters in which the device measured nothing."""
    yield from worn_elsewhere(story)
    sql_client.set_priority(story.db, "default", "phone", 0)
    story.model.set_priority("default", "phone", 0)
    yield
    story.refresh(DAY)
    yield


def new_priority_of_a_metric(story: Story) -> Iterator[None]:
    """It changes what counts of the metric, and of no other."""
    yield from worn_elsewhere(story)
    for metrics in ({"calories": 0}, {"steps": 0}, {"steps": 5}, {"steps": None, "calories": None}):
        sql_client.set_priority(story.db, "default", "phone", None, metrics)
        story.model.set_priority("default", "phone", None, metrics)
        yield
        story.refresh(DAY)
        yield


def deleted(story: Story) -> Iterator[None]:
    """An interval that begins in the range goes, with what it counted after it."""
    story.merge(counted(-30 * MINUTE, 3 * HOUR, 900), counted(0, 2 * HOUR, 50, "watch"))
    story.refresh(DAY)
    yield
    which = ("default", "ada", NOON - HOUR, NOON, None)
    assert sql_client.delete_readings(story.db, *which) == story.model.delete(*which, intervals=True)
    yield
    story.refresh(DAY)
    yield


STORIES = [
    late_reading,
    horizon_within_an_hour,
    shrunk,
    only_intervals,
    worn_elsewhere,
    new_priority,
    new_priority_of_a_metric,
    deleted,
]


def goes_wrong(db: psycopg.Connection[Any], tell: Callable[[Story], Iterator[None]]) -> bool:
    empty(db)
    sql_client.place_horizon(db, NOON - DAY)
    story = Story(db)
    return any(story.wrong() for _ in tell(story))


@pytest.mark.parametrize("tell", STORIES)
def test_rollups_follow_the_rule(calm: psycopg.Connection[Any], tell: Callable[[Story], Iterator[None]]) -> None:
    assert not goes_wrong(calm, tell)


@pytest.mark.parametrize(
    ("function", "pattern", "replacement", "tell"),
    [
        ("hour_bits", r"RETURN hours.*?;", "RETURN quarters;", late_reading),
        ("wide_marks", r"THEN api_internal\.hour_bits\(s\.quarters\)", "THEN s.quarters | s.quarters", late_reading),
        ("refresh_users", r"api_internal\.hour_bits\(m\.quarters\)", "m.quarters", late_reading),
        ("marks", r"h\.materialized > h\.hour", "false", horizon_within_an_hour),
        ("vitals_15m", r"OR NOT EXISTS", "OR EXISTS (SELECT) OR NOT EXISTS", horizon_within_an_hour),
        ("merge_intervals", r"old\.user_keys \|\| new.*?new\.ends\)", "new.user_keys, new.starts, new.ends)", shrunk),
        ("mark_new_time", r"WHERE s\.kind = 0", "WHERE false AND s.kind = 0", only_intervals),
        (
            "roll_up_cells",
            r"CASE WHEN count\(\*\) = 1 THEN min\(d\.device_key\) END",
            "min(d.device_key)",
            worn_elsewhere,
        ),
        (
            "set_device",
            r"r\.steps IS NOT NULL AND after\.steps_rank <> before\.steps_rank",
            "r.steps IS NOT NULL AND after.priority <> before.priority",
            new_priority_of_a_metric,
        ),
        ("delete_readings", r"PERFORM api_internal\.mark_cells.*?;", "NULL;", deleted),
        ("mark_cells", r"i\.ends_at - INTERVAL '1 microsecond'\)", "i.ts)", shrunk),
    ],
)
def test_each_step_of_the_rollups_is_needed(
    calm: psycopg.Connection[Any],
    function: str,
    pattern: str,
    replacement: str,
    tell: Callable[[Story], Iterator[None]],
) -> None:
    with mutated(calm, function, pattern, replacement):
        assert goes_wrong(calm, tell)


SAMPLES = """
    SELECT m.*
      FROM api_internal.hold_horizon() AS h
     CROSS JOIN LATERAL api_internal.merge_samples(
       api_internal.enrol_users(%(tenants)s, %(users)s),
       ARRAY(SELECT m.metric_key FROM unnest(%(metrics)s::text[]) WITH ORDINALITY AS n (name, item)
               JOIN core.metric AS m USING (name) ORDER BY n.item),
       api_internal.enrol_devices(%(tenants)s, %(devices)s), %(moments)s::timestamptz[], %(values)s::float8[]) AS m
     WHERE h IS NOT NULL
"""
METRICS = ("distance", "floors")


def other_sums(db: psycopg.Connection[Any], seed: int, metric: str) -> Sums:
    """Store values, intervals and worn windows of a metric; return them for brute force."""
    empty(db)
    sql_client.place_horizon(db, NOON - 10 * DAY)
    one, r = Try(seed), Random(seed)
    grain = GRAIN[metric]
    values = {(r.choice(DEVICES), one.moment()): float(r.randrange(50)) for _ in range(r.choice([1, 10, 60]))}
    parts = [part._replace(metric=metric if part.kind == "interval" else "") for part in one.parts()]
    parts = list({part[:6]: part for part in parts}.values())
    params = {
        "tenants": ["default" for _ in values],
        "users": ["ada" for _ in values],
        "metrics": [metric for _ in values],
        "devices": [device for device, _ in values],
        "moments": [moment(ts) for _, ts in values],
        "values": list(values.values()),
    }
    with db.transaction():
        db.execute(SAMPLES, params)
    sql_client.merge(db, parts)
    return Sums(
        metric,
        ranked(db, metric),
        [Instant(device, ts, micro(value) // grain) for (device, ts), value in values.items()],
        [
            Stretch(part.device, part.ts, part.end, micro(part.value) if grain == 1 else round(part.value), version)
            for version, part in enumerate(parts)
            if part.kind == "interval"
        ],
        [Window(part.device, part.ts, part.end) for part in parts if part.kind == "worn"],
    )


RANKED = """
    SELECT d.device_id
      FROM core.device AS d
      LEFT JOIN core.metric AS m ON m.name = %s
     ORDER BY coalesce((d.metric_priorities ->> m.metric_key::text)::int, d.priority), d.device_key
"""


def ranked(db: psycopg.Connection[Any], metric: str) -> list[str]:
    """Return the devices, the best one for a metric first."""
    return [name for (name,) in db.execute(RANKED, [metric])]


def more_of(db: psycopg.Connection[Any], sums: Sums, seed: int) -> None:
    """Store more intervals and worn windows, some of which replace others."""
    grain = GRAIN[sums.metric]
    parts = [
        part._replace(metric=sums.metric if part.kind == "interval" else "")
        for part in [*Try(seed).parts(), *Try(seed + 1000).parts()]
    ]
    parts = list({part[:6]: part for part in parts}.values())
    outcomes = sql_client.merge(db, parts)
    newest = max((each.version for each in sums.stretches), default=0)
    for version, (part, outcome) in enumerate(zip(parts, outcomes, strict=True), newest + 1):
        if outcome == "unchanged":
            continue
        if part.kind == "worn":
            sums.windows = [each for each in sums.windows if (each.device, each.ts) != (part.device, part.ts)]
            sums.windows.append(Window(part.device, part.ts, part.end))
        else:
            sums.stretches = [each for each in sums.stretches if (each.device, each.ts) != (part.device, part.ts)]
            amount = micro(part.value) if grain == 1 else round(part.value)
            sums.stretches.append(Stretch(part.device, part.ts, part.end, amount, version))
    sums.ranks = ranked(db, sums.metric)


VIEW = "SELECT bucket, total FROM api.metrics_{} WHERE metric = %s"


def wrong_answers(db: psycopg.Connection[Any], sums: Sums, r: Random, devices: list[str | None]) -> list[Any]:
    """Ask for a range of a metric of each device, as a whole and by bucket; return what differs from brute force."""
    found: list[Any] = []
    for device in devices:
        start, end = sorted([NOON + r.randrange(-HOUR, 5 * HOUR) for _ in range(2)])
        asked = ["default", "ada", moment(start), moment(end), [sums.metric]]
        row = db.execute("SELECT total FROM api.metric_summary(%s, %s, %s, %s, %s, %s)", [*asked, device]).fetchone()
        if row != ((right := sums.whole(start, end, device)),):
            found.append((start, end, device, row, right))
        for bucket, tz in (("1m", "UTC"), ("15m", "UTC"), ("1h", "UTC"), ("1d", "Asia/Kathmandu")):
            rows = db.execute(
                "SELECT t, total FROM api.metric_series(%s, %s, %s, %s, %s, %s, %s, 1, %s)",
                [*asked, bucket, tz, device],
            ).fetchall()
            got = {micros(t): total for t, total in rows}
            if got != sums.series(start, end, bucket, tz, device):
                found.append((start, end, bucket, device, got))
    return found


def wrong_views(db: psycopg.Connection[Any], sums: Sums) -> list[Any]:
    """Read the views of a metric; return what differs from brute force."""
    found: list[Any] = []
    for bucket in ("15m", "1h", "1d"):
        rows = db.execute(VIEW.format(bucket).encode(), [sums.metric]).fetchall()
        if sorted((micros(t), total) for t, total in rows) != sorted(
            sums.series(NOON - 3 * DAY, NOON + 3 * DAY, bucket, "UTC", None).items()
        ):
            found.append((bucket, rows))
    return found


@pytest.mark.parametrize("metric", METRICS)
def test_other_sums_follow_the_rule_in_rollups(calm: psycopg.Connection[Any], metric: str) -> None:
    for seed in range(FIRST, FIRST + FEW):
        sums, r = other_sums(calm, seed, metric), Random(seed)

        def wrong(sums: Sums = sums, r: Random = r) -> list[Any]:
            # Other ranges each time, and another device.
            return wrong_answers(calm, sums, r, [None, r.choice(sums.ranks)]) + wrong_views(calm, sums)

        for horizon in (NOON + 2 * HOUR + 30 * MINUTE, NOON + 4 * HOUR, NOON + 3 * DAY, NOON + 3 * DAY):
            sql_client.refresh(calm, horizon)
            assert wrong() == [], (seed, horizon)
            more_of(calm, sums, seed + horizon % 97)
            assert wrong() == [], (seed, horizon)
        for priority, metrics in ((1, {}), (None, {metric: 0, "steps": 5}), (0, {metric: 900})):
            sql_client.set_priority(calm, "default", "phone", priority, metrics)
            sums.ranks = ranked(calm, metric)
            assert wrong() == [], seed
            sql_client.refresh(calm, horizon)
        assert wrong() == [], seed
        assert sql_client.drift(calm, NOON - 5 * DAY, NOON + 5 * DAY) == []


@pytest.mark.parametrize("metric", METRICS)
def test_other_sums_follow_the_rule(calm: psycopg.Connection[Any], metric: str) -> None:
    for seed in range(FIRST, FIRST + 4 * FEW):
        sums = other_sums(calm, seed, metric)
        assert wrong_answers(calm, sums, Random(seed), [None, None, None, *sums.ranks]) == [], seed


def test_of_an_interval_of_a_single_device_each_hour_has_its_share(calm: psycopg.Connection[Any]) -> None:
    sql_client.place_horizon(calm, NOON - DAY)
    begins = NOON - 20 * MINUTE
    sql_client.merge(calm, [Part("default", "ada", "phone", "interval", "distance", begins, NOON + 2 * HOUR, 140.0)])
    found = []
    for start, end in ((NOON - HOUR, NOON), (NOON, NOON + HOUR), (NOON + HOUR, NOON + 2 * HOUR)):
        asked = ["default", "ada", moment(start), moment(end), ["distance"]]
        found.append(calm.execute("SELECT total FROM api.metric_summary(%s, %s, %s, %s, %s)", asked).fetchone())
    assert found == [(20.0,), (60.0,), (60.0,)]


def test_daily_totals_of_other_sums_count_where_there_is_nothing_finer(calm: psycopg.Connection[Any]) -> None:
    day = NOON - 12 * HOUR
    total = Part("default", "ada", "phone", "daily_total", "distance", day, day + DAY, 5000.5)
    sql_client.merge(calm, [total, total._replace(ts=day + DAY, end=day + 2 * DAY)])
    sql_client.merge(calm, [total._replace(kind="interval", ts=day + DAY, end=day + DAY + HOUR, value=3.0)])
    asked = ["default", "ada", moment(day - DAY), moment(day + 3 * DAY), ["distance"]]
    series = "SELECT t, total FROM api.metric_series(%s, %s, %s, %s, %s, '1d', 'UTC')"
    assert calm.execute(series, asked).fetchall() == [(moment(day), 5000.5), (moment(day + DAY), 3.0)]
    row = calm.execute("SELECT total FROM api.metric_summary(%s, %s, %s, %s, %s)", asked).fetchone()
    assert row == (5003.5,)
    assert calm.execute("SELECT metric, value FROM api.latest_samples('default', 'ada')").fetchall() == [
        ("distance", 3.0)
    ]


def test_a_summary_says_that_a_daily_total_counts(calm: psycopg.Connection[Any]) -> None:
    day = NOON - 12 * HOUR
    sql_client.merge(calm, [Part("default", "ada", "phone", "daily_total", "steps", day, day + DAY, 9000.0)])
    assert "daily_total" in sql_client.sources(calm, "default", "ada", day, day + DAY)
    assert "daily_total" not in sql_client.sources(calm, "default", "ada", day + 1, day + 2 * DAY)
