"""The reports answer the question in their first line: as brute force over the readings of the better device does."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import psycopg
import pytest

from tests.sql.people import REPORTS, fill

MAY_BE_EMPTY = {"silent_users", "unusual_days"}
QUARTER = timedelta(minutes=15)
HOUR = timedelta(hours=1)
BERLIN = ZoneInfo("Europe/Berlin")
HOMES = {"one": ZoneInfo("Asia/Kathmandu"), "two": ZoneInfo("UTC")}  # of the users
ZONES = [(0, 60), (60, 100), (100, 140), (140, 999)]  # of heart rates
Rows = list[tuple[Any, ...]]


class Reading(NamedTuple):
    """A minute of a user: in these histories the better device has one reading in each of its minutes."""

    tenant: str
    ts: datetime
    heart_rate: float
    steps: int
    calories: float


class Day(NamedTuple):
    """A tenant's user on a day."""

    tenant: str
    day: date
    readings: list[Reading]


def test_the_reports_answer(db: psycopg.Connection[Any], subtests: pytest.Subtests) -> None:
    """All in one transaction, in which now() stands still: what is there takes a while to write."""
    fill(db)
    db.execute("SELECT api.set_time_zone('one', '101', 'Asia/Kathmandu')")
    with db.transaction(force_rollback=True):
        there = everything(db)
        for report in REPORTS:
            with subtests.test(report.stem):
                judge(report, db.execute(report.read_bytes()).fetchall(), *there)


def judge(report: Path, rows: Rows, readings: list[Reading], now: datetime) -> None:
    """Compare what a report answers with brute force, where that is written down."""
    lines = report.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("-- ")
    assert lines[0].endswith("?")
    assert rows or report.stem in MAY_BE_EMPTY
    if report.stem in BRUTE_FORCE:
        found = [tuple(float(value) if isinstance(value, Decimal) else value for value in row) for row in rows]
        assert found == BRUTE_FORCE[report.stem](readings, now)


def test_there_are_ten() -> None:
    assert len(REPORTS) >= 10


def everything(db: psycopg.Connection[Any]) -> tuple[list[Reading], datetime]:
    """Read all readings of the better device, and the moment that the reports take for now."""
    rows = db.execute(
        "SELECT tenant_id, ts, heart_rate, steps, calories FROM api.readings WHERE device_id = 'device_a' ORDER BY ts"
    ).fetchall()
    row = db.execute("SELECT now()").fetchone()
    assert row is not None
    return [Reading(tenant, ts.astimezone(UTC), *rest) for tenant, ts, *rest in rows], row[0].astimezone(UTC)


def days(readings: Iterable[Reading], now: datetime, last: int, zone: ZoneInfo | None = None) -> list[Day]:
    """Group the last so many whole days."""
    today = now.astimezone(zone or UTC).date()
    found: dict[tuple[str, date], list[Reading]] = defaultdict(list)
    for reading in readings:
        found[reading.tenant, reading.ts.astimezone(zone or UTC).date()].append(reading)
    return [
        Day(tenant, day, group)
        for (tenant, day), group in sorted(found.items())
        if today - timedelta(days=last) <= day < today
    ]


def resting(readings: Iterable[Reading]) -> float | None:
    quarters = defaultdict(list)
    for reading in readings:
        quarters[reading.ts - (reading.ts - datetime.min.replace(tzinfo=UTC)) % QUARTER].append(reading.heart_rate)
    return min((statistics.fmean(group) for group in quarters.values() if len(group) >= 3), default=None)


def rounded(value: float | None) -> Any:
    return None if value is None else pytest.approx(value, abs=0.05001)


def resting_heart_rate(readings: list[Reading], now: datetime) -> Rows:
    of_days = [(day, resting(day.readings)) for day in days(readings, now, 7)]
    return [(d.tenant, "101", d.day, rounded(rate), len(d.readings)) for d, rate in of_days if rate is not None]


def wear_time(readings: list[Reading], now: datetime) -> Rows:
    return [(d.tenant, "101", d.day, len(d.readings), len(d.readings) >= 600) for d in days(readings, now, 7)]


def week_by_day(readings: list[Reading], now: datetime) -> Rows:
    return [
        (
            d.tenant,
            "101",
            d.day,
            sum(r.steps for r in d.readings),
            rounded(sum(r.calories for r in d.readings)),
            rounded(statistics.fmean(r.heart_rate for r in d.readings)),
            len(d.readings),
        )
        for d in days(readings, now, 7, BERLIN)
    ]


def most_active_days(readings: list[Reading], now: datetime) -> Rows:
    answer = []
    for tenant in ("one", "two"):
        of_tenant = [d for d in days(readings, now, 30) if d.tenant == tenant]
        best = sorted(of_tenant, key=lambda d: (-sum(r.steps for r in d.readings), d.day))[:10]
        answer += [
            (tenant, n, "101", d.day, sum(r.steps for r in d.readings), rounded(sum(r.calories for r in d.readings)))
            for n, d in enumerate(best, 1)
        ]
    return answer


def last_24_hours(readings: list[Reading], now: datetime) -> Iterator[tuple[str, list[float]]]:
    for tenant in ("one", "two"):
        recent = [
            r for r in readings if r.tenant == tenant and r.ts.replace(second=0, microsecond=0) >= now - 24 * HOUR
        ]
        yield tenant, [r.heart_rate for r in recent]


def heart_rate_zones(readings: list[Reading], now: datetime) -> Rows:
    return [
        (tenant, "101", *(sum(low <= rate < high for rate in rates) for low, high in ZONES))
        for tenant, rates in last_24_hours(readings, now)
    ]


def heart_rate_percentiles(readings: list[Reading], now: datetime) -> Rows:
    return [
        (tenant, "101", rounded(statistics.median(rates)), rounded(percentile(rates, 0.95)), len(rates))
        for tenant, rates in last_24_hours(readings, now)
    ]


def days_at_home(readings: list[Reading], now: datetime, last: int) -> list[Day]:
    """Group the last so many whole days, as the clocks of each user show them."""
    return [day for tenant, zone in HOMES.items() for day in days(readings, now, last, zone) if day.tenant == tenant]


def heart_rate_days(readings: list[Reading], now: datetime) -> Rows:
    answer = []
    for day in days_at_home(readings, now, 7):
        rates = [r.heart_rate for r in day.readings]
        figures = [rounded(percentile(rates, fraction)) for fraction in (0.05, 0.5, 0.95)]
        minutes = [sum(low <= rate < high for rate in rates) for low, high in ZONES]
        answer.append((day.tenant, "101", day.day, *figures, *minutes))
    return answer


def hours_of_the_week(readings: list[Reading], now: datetime) -> Rows:
    found: dict[tuple[str, int, int], int] = defaultdict(int)
    for day in days_at_home(readings, now, 28):
        for reading in day.readings:
            local = reading.ts.astimezone(HOMES[day.tenant])
            found[day.tenant, local.isoweekday(), local.hour] += reading.steps
    return [(tenant, "101", weekday, hour, steps) for (tenant, weekday, hour), steps in sorted(found.items())]


def percentile(values: list[float], fraction: float) -> float:
    """Interpolate between the two values that stand beside the place, as percentile_cont does."""
    place = fraction * (len(values) - 1)
    low, high = sorted(values)[int(place)], sorted(values)[min(int(place) + 1, len(values) - 1)]
    return low + (high - low) * (place - int(place))


def longest_gap(readings: list[Reading], now: datetime) -> Rows:
    answer = []
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    for tenant in ("one", "two"):
        moments = [r.ts for r in readings if r.tenant == tenant and r.ts >= midnight - timedelta(days=7)]
        gaps = zip(moments, [*moments[1:], now], [*(False for _ in moments[1:]), True], strict=True)
        start, end, going_on = max(gaps, key=lambda gap: (gap[1] - gap[0], -gap[0].timestamp()))
        answer.append((tenant, "101", start, end, end - start, going_on))
    return answer


def by_hour(
    readings: list[Reading], now: datetime, last: int, label: Callable[[Reading], Any]
) -> dict[Any, list[Reading]]:
    found = defaultdict(list)
    for day in days(readings, now, last):
        for reading in day.readings:
            found[label(reading)].append(reading)
    return dict(sorted(found.items()))


def heatmap(readings: list[Reading], now: datetime) -> Rows:
    cells = by_hour(readings, now, 28, lambda r: (r.tenant, r.ts.isoweekday(), r.ts.hour))
    return [(*cell, sum(r.steps for r in group)) for cell, group in cells.items()]


def when_people_move(readings: list[Reading], now: datetime) -> Rows:
    hours = by_hour(readings, now, 30, lambda r: (r.tenant, r.ts.hour))
    return [
        (*hour, sum(r.steps for r in group), rounded(sum(r.steps for r in group) / len({(r.ts.date()) for r in group})))
        for hour, group in hours.items()
    ]


def weekly_goal(readings: list[Reading], now: datetime) -> Rows:
    monday = now.date() - timedelta(days=now.weekday())
    answer = []
    for tenant in ("one", "two"):
        week = (r for r in readings if r.tenant == tenant and monday - timedelta(days=7) <= r.ts.date() < monday)
        done = sum(r.steps for r in week)
        answer.append((tenant, "101", "steps", 150000.0, float(done), done >= 150000))
    return answer


def unusual_days(readings: list[Reading], now: datetime) -> Rows:
    answer = []
    rates = {(d.tenant, d.day): resting(d.readings) for d in days(readings, now, 35)}
    for tenant, day in sorted(rates, key=lambda key: (key[0], -key[1].toordinal())):
        before = [rates.get((tenant, day - timedelta(days=n))) for n in range(1, 29)]
        known = [rate for rate in before if rate is not None]
        rate = rates[tenant, day]
        if day < now.date() - timedelta(days=7) or rate is None or len(known) < 14:
            continue
        mean, spread = statistics.fmean(known), statistics.stdev(known)
        if spread > 0 and abs(rate - mean) > 2 * spread:
            answer.append((tenant, "101", day, rounded(rate), rounded(mean), rounded((rate - mean) / spread)))
    return answer


def cohort_by_hour(readings: list[Reading], now: datetime) -> Rows:
    walked = defaultdict(list)
    for day in days(readings, now, 7):
        walked[day.tenant].append(sum(r.steps for r in day.readings))
    cohorts = {
        tenant: "walks much" if statistics.fmean(steps) >= 8000 else "the rest" for tenant, steps in walked.items()
    }
    answer = []
    for (tenant, cohort, hour), group in by_hour(
        readings, now, 7, lambda r: (r.tenant, cohorts[r.tenant], r.ts.hour)
    ).items():
        of_hours = defaultdict(list)
        for reading in group:
            of_hours[reading.ts.date()].append(reading)
        rates = [statistics.fmean(r.heart_rate for r in each) for each in of_hours.values()]
        steps = [sum(r.steps for r in each) for each in of_hours.values()]
        answer.append((tenant, cohort, hour, 1, rounded(statistics.fmean(rates)), rounded(statistics.fmean(steps))))
    return answer


BRUTE_FORCE: dict[str, Callable[[list[Reading], datetime], Rows]] = {
    function.__name__: function
    for function in (
        cohort_by_hour,
        heart_rate_days,
        heart_rate_percentiles,
        heart_rate_zones,
        heatmap,
        hours_of_the_week,
        longest_gap,
        most_active_days,
        resting_heart_rate,
        unusual_days,
        wear_time,
        week_by_day,
        weekly_goal,
        when_people_move,
    )
}
