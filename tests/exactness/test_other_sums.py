"""Metrics that add up beside steps and calories: the same rule of intervals, worn windows and daily totals."""

from __future__ import annotations

from random import Random
from typing import Any

import psycopg
import pytest

from tests.exactness.extent import FIRST, TRIES
from tests.exactness.tries import DEVICES, Try, ranked
from tests.support import sql_client
from tests.support.answers import micro
from tests.support.database import empty
from tests.support.interleaving import NOON
from tests.support.interval_model import Instant, Stretch, Window
from tests.support.moments import DAY, HOUR, MINUTE, micros, moment
from tests.support.samples import Sample, write_samples
from tests.support.stored import Part
from tests.support.sums import GRAIN, Sums

METRICS = ("distance", "floors")
FEW = max(1, TRIES // 16)
"""Tries of what takes seconds each."""
VIEW = "SELECT bucket, total FROM api.metrics_{} WHERE metric = %s"


def other_sums(db: psycopg.Connection[Any], seed: int, metric: str) -> Sums:
    """Store values, intervals and worn windows of a metric; return them for brute force."""
    empty(db)
    sql_client.place_horizon(db, NOON - 10 * DAY)
    one, r = Try(seed), Random(seed)
    grain = GRAIN[metric]
    values = {(r.choice(DEVICES), one.moment()): float(r.randrange(50)) for _ in range(r.choice([1, 10, 60]))}
    parts = [part._replace(metric=metric if part.kind == "interval" else "") for part in one.parts()]
    parts = list({part[:6]: part for part in parts}.values())
    write_samples(db, "default", [Sample("ada", device, metric, ts, value) for (device, ts), value in values.items()])
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
