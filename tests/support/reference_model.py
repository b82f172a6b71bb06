"""What every question must be answered with, worked out by brute force over the readings that were sent.

No SQL and nothing shared with the product.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from tests.support.answers import (
    Count,
    Found,
    Latest,
    LocalDay,
    Minute,
    Point,
    Summary,
    Vitals,
    micro,
    only_device,
    raw_point,
    total,
    wear,
)
from tests.support.interval_model import Instant, Piece, Stretch, Total, Window, counting, hours_of, overlap, resolve
from tests.support.moments import DAY, FIXED, HOUR, LADDER, MINUTE, bucket_start, local_day, period_start
from tests.support.stored import Stored, Values

SUMS = ("steps", "calories")
FOR_EVER = 2**62  # a moment after every reading


@dataclass
class Model(Stored):
    """What is stored, and the answers to questions about it."""

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
