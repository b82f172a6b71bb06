"""Garmin's FIT files: activities, and what a watch monitors all day."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, Final, NamedTuple

from service.errors import Malformed
from service.imports.adapter import Damaged, Found, ImportContext, Item, Rejected, Sample, Skipped
from service.imports.archive import entries, is_zip
from service.imports.fit_stream import MAGIC, OF_DEVICE, TIMESTAMP, Message, Wanted, messages
from service.imports.moments import written

EPOCH = datetime(1989, 12, 31, tzinfo=UTC)
DAY = 86_400
MOST_SESSIONS = 1_000
LONGEST_NAME = 100
LARGEST_OFFSET = 15 * 3600  # seconds, of a clock to UTC

FILE_ID, SESSION, RECORD, MONITORING, MONITORING_INFO = 0, 18, 20, 55, 103
NAMES: Final = {
    FILE_ID: "file_id",
    18: "session",
    19: "lap",
    20: "record",
    21: "event",
    23: "device_info",
    30: "weight_scale",
    34: "activity",
    49: "file_creator",
    51: "blood_pressure",
    55: "monitoring",
    78: "hrv",
    103: "monitoring_info",
    132: "hr",
    206: "field_description",
    207: "developer_data_id",
    211: "monitoring_hr_data",
    227: "stress_level",
    269: "spo2_data",
    275: "sleep_level",
    297: "respiration_rate",
    346: "sleep_assessment",
    370: "hrv_status_summary",
    371: "hrv_value",
}
"""What messages are called in Garmin's profile, those that are read and those often seen."""

QUIET = frozenset((FILE_ID, MONITORING_INFO, 49, 206, 207))
"""Messages that are about the file, and not left out."""


class Level(NamedTuple):
    """A field that is measured: its number, the metric, what it is divided by, and the lowest that is a measurement."""

    field: int
    metric: str
    divisor: int = 1
    lowest: int = 0


LEVELS: Final = {
    RECORD: (
        Level(3, "heart_rate", lowest=1),
        Level(4, "cadence"),
        Level(6, "speed", 1000),
        Level(73, "speed", 1000),
        Level(7, "power"),
        Level(99, "respiratory_rate", lowest=1),
        Level(108, "respiratory_rate", 100, lowest=1),
    ),
    30: (
        Level(0, "body_weight", 100, lowest=1),
        Level(1, "body_fat", 100, lowest=1),
        Level(4, "bone_mass", 100),
        Level(13, "bmi", 10, lowest=1),
    ),
    51: (Level(0, "bp_systolic", lowest=1), Level(1, "bp_diastolic", lowest=1), Level(6, "heart_rate", lowest=1)),
    MONITORING: (Level(27, "heart_rate", lowest=1),),
    211: (Level(1, "resting_heart_rate", lowest=1),),
    227: (Level(0, "garmin:stress"),),
    269: (Level(0, "spo2", lowest=1),),
    297: (Level(0, "respiratory_rate", 100, lowest=1),),
    371: (Level(0, "hrv_rmssd", 128, lowest=1),),
}
"""What is measured at the moment of a message; of two fields of one metric the later one is the finer."""

STRESS, STRESS_TIME = 227, 1
START_TIME, SPORT, ELAPSED, SESSION_DISTANCE, SESSION_CALORIES = 2, 5, 7, 9, 11
RECORD_DISTANCE, RECORD_CALORIES = 5, 33
MONITORED_DISTANCE, CYCLES, ACTIVITY, ACTIVE_CALORIES, ACTIVITY_INTENSITY, TIMESTAMP_16 = 2, 3, 5, 19, 24, 26
LOCAL_TIMESTAMP = 0

DISTANCE_OF_SPORT: Final = {
    1: "distance",
    11: "distance",
    17: "distance",
    2: "distance_cycling",
    21: "distance_cycling",
    5: "distance_swimming",
}
"""Running, walking and hiking; cycling and riding an e-bike; swimming."""

NO_DISTANCE = "there is no metric for the distance of this sport"

RUNNING, CYCLING, SWIMMING, WALKING = 1, 2, 5, 6
DISTANCE_OF_ACTIVITY: Final = {
    RUNNING: "distance",
    WALKING: "distance",
    CYCLING: "distance_cycling",
    SWIMMING: "distance_swimming",
}

WANTED: Final[Wanted] = {
    FILE_ID: frozenset((1, 2, 3)),
    SESSION: frozenset((START_TIME, SPORT, ELAPSED, SESSION_DISTANCE, SESSION_CALORIES)),
    MONITORING_INFO: frozenset((LOCAL_TIMESTAMP,)),
    **{number: frozenset(level.field for level in levels) for number, levels in LEVELS.items()},
    STRESS: frozenset((0, STRESS_TIME)),
    RECORD: frozenset((RECORD_DISTANCE, RECORD_CALORIES, *(level.field for level in LEVELS[RECORD]))),
    MONITORING: frozenset(
        (MONITORED_DISTANCE, CYCLES, ACTIVITY, ACTIVE_CALORIES, ACTIVITY_INTENSITY, TIMESTAMP_16, 27),
    ),
}
FOR_OUTLINE: Final[Wanted] = {SESSION: WANTED[SESSION], RECORD: frozenset((RECORD_DISTANCE, RECORD_CALORIES))}


class Session(NamedTuple):
    """A part of an activity: when it began, in seconds of FIT, and its sport."""

    start: int
    sport: int | None


class Outline(NamedTuple):
    """What of an activity stands behind its records, and is needed to read them."""

    sessions: list[Session]
    counted: frozenset[int]
    """The fields that records count, so that the sum of a session would count them again."""

    def session_at(self, moment: int) -> Session | None:
        """Return the session that a moment lies in."""
        index = bisect_right(self.sessions, moment, key=lambda session: session.start)
        return self.sessions[index - 1] if index else None


class GarminFit:
    """A message becomes a reading; what is counted becomes what was added between messages."""

    name = "garmin-fit"
    title = "a FIT file of an activity or of monitoring"

    def sniffs(self, sample: Sample) -> bool:
        """Return whether a file has the mark of FIT in its header, or is an archive of such files."""
        files = [name for name in sample.names if not name.endswith("/")]
        return sample.head[8:12] == MAGIC or (bool(files) and all(map(is_fit, files)))

    def read(self, source: BinaryIO, context: ImportContext) -> Iterator[Item]:
        """Yield what a file holds, or each file of an archive: one that is damaged ends nothing but itself."""
        if not is_zip(source):
            yield from read_file(lambda: from_beginning(source), context, "")
            return
        for entry in entries(source, is_fit, context.most_unpacked):
            name = entry.name[-LONGEST_NAME:]
            try:
                yield from read_file(entry.open, context, f"{name}: ")
            except Damaged as damage:
                yield Rejected("file", f"{name}: {damage.at}", damage.problem)
            except Malformed as problem:
                yield Rejected("file", name, problem.detail)


def is_fit(name: str) -> bool:
    """Return whether a file of an archive is called like FIT."""
    return name.lower().endswith(".fit")


def from_beginning(source: BinaryIO) -> BinaryIO:
    """Return a file at its beginning."""
    source.seek(0)
    return source


def read_file(opened: Callable[[], BinaryIO], context: ImportContext, place: str) -> Iterator[Item]:
    """Yield what each message of a file holds, then what was left out; it is read twice."""
    fit = Reading(outline_of(opened()), context, place)
    try:
        for message in messages(opened(), WANTED):
            yield from fit.items_of(message)
    except Damaged:
        yield from fit.rest()
        raise
    yield from fit.rest()


def outline_of(source: BinaryIO) -> Outline:
    """Read the sessions of a file, which may stand at its end."""
    sessions: list[Session] = []
    counted: set[int] = set()
    with suppress(Damaged):  # which is found again when the file is read
        for message in messages(source, FOR_OUTLINE):
            if message.number == SESSION and START_TIME in message.values and len(sessions) < MOST_SESSIONS:
                sessions.append(Session(message.values[START_TIME], message.values.get(SPORT)))
            elif message.number == RECORD and len(counted) < 2 and TIMESTAMP in message.values:
                counted |= message.values.keys() & {RECORD_DISTANCE, RECORD_CALORIES}
    return Outline(sorted(sessions, key=lambda session: session.start), frozenset(counted))


class Reading:
    """What is known while a file is read: its device, its clock, and its counters."""

    def __init__(self, outline: Outline, context: ImportContext, place: str) -> None:
        self.outline = outline
        self.place = place
        self.context = context
        self.device = context.device_id
        self.skipped: Counter[tuple[str, str]] = Counter()
        self.monitored = Monitored()
        self.recorded: dict[int, tuple[int, int]] = {}
        """By the field of a counter of an activity, the moment and the amount of the last record."""

    def items_of(self, message: Message) -> Iterator[Item]:
        """Yield what a message holds."""
        number, values = message.number, message.values
        if message.has_developer_fields:
            self.skip(f"{name_of(number)} developer fields", "are of the makers of apps, and have no metric")
        if number == FILE_ID:
            yield from self.monitored.added(self)
            device = device_of(values) if values.get(3) else self.context.device_id or device_of(values)
            if device != self.device:
                self.device, self.monitored = device, Monitored()
            self.recorded.clear()
        elif number == MONITORING_INFO:
            self.monitored.begin(values)
        elif number == SESSION:
            yield from self.session(message)
        elif number == MONITORING:
            moment = self.monitored.moment_of(values)
            if moment != self.monitored.counted_at:
                yield from self.monitored.added(self)
            yield from self.levels(message, moment)
            self.monitored.count(message, self)
        elif number in LEVELS:
            yield from self.levels(message, values.get(STRESS_TIME if number == STRESS else TIMESTAMP))
            if number == RECORD:
                yield from self.counted(message)
        elif number not in QUIET:
            self.skip(name_of(number), "there is no metric for this message")

    def levels(self, message: Message, moment: int | None) -> Iterator[Item]:
        """Yield what was measured at a moment."""
        measured: dict[str, int | float] = {}
        for level in LEVELS[message.number]:
            value = message.values.get(level.field)
            if value is None:
                continue
            if value >= level.lowest:
                measured[level.metric] = scaled(value, level.divisor)
            else:
                self.skip(name_of(message.number), "is marked as no measurement")
        if measured:
            yield self.found(message, moment, None, measured)

    def counted(self, message: Message) -> Iterator[Item]:
        """Yield what was added to the counters of an activity since the record before."""
        moment = message.values.get(TIMESTAMP)
        if moment is None:
            return
        session = self.outline.session_at(moment)
        distance = DISTANCE_OF_SPORT.get(session.sport or 0) if session else None
        for field, metric, divisor in ((RECORD_DISTANCE, distance, 100), (RECORD_CALORIES, "calories", 1)):
            amount = message.values.get(field)
            if amount is None:
                continue
            since, before = self.recorded.get(field, (min(session.start, moment) if session else moment, 0))
            if moment < since or (moment == since and amount == before):
                continue
            if moment > since:
                self.recorded[field] = (moment, amount)
                added = amount - before if amount >= before else amount  # the counter began again
                if metric is None:
                    self.skip("record distance", NO_DISTANCE)
                else:
                    yield self.found(message, since, moment, {metric: scaled(added, divisor)})

    def session(self, message: Message) -> Iterator[Item]:
        """Yield the calories and the distance of a session of which the records count none."""
        values = message.values
        start, elapsed = values.get(START_TIME), values.get(ELAPSED)
        measured: dict[str, int | float] = {}
        if SESSION_CALORIES in values and RECORD_CALORIES not in self.outline.counted:
            measured["calories"] = values[SESSION_CALORIES]
        if values.get(SESSION_DISTANCE) and RECORD_DISTANCE not in self.outline.counted:
            metric = DISTANCE_OF_SPORT.get(values.get(SPORT, 0))
            if metric is None:
                self.skip("session distance", NO_DISTANCE)
            else:
                measured[metric] = scaled(values[SESSION_DISTANCE], 100)
        if not measured or start is None or not elapsed:
            self.skip("session", "is summed up from its records")
        else:
            yield self.found(message, start, start + elapsed / 1000, measured)

    def found(
        self, message: Message, start: float | None, end: float | None, measured: dict[str, int | float]
    ) -> Found | Rejected:
        """Return a reading at a moment, or between two, in seconds of FIT."""
        kind, at = name_of(message.number), f"{self.place}byte {message.at}"
        if start is None:
            return Rejected(kind, at, "has no moment")
        if start < OF_DEVICE:
            return Rejected(kind, at, "has no date: it counts from when the device was switched on", start)
        reading: dict[str, Any] = {"timestamp": moment_at(start)}
        if end is not None:
            reading["end"] = moment_at(end)
        if self.device is not None:
            reading["device_id"] = self.device
        return Found(kind, reading | measured, at)

    def skip(self, kind: str, reason: str) -> None:
        """Count what is left out."""
        self.skipped[kind, reason] += 1

    def rest(self) -> Iterator[Item]:
        """Yield what was counted last, and what was left out."""
        yield from self.monitored.added(self)
        for (kind, reason), times in self.skipped.items():
            yield Skipped(kind, reason, times)


class Monitored:
    """The counters of monitoring: for each kind of activity, from the midnight of the watch's clock."""

    def __init__(self) -> None:
        self.moment: int | None = None
        self.begun: int | None = None
        self.offset: int | None = None
        self.counters: dict[tuple[str, int], tuple[int, int, int]] = {}
        """By metric and activity, the midnight that is counted from, the moment and the amount."""
        self.since: dict[str, int] = {}
        """By metric, until when its amounts were passed on."""
        self.pending: dict[str, int] = {}
        """By metric, what was added at the moment of the last messages."""
        self.counted_at: int | None = None
        self.message: Message | None = None

    def begin(self, values: dict[int, int]) -> None:
        """Take the clock of a file, which states one moment in UTC and in its own time."""
        moment, clock = values.get(TIMESTAMP), values.get(LOCAL_TIMESTAMP)
        if moment is not None:
            self.moment = self.begun = moment
        if moment is not None and clock is not None and abs(clock - moment) <= LARGEST_OFFSET:
            self.offset = clock - moment

    def moment_of(self, values: dict[int, int]) -> int | None:
        """Return the moment of a message, of which it may have the last 16 bits only."""
        if TIMESTAMP in values:
            self.moment = values[TIMESTAMP]
        elif TIMESTAMP_16 in values and self.moment is not None:
            self.moment = (self.moment + ((values[TIMESTAMP_16] - self.moment) & 0xFFFF)) & 0xFFFFFFFF
        return self.moment

    def midnight(self, moment: int) -> int | None:
        """Return the midnight before a moment, None where the clock is not known; midnight itself ends a day."""
        if self.offset is None:
            return None
        return (moment - 1 + self.offset) // DAY * DAY - self.offset

    def count(self, message: Message, fit: Reading) -> None:
        """Take the counters of a message."""
        values, moment = message.values, self.moment
        activity = values.get(ACTIVITY, values[ACTIVITY_INTENSITY] & 31 if ACTIVITY_INTENSITY in values else None)
        amounts = {field: values[field] for field in (CYCLES, MONITORED_DISTANCE, ACTIVE_CALORIES) if field in values}
        if not amounts:
            return
        if activity is None or moment is None:
            fit.skip("monitoring", "counts for no activity")
            return
        self.counted_at, self.message = moment, message
        metrics = {
            CYCLES: "steps" if activity in (RUNNING, WALKING) else None,
            MONITORED_DISTANCE: DISTANCE_OF_ACTIVITY.get(activity),
            ACTIVE_CALORIES: "active_energy",
        }
        for field, amount in amounts.items():
            metric = metrics[field]
            if metric is None:
                fit.skip("monitoring", f"there is no metric for what is counted of activity {activity}")
            else:
                self.add(metric, activity, amount, moment, fit)

    def add(self, metric: str, activity: int, amount: int, moment: int, fit: Reading) -> None:
        """Add what a counter has more than before."""
        midnight = self.midnight(moment)
        counted_from = -1 if midnight is None else midnight
        day, last, before = self.counters.get((metric, activity), (None, 0, 0))
        if moment < last:
            fit.skip("monitoring", "is older than the message before")
            return
        if day != counted_from:
            if self.has_whole_day(midnight):
                before = 0
                self.since[metric] = max(self.since.get(metric, counted_from), counted_from)
            else:
                before = amount
                self.since.setdefault(metric, moment)
                if amount:
                    fit.skip("monitoring", f"{metric} that were counted before the file begins are not in it")
        self.counters[metric, activity] = (counted_from, moment, amount)
        added = amount - before if amount >= before else amount  # the counter began again
        self.pending[metric] = self.pending.get(metric, 0) + added

    def has_whole_day(self, midnight: int | None) -> bool:
        """Return whether the day that began at a midnight is in the file from its beginning, to the minute."""
        return midnight is not None and self.begun is not None and self.begun <= midnight + 60

    def added(self, fit: Reading) -> Iterator[Item]:
        """Yield what was added up to the moment of the last messages that counted."""
        if self.message is None or self.counted_at is None:
            return
        by_start: dict[int, dict[str, int | float]] = {}
        for metric, amount in list(self.pending.items()):
            start = self.since[metric]
            if start < self.counted_at:
                divisor = 100 if metric.startswith("distance") else 1
                by_start.setdefault(start, {})[metric] = scaled(amount, divisor)
                self.since[metric] = self.counted_at
                del self.pending[metric]
        for start, amounts in by_start.items():
            yield fit.found(self.message, start, self.counted_at, amounts)
        self.message = None


def scaled(value: int, divisor: int) -> int | float:
    """Return a value in the unit of its metric."""
    return value if divisor == 1 else value / divisor


def moment_at(seconds: float) -> str:
    """Write a moment that is counted in seconds of FIT."""
    return written(EPOCH + timedelta(seconds=seconds))


def name_of(number: int) -> str:
    """Return what a message is called."""
    return NAMES.get(number, f"message {number}")


def device_of(values: dict[int, int]) -> str | None:
    """Return what a device is called that a file is of: its maker, product and serial number."""
    maker, product, serial = values.get(1), values.get(2), values.get(3)
    if maker is None:
        return None
    parts = ["garmin" if maker == 1 else f"manufacturer {maker}", *(str(part) for part in (product, serial) if part)]
    return "-".join(parts)
