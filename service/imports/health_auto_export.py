"""Health Auto Export: the JSON that this app for iOS writes to files, and sends to a REST API.

The file does not say how its sums are summed up, which is one setting of the app: that shows in its moments, so they
are read first. Where all sums stand at midnight, they are totals of days, or of weeks, months or years where they stand
at beginnings of these; where all stand at a full hour, they are of hours.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import Any, BinaryIO, Final, NamedTuple

from service.errors import Invalid
from service.imports.adapter import Damaged, Found, ImportContext, Item, Rejected, Sample, Skipped
from service.imports.healthkit import WholeCounts, moment_of, with_unit
from service.imports.json_stream import ANY, place, values_at

MOMENT = "%Y-%m-%d %H:%M:%S %z"
MOST_METRICS = 1_000
FEW_DAYS = 5  # of each metric, by which days are told from longer periods
SUMS: Final = {
    "step_count": "steps",
    "active_energy": "active_energy",
    "basal_energy_burned": "basal_energy",
    "walking_running_distance": "distance",
    "cycling_distance": "distance_cycling",
    "swimming_distance": "distance_swimming",
    "flights_climbed": "floors",
    "apple_exercise_time": "exercise_time",
    "apple_stand_time": "stand_time",
    "time_in_daylight": "daylight",
    "push_count": "wheelchair_pushes",
    "swimming_stroke_count": "swim_strokes",
    "dietary_water": "hydration",
    "dietary_energy": "energy_intake",
}
LEVELS: Final = {
    "heart_rate": "heart_rate",
    "resting_heart_rate": "resting_heart_rate",
    "walking_heart_rate_average": "walking_heart_rate",
    "heart_rate_variability": "hrv_sdnn",
    "blood_oxygen_saturation": "spo2",
    "respiratory_rate": "respiratory_rate",
    "blood_pressure": "bp_systolic",
    "blood_glucose": "blood_glucose",
    "body_temperature": "body_temperature",
    "apple_sleeping_wrist_temperature": "wrist_temperature",
    "weight_body_mass": "body_weight",
    "height": "body_height",
    "body_mass_index": "bmi",
    "body_fat_percentage": "body_fat",
    "lean_body_mass": "lean_body_mass",
    "waist_circumference": "waist",
    "vo2_max": "vo2max",
    "walking_speed": "speed",
    "running_speed": "speed",
    "cycling_speed": "speed",
    "running_power": "power",
    "cycling_power": "power",
    "cycling_cadence": "cadence",
}
# Other arrays of a document, and what they are counted by: an element of some has megabytes.
OTHERS: Final = {
    "workouts": "start",
    "ecg": "start",
    "symptoms": ANY,
    "stateOfMind": ANY,
    "cycleTracking": ANY,
    "medications": ANY,
    "heartRateNotifications": ANY,
}
NO_METRIC = "has no metric"
LONGER = "sums up a week or more, to export by days or finer has more"


class Head(NamedTuple):
    """What stands beside the points of a metric."""

    name: str
    units: str


class Span(NamedTuple):
    """What a sum is of: an hour or a day from its moment on; none where it is of a minute, or less."""

    length: timedelta | None = None
    is_day: bool = False
    is_longer: bool = False
    """Whether it is of a week, a month or a year."""


class HealthAutoExport:
    """The export of the app Health Auto Export."""

    name = "health-auto-export"
    title = "Health Auto Export, JSON"

    def sniffs(self, sample: Sample) -> bool:
        """Return whether it is an object whose data has metrics or workouts."""
        head = sample.head.lstrip(b"\xef\xbb\xbf \t\r\n")
        return head.startswith(b"{") and b'"data"' in head[:200] and (b'"metrics"' in head or b'"workouts"' in head)

    def read(self, source: BinaryIO, context: ImportContext) -> Iterator[Item]:
        """Yield the points of all metrics."""
        heads, span = read_heads(source)
        counts = WholeCounts()
        source.seek(0)
        patterns = [("data", "metrics", ANY, "data", ANY), *(("data", name, ANY) for name in others(by=ANY))]
        patterns += [("data", name, ANY, "start") for name in others(by="start")]
        for path, value in values_at(source, *patterns):
            if path[1] != "metrics":
                yield Skipped(str(path[1]), NO_METRIC)
                continue
            head = heads.get(int(path[2]))
            yield from read_point(head, value, span, counts, place(path), context)


def others(by: str | None) -> list[str]:
    """Return the arrays that are counted by a member."""
    return [name for name, counted_by in OTHERS.items() if counted_by == by]


def read_heads(source: BinaryIO) -> tuple[dict[int, Head], Span]:
    """Read names and units of the metrics, by their places, and what sums are of."""
    names: dict[int, str] = {}
    units: dict[int, str] = {}
    spans: dict[int, int] = {}
    days: dict[int, set[str]] = {}
    of_metric = ("data", "metrics", ANY)
    with suppress(Damaged):  # which the points will find, too
        for path, value in values_at(
            source, (*of_metric, "name"), (*of_metric, "units"), (*of_metric, "data", ANY, "date")
        ):
            index = int(path[2])
            if index >= MOST_METRICS:
                raise Invalid(f"The file has more than {MOST_METRICS} metrics.")
            if path[3] == "name":
                names[index] = str(value)
            elif path[3] == "units":
                units[index] = str(value)
            elif isinstance(value, str):
                moment = moment_of(value)
                coarse = coarseness(moment)
                spans[index] = min(spans.get(index, DAY), coarse)
                if coarse == DAY and len(days.setdefault(index, set())) < FEW_DAYS:
                    days[index].add(moment[:10])
    heads = {index: Head(name, units.get(index, "")) for index, name in names.items()}
    of_sums = [index for index, head in heads.items() if head.name in SUMS and index in spans]
    coarsest = min((spans[index] for index in of_sums), default=MINUTE)
    if coarsest == DAY and begin_longer(set().union(*(days[index] for index in of_sums))):
        return heads, Span(is_longer=True)
    return heads, SPANS[coarsest]


MINUTE, HOUR, DAY = range(3)
SPANS = (Span(), Span(timedelta(hours=1)), Span(timedelta(days=1), is_day=True))


def begin_longer(days: set[str]) -> bool:
    """Return whether days are the beginnings of weeks, months or years, rather than any days."""
    try:
        found = [date.fromisoformat(day) for day in days]
    except ValueError:
        return False
    return len(found) > 1 and (len({day.weekday() for day in found}) == 1 or all(day.day == 1 for day in found))


def coarseness(moment: str) -> int:
    """Return how coarse a moment is: a day where the clock showed midnight, an hour at a full hour."""
    clock = moment[11:19]
    if clock == "00:00:00":
        return DAY
    return HOUR if clock[2:] == ":00:00" else MINUTE


def read_point(
    head: Head | None, point: Any, span: Span, counts: WholeCounts, at: str, context: ImportContext
) -> Iterator[Item]:
    """Yield what a point of a metric is."""
    if head is None:
        yield Rejected("metric", at, "is of a metric without a name")
        return
    kind = head.name
    metric = SUMS.get(kind) or LEVELS.get(kind)
    if metric is None:
        yield Skipped(kind, NO_METRIC)
        return
    if not isinstance(point, dict) or not isinstance(point.get("date"), str):
        yield Rejected(kind, at, "has no date", point)
        return
    if kind in SUMS and span.is_longer:
        yield Skipped(kind, LONGER)
        return
    reading: dict[str, Any] = {"timestamp": moment_of(point["date"])}
    if isinstance(point.get("source"), str) and point["source"]:
        reading["device_id"] = point["source"]
    context.on_device(reading)
    if kind == "blood_pressure":
        fields = {"bp_systolic": point.get("systolic"), "bp_diastolic": point.get("diastolic")}
    else:
        fields = {metric: point.get("Avg") if kind == "heart_rate" and "Avg" in point else point.get("qty")}
    for name, value in fields.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            yield Rejected(kind, at, f"has no number for {name}", value)
            return
        reading[name] = with_unit(name, counts.whole(name, reading.get("device_id"), value), head.units)
    if kind in SUMS and span.length is not None:
        try:
            end = datetime.strptime(reading["timestamp"], MOMENT) + span.length
        except (ValueError, OverflowError):
            yield Rejected(kind, at, "has a date that is none", point["date"])
            return
        reading["end"] = end.isoformat()
        if span.is_day:
            reading["daily_total"] = True
    yield Found(kind, reading, at)
