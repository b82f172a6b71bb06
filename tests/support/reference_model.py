"""What every question must be answered with, worked out by brute force over the readings that were sent.

No SQL and nothing shared with the product. A moment is a whole number of microseconds since 1970, UTC; heart rates
and calories are added up in whole millionths, as the documents promise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from tests.support.interval_model import Instant, Piece, Stretch, Total, Window, counting, hours_of, overlap, resolve

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
FIXED = {"1m": MINUTE, "5m": 5 * MINUTE, "15m": 15 * MINUTE, "1h": HOUR}
LADDER = [*FIXED.items(), ("1d", DAY), ("1w", 7 * DAY)]
SUMS = ("steps", "calories")
PRIORITIES = {"device_a": 1, "device_b": 2}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

FOR_EVER = 2**62  # a moment after every reading


class Item(NamedTuple):
    """One reading as it is sent."""

    tenant: str
    user: str
    device: str
    ts: int
    heart_rate: float | None
    steps: int | None
    calories: float | None


class Part(NamedTuple):
    """An interval, a worn window or a daily total as it is sent; the last two are not of the kind interval."""

    tenant: str
    user: str
    device: str
    kind: str
    metric: str
    ts: int
    end: int
    value: float


class Values(NamedTuple):
    """What is stored for one identity."""

    heart_rate: float | None
    steps: int | None
    calories: float | None


class Found(NamedTuple):
    """A reading of one user, with the device it came from."""

    ts: int
    device: str
    values: Values


class Summary(NamedTuple):
    """What a range, or a bucket of one, comes to."""

    heart_rate_count: int
    heart_rate_avg: float | None
    heart_rate_min: float | None
    heart_rate_max: float | None
    steps: int | None
    calories: float | None
    first: int | None
    last: int | None


class Point(NamedTuple):
    """One bucket of a series."""

    t: int
    heart_rate_count: int
    heart_rate_avg: float | None
    heart_rate_min: float | None
    heart_rate_max: float | None
    heart_rate_device: str | None
    steps: int | None
    calories: float | None


class Minute(NamedTuple):
    """One minute: sums of heart rate and calories in millionths."""

    bucket: int
    first_ts: int
    last_ts: int
    heart_rate_sum: int | None
    heart_rate_count: int
    heart_rate_min: float | None
    heart_rate_max: float | None
    calories: int | None
    steps: int | None
    heart_rate_device: str | None


class Wear(NamedTuple):
    """Minutes with a heart rate, and the lowest average of a quarter of an hour that has three of them."""

    minutes: int
    resting_heart_rate: float | None


class Vitals(NamedTuple):
    """One row of the views api.vitals: a bucket of UTC."""

    bucket: int
    heart_rate_device: str | None
    values: Summary
    wear: Wear | None


class LocalDay(NamedTuple):
    """One row of api.daily: a day of a user in a time zone, from its first moment to the one after it."""

    user: str
    day: date
    start: int
    end: int
    values: Summary
    wear: Wear


class Happening(NamedTuple):
    """One event as it is sent."""

    tenant: str
    event_id: str
    source: str
    event_type: str
    ts: int


class Count(NamedTuple):
    """How many events of a kind happened in a bucket of UTC."""

    bucket: int
    source: str
    event_type: str
    count: int


class Latest(NamedTuple):
    """A metric's latest value."""

    metric: str
    value: float | None
    ts: int
    device: str


@dataclass
class Device:
    """What ranks a device: the smaller priority, that of a metric if it has one, then whoever was registered first."""

    priority: int
    registered: int
    metrics: dict[str, int] = field(default_factory=dict)


class Sent(NamedTuple):
    """What is stored of an interval, a worn window or a daily total."""

    end: int
    value: float
    version: int


@dataclass
class Model:
    """Every reading and event sent, and every device known."""

    readings: dict[tuple[str, str], dict[tuple[str, int], Values]] = field(default_factory=dict)
    devices: dict[tuple[str, str], Device] = field(default_factory=dict)
    events: dict[tuple[str, str], Happening] = field(default_factory=dict)
    parts: dict[tuple[str, str], dict[tuple[str, str, str, int], Sent]] = field(default_factory=dict)
    version: int = 0

    def copy(self) -> Model:
        """Return a model that later changes of this one do not touch."""
        readings = {who: dict(stored) for who, stored in self.readings.items()}
        devices = {name: replace(device, metrics=device.metrics.copy()) for name, device in self.devices.items()}
        parts = {who: dict(stored) for who, stored in self.parts.items()}
        return Model(readings, devices, self.events.copy(), parts, self.version)

    def enrol(self, tenant: str, device: str) -> Device:
        known = Device(PRIORITIES.get(device, 999), len(self.devices))
        return self.devices.setdefault((tenant, device), known)

    def write(self, items: Iterable[Item]) -> list[str]:
        """Store readings; return for each whether it was inserted, updated or unchanged."""
        outcomes = []
        for item in items:
            self.enrol(item.tenant, item.device)
            stored = self.readings.setdefault((item.tenant, item.user), {})
            old = stored.get((item.device, item.ts))
            new = Values(*item[4:])
            if old is not None:
                new = Values(*(was if sent is None else sent for was, sent in zip(old, new, strict=True)))
            outcomes.append("inserted" if old is None else "unchanged" if old == new else "updated")
            stored[item.device, item.ts] = new
        return outcomes

    def merge(self, parts: Iterable[Part]) -> list[str]:
        """Store intervals, worn windows and daily totals of which no two have one identity."""
        outcomes = []
        for part in parts:
            self.enrol(part.tenant, part.device)
            self.readings.setdefault((part.tenant, part.user), {})
            stored = self.parts.setdefault((part.tenant, part.user), {})
            worn = part.kind == "worn"
            key = (part.kind, "" if worn else part.metric, part.device, part.ts)
            value = 0 if worn else part.value
            old = stored.get(key)
            if old is not None and (old.end, old.value) == (part.end, value):
                outcomes.append("unchanged")
                continue
            self.version += 1
            stored[key] = Sent(part.end, value, self.version)
            outcomes.append("inserted" if old is None else "updated")
        return outcomes

    def happen(self, events: Iterable[Happening]) -> list[bool]:
        """Store events; return for each whether it is the first of its id."""
        return [self.events.setdefault(event[:2], event) is event for event in events]

    def counts(
        self,
        tenant: str,
        start: int,
        end: int,
        bucket: str,
        source: str | None = None,
        event_type: str | None = None,
    ) -> list[Count]:
        """Count a tenant's events in start <= t < end, of one source or type or of all, by bucket, source and type."""
        width = dict(LADDER)[bucket]
        kinds = Counter(
            (event.ts // width * width, event.source, event.event_type)
            for event in self.events.values()
            if event.tenant == tenant
            and start <= event.ts < end
            and source in (None, event.source)
            and event_type in (None, event.event_type)
        )
        return [Count(*kind, count) for kind, count in sorted(kinds.items())]

    def update(self, item: Item) -> None:
        """Replace all metrics of a reading that is there."""
        stored = self.readings.get((item.tenant, item.user), {})
        if (item.device, item.ts) in stored:
            stored[item.device, item.ts] = Values(*item[4:])

    def delete(
        self, tenant: str, user: str, start: int, end: int, device: str | None, intervals: bool = False
    ) -> tuple[int, int, int | None, int | None]:
        """Forget a user's readings of a range, and intervals; return how many, the first and the last moment."""
        stored = self.readings.get((tenant, user), {})
        going = [(name, ts) for name, ts in stored if start <= ts < end and device in (None, name)]
        for key in going:
            del stored[key]
        moments = [ts for _, ts in going]
        sent = self.parts.get((tenant, user), {})
        parts = [key for key in sent if intervals and start <= key[3] < end and device in (None, key[2])]
        for key in parts:
            del sent[key]
        moments += [key[3] for key in parts]
        return len(going), len(parts), min(moments, default=None), max(moments, default=None)

    def erase(self, tenant: str, user: str) -> int:
        """Forget a user; return how many readings go."""
        self.parts.pop((tenant, user), None)
        return len(self.readings.pop((tenant, user), {}))

    def seen(self, tenant: str, now: int = FOR_EVER) -> list[tuple[str, int | None]]:
        """Return every user of a tenant, by name, and the moment of the latest reading."""
        users = [(user, stored) for (of, user), stored in self.readings.items() if of == tenant]
        return sorted((user, max(self.seen_at(tenant, user, stored, now), default=None)) for user, stored in users)

    def seen_at(self, tenant: str, user: str, stored: Iterable[tuple[str, int]], now: int) -> Iterator[int]:
        """Yield moments at which a user was seen: an interval is seen when it begins and in each minute it covers."""
        yield from (ts for _, ts in stored if ts <= now)
        for (kind, _, _, ts), each in self.parts.get((tenant, user), {}).items():
            if kind == "interval" and ts <= now:
                yield max(ts, min((each.end - 1) // MINUTE * MINUTE, now // MINUTE * MINUTE))

    def set_priority(
        self, tenant: str, device: str, priority: int | None, metrics: Mapping[str, int | None] | None = None
    ) -> None:
        """Give a device another priority, and priorities of metrics, or take these away."""
        known = self.enrol(tenant, device)
        known.priority = known.priority if priority is None else priority
        for metric, its in (metrics or {}).items():
            known.metrics.pop(metric, None)
            if its is not None:
                known.metrics[metric] = its

    def rank(self, tenant: str, device: str, metric: str | None = None) -> tuple[int, int]:
        """Return how a device ranks for a metric, or for none."""
        known = self.devices[tenant, device]
        return known.metrics.get(metric or "", known.priority), known.registered

    def found(self, tenant: str, user: str, start: int, end: int, device: str | None = None) -> list[Found]:
        """Return what was measured in start <= t < end, by everyone or by one device, in the order of time."""
        stored = self.readings.get((tenant, user), {})
        return sorted(
            Found(ts, name, values)
            for (name, ts), values in stored.items()
            if start <= ts < end and device in (None, name)
        )

    def minutes(self, tenant: str, user: str, start: int, end: int, device: str | None = None) -> list[Minute]:
        """Return the minutes of a range: for each metric the values of the best device that reported it."""
        groups: dict[int, list[Found]] = {}
        for found in self.found(tenant, user, start, end, device):
            groups.setdefault(found.ts // MINUTE * MINUTE, []).append(found)
        minutes = {bucket: self.minute(tenant, bucket, group) for bucket, group in groups.items()}
        for metric in SUMS:
            self.count_intervals(minutes, tenant, user, start, end, device, metric)
        return [minute for _, minute in sorted(minutes.items())]

    def count_intervals(
        self,
        minutes: dict[int, Minute],
        tenant: str,
        user: str,
        start: int,
        end: int,
        device: str | None,
        metric: str,
    ) -> None:
        """Put what a metric comes to into the minutes of the hours that intervals of it, or worn windows, touch."""
        for _, pieces in self.hours(tenant, user, start, end, device, metric):
            groups: dict[int, list[Piece]] = {}
            for piece in pieces:
                if part := piece.cut(start, end):
                    groups.setdefault(part.minute, []).append(part)
            for bucket, group in groups.items():
                first, last = min(each.start for each in group), max(each.start for each in group)
                known = minutes.get(bucket, Minute(bucket, first, last, None, 0, None, None, None, None, None))
                minutes[bucket] = known._replace(
                    first_ts=min(known.first_ts, first),
                    last_ts=max(known.last_ts, last),
                    **{metric: sum(each.amount for each in group)},
                )

    def hours(
        self, tenant: str, user: str, start: int, end: int, device: str | None, metric: str
    ) -> Iterator[tuple[int, list[Piece]]]:
        """Yield the hours of a range that intervals of a metric, or worn windows, touch, each resolved as a whole."""
        sent = self.parts.get((tenant, user), {})
        if not sent or start >= end:
            return
        near = start // HOUR * HOUR, -(-end // HOUR) * HOUR
        stretches = [
            Stretch(name, ts, each.end, least(metric, each.value), each.version)
            for (kind, of, name, ts), each in sent.items()
            if kind == "interval" and of == metric and device in (None, name) and overlap(ts, each.end, *near)
        ]
        windows = [
            Window(name, ts, each.end)
            for (kind, _, name, ts), each in sent.items()
            if kind == "worn" and device is None and overlap(ts, each.end, *near)
        ]
        cells = sorted({cell for each in [*stretches, *windows] for cell in hours_of(each.ts, each.end)})
        if not cells:
            return
        instants: dict[int, list[Instant]] = {}
        for (name, ts), values in self.readings.get((tenant, user), {}).items():
            value = getattr(values, metric)
            if value is not None and device in (None, name):
                instants.setdefault(ts // HOUR * HOUR, []).append(Instant(name, ts, least(metric, value)))
        for cell in cells:
            if near[0] <= cell < near[1]:
                yield (
                    cell,
                    resolve(
                        cell,
                        instants.get(cell, []),
                        stretches,
                        windows,
                        lambda name: self.rank(tenant, name, metric),
                    ),
                )

    def minute(self, tenant: str, bucket: int, group: list[Found]) -> Minute:
        rates, best = self.winner(tenant, group, "heart_rate")
        steps, _ = self.winner(tenant, group, "steps")
        calories, _ = self.winner(tenant, group, "calories")
        return Minute(
            bucket,
            min(found.ts for found in group),
            max(found.ts for found in group),
            sum(map(micro, rates)) if rates else None,
            len(rates),
            min(rates, default=None),
            max(rates, default=None),
            sum(map(micro, calories)) if calories else None,
            int(sum(steps)) if steps else None,
            best,
        )

    def winner(self, tenant: str, group: list[Found], metric: str) -> tuple[list[float], str | None]:
        """Return a metric's values of the best device that reported it, and that device."""
        measured = [(found.device, getattr(found.values, metric)) for found in group]
        devices = {device for device, value in measured if value is not None}
        if not devices:
            return [], None
        best = min(devices, key=lambda device: self.rank(tenant, device, metric))
        return [value for device, value in measured if device == best and value is not None], best

    def summary(self, tenant: str, user: str, start: int, end: int, device: str | None = None) -> Summary:
        return total(
            self.minutes(tenant, user, start, end, device) + self.daily_totals(tenant, user, start, end, device)
        )

    def daily_totals(
        self, tenant: str, user: str, start: int, end: int, device: str | None = None, bucket: str = "", tz: str = ""
    ) -> list[Minute]:
        """Return the daily totals that count in a range, as minutes; with a bucket those that lie in one as a whole."""
        sent = self.parts.get((tenant, user), {})
        readings = self.readings.get((tenant, user), {})
        answer = []
        for metric in SUMS:
            totals = [
                Total(name, ts, each.end, least(metric, each.value), each.version)
                for (kind, of, name, ts), each in sent.items()
                if (kind, of) == ("daily_total", metric)
            ]
            stretches = [
                Stretch(name, ts, each.end, 0, each.version)
                for (kind, of, name, ts), each in sent.items()
                if (kind, of) == ("interval", metric)
            ]
            instants = [
                Instant(name, ts, 0) for (name, ts), values in readings.items() if getattr(values, metric) is not None
            ]
            for one in counting(
                totals, instants, stretches, device, lambda name, of=metric: self.rank(tenant, name, of)
            ):
                is_inside = start <= one.ts < one.end <= end
                if is_inside and (
                    not bucket or bucket_start(one.ts, bucket, tz) == bucket_start(one.end - 1, bucket, tz)
                ):
                    minute = Minute(one.ts, one.ts, one.ts, None, 0, None, None, None, None, None)
                    answer.append(minute._replace(**{metric: one.amount}))
        return answer

    def series(
        self, tenant: str, user: str, start: int, end: int, bucket: str, tz: str, device: str | None = None
    ) -> list[Point]:
        """Return the buckets that hold a reading, or with bucket raw the readings; `bucket` is not auto."""
        if bucket == "raw":
            everything = [(each.ts, each) for each in self.found(tenant, user, start, end, device)]
            everything += self.begun(tenant, user, start, end, device)
            everything.sort(key=lambda one: (one[1].ts, self.devices[tenant, one[1].device].registered, one[0]))
            return [raw_point(found) for _, found in everything]
        groups: dict[int, list[Minute]] = {}
        for minute in self.minutes(tenant, user, start, end, device):
            groups.setdefault(bucket_start(minute.bucket, bucket, tz), []).append(minute)
        if bucket in ("1d", "1w", "1mo"):
            for minute in self.daily_totals(tenant, user, start, end, device, bucket, tz):
                groups.setdefault(bucket_start(minute.bucket, bucket, tz), []).append(minute)
        points = []
        for t, group in sorted(groups.items()):
            whole = total(group)
            points.append(Point(t, *whole[:4], only_device(group), whole.steps, whole.calories))
        return points

    def begun(self, tenant: str, user: str, start: int, end: int, device: str | None) -> list[tuple[int, Found]]:
        """Return the intervals of steps and calories that begin in a range, by their ends, as readings."""
        rows: dict[tuple[int, str, int], dict[str, float]] = {}
        for (kind, metric, name, ts), each in self.parts.get((tenant, user), {}).items():
            if kind == "interval" and metric in SUMS and start <= ts < end and device in (None, name):
                rows.setdefault((ts, name, each.end), {})[metric] = each.value
        return [
            (finish, Found(ts, name, Values(None, maybe_whole(values.get("steps")), values.get("calories"))))
            for (ts, name, finish), values in rows.items()
        ]

    def filled(self, points: list[Point], start: int, end: int, bucket: str, tz: str) -> list[Point]:
        """Put an empty point into each bucket of a range that has none."""
        known = {point.t: point for point in points}
        step = min(FIXED.get(bucket, DAY), 15 * MINUTE)
        every = {bucket_start(ts, bucket, tz) for ts in [*range(start, end, step), max(start, end - 1)] if ts < end}
        return [known.get(t, Point(t, 0, None, None, None, None, None, None)) for t in sorted(every)]

    def vitals(self, tenant: str, user: str, start: int, end: int, bucket: str) -> list[Vitals]:
        """Return the buckets, of UTC, that start in start <= t < end and hold a reading; whole, whatever the range."""
        width = dict(LADDER)[bucket]
        start, end = -(-start // width) * width, -(-end // width) * width
        groups: dict[int, list[Minute]] = {}
        for minute in self.minutes(tenant, user, start, end):
            groups.setdefault(minute.bucket // width * width, []).append(minute)
        return [
            Vitals(t, only_device(group), total(group), None if bucket == "1m" else wear(group))
            for t, group in sorted(groups.items())
        ]

    def daily(self, tenant: str, first: date, after: date, tz: str) -> list[LocalDay]:
        """Return a tenant's users by local day, those in first <= day < after on which a reading was taken."""
        start, end = period_start(first, "1d", tz), period_start(after, "1d", tz)
        answer = []
        for user in sorted(user for of, user in self.readings if of == tenant):
            groups: dict[date, list[Minute]] = {}
            for minute in self.minutes(tenant, user, start, end) + self.daily_totals(
                tenant, user, start, end, None, "1d", tz
            ):
                groups.setdefault(local_day(minute.bucket, tz), []).append(minute)
            for day, group in sorted(groups.items()):
                bounds = [period_start(each, "1d", tz) for each in (day, day + timedelta(days=1))]
                answer.append(LocalDay(user, day, *bounds, total(group), wear(group)))
        return answer

    def latest(self, tenant: str, user: str, now: int = FOR_EVER) -> list[Latest]:
        """Return each metric ever measured with its latest value as of now; at one moment the best device's.

        What lies after now is one more metric, without a value, of which the last one counts.
        """
        stored = self.readings.get((tenant, user), {})
        sent = self.parts.get((tenant, user), {})
        later = [(-ts, self.rank(tenant, device), device) for device, ts in stored if ts > now]
        later += [
            (-ts, self.rank(tenant, device), device)
            for kind, metric, device, ts in sent
            if kind == "interval" and metric in SUMS and ts > now
        ]
        answer = [Latest("ahead", None, -min(later)[0], min(later)[2])] if later else []
        for metric in ("calories", "heart_rate", "steps"):
            candidates = [
                (-ts, self.rank(tenant, device, metric), 0, device, getattr(values, metric))
                for (device, ts), values in stored.items()
                if getattr(values, metric) is not None and ts <= now
            ]
            candidates += [
                (-ts, self.rank(tenant, device, metric), 1, device, each.value)
                for (kind, of, device, ts), each in sent.items()
                if kind == "interval" and of == metric and ts <= now
            ]
            if candidates:
                negative, _, _, device, value = min(candidates)
                answer.append(Latest(metric, value, -negative, device))
        return answer


def maybe_whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def least(metric: str, value: float) -> int:
    """Return a value of a sum in the metric's least unit."""
    return round(value) if metric == "steps" else micro(value)


def micro(value: float) -> int:
    """Return a value in whole millionths."""
    return round(value * 1e6)


def only_device(minutes: list[Minute]) -> str | None:
    """Return the device that gave all heart rates, if a single one did."""
    devices = {minute.heart_rate_device for minute in minutes if minute.heart_rate_device is not None}
    return devices.pop() if len(devices) == 1 else None


def total(minutes: list[Minute]) -> Summary:
    """Add minutes up; the average is one division of whole numbers, which Python rounds correctly."""
    rates = [minute for minute in minutes if minute.heart_rate_count]
    count = sum(minute.heart_rate_count for minute in rates)
    steps = [minute.steps for minute in minutes if minute.steps is not None]
    calories = [minute.calories for minute in minutes if minute.calories is not None]
    return Summary(
        count,
        sum(minute.heart_rate_sum or 0 for minute in rates) / (count * 10**6) if count else None,
        min((minute.heart_rate_min for minute in rates if minute.heart_rate_min is not None), default=None),
        max((minute.heart_rate_max for minute in rates if minute.heart_rate_max is not None), default=None),
        sum(steps) if steps else None,
        sum(calories) / 10**6 if calories else None,
        min((minute.first_ts for minute in minutes), default=None),
        max((minute.last_ts for minute in minutes), default=None),
    )


def wear(minutes: list[Minute]) -> Wear:
    """Count the minutes with a heart rate; only quarters of an hour with three of them count for the resting one."""
    worn = [minute for minute in minutes if minute.heart_rate_count]
    quarters: dict[int, list[Minute]] = {}
    for minute in worn:
        quarters.setdefault(minute.bucket // (15 * MINUTE), []).append(minute)
    averages = (total(quarter).heart_rate_avg for quarter in quarters.values() if len(quarter) >= 3)
    return Wear(len(worn), min((average for average in averages if average is not None), default=None))


def raw_point(found: Found) -> Point:
    rate = found.values.heart_rate
    count = 0 if rate is None else 1
    return Point(found.ts, count, rate, rate, rate, found.device, found.values.steps, found.values.calories)


def auto_bucket(start: int, end: int, max_points: int) -> str:
    """Return the finest bucket of which at most so many make up the range."""
    return next((name for name, width in LADDER if end - start <= width * max_points), "1mo")


def bucket_start(ts: int, bucket: str, tz: str) -> int:
    """Return the first instant of the bucket that a moment lies in."""
    if bucket in FIXED:
        return ts // FIXED[bucket] * FIXED[bucket]
    return period_start(local_day(ts, tz), bucket, tz)


def local_day(ts: int, tz: str) -> date:
    return moment(ts).astimezone(ZoneInfo(tz)).date()


@cache
def period_start(day: date, bucket: str, tz: str) -> int:
    """Return the first instant of the local day, week from Monday, or month that a local day lies in."""
    if bucket == "1w":
        day -= timedelta(days=day.weekday())
    elif bucket == "1mo":
        day = day.replace(day=1)
    guess = micros(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(tz)))
    if local_day(guess - 1, tz) < day <= local_day(guess, tz):
        return guess
    # Midnight is left out, or lies in a stretch that the clocks go through twice.
    low, high = guess - 26 * HOUR, guess + 26 * HOUR
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if local_day(middle, tz) < day else (low, middle)
    return high


def moment(ts: int) -> datetime:
    return EPOCH + timedelta(microseconds=ts)


def micros(when: datetime) -> int:
    return (when - EPOCH) // timedelta(microseconds=1)


def borders(start: int, end: int, tz: str) -> Iterator[int]:
    """Yield the local midnights of a range, as instants."""
    day = local_day(start, tz)
    while (instant := period_start(day, "1d", tz)) < end:
        yield instant
        day += timedelta(days=1)
