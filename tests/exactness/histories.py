"""Random histories and random questions: everything follows from a seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from random import Random

from tests.support.moments import DAY, HOUR, MINUTE, SECOND, borders, micros
from tests.support.stored import Happening, Item, Part

ZONES = [
    "Europe/Berlin",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "America/Sao_Paulo",
    "America/Havana",
    "UTC",
]
# The days on which a history centres, and a time zone to which something happens there. None stands for today.
ERAS: list[tuple[date | None, str]] = [
    (date(2024, 3, 31), "Europe/Berlin"),
    (date(2024, 10, 27), "Europe/Berlin"),
    (date(2024, 11, 3), "America/St_Johns"),
    (date(2024, 4, 7), "Australia/Lord_Howe"),
    (None, "Europe/Berlin"),
    (date(2018, 11, 4), "America/Sao_Paulo"),
    (date(2019, 2, 17), "America/Sao_Paulo"),
    (date(2011, 12, 30), "Pacific/Apia"),
    (date(2024, 3, 10), "America/Havana"),
    (date(2024, 7, 1), "Asia/Kathmandu"),
    (date(2020, 11, 1), "America/Havana"),
    (date(2010, 11, 7), "America/St_Johns"),
]
DEVICES = ["device_a", "device_b", "watch", "phone"]
SOURCES = ("a", "b")
EVENT_TYPES = ("click", "view")
USERS = [("default", "ada"), ("default", "bob"), ("other", "ada")]
KINDS = ["write", "merge", "happen", "update", "delete", "erase", "prioritize", "refresh", "upkeep", "clock", "ask"]
WEIGHTS = [6, 5, 3, 1, 2, 0.7, 2, 6, 0.5, 3, 5]
WHOLE = ("steps", "floors")
BUCKETS = ["auto", "raw", "1m", "5m", "15m", "1h", "1d", "1d", "1d", "1w", "1mo"]


@dataclass(frozen=True)
class Write:
    """Readings, by the function, or by INSERT or COPY into the view."""

    items: list[Item]
    by: str = "function"


@dataclass(frozen=True)
class Merge:
    """Intervals, worn windows and daily totals."""

    parts: list[Part]


@dataclass(frozen=True)
class Delete:
    """A user's readings of a range go, by DELETE on the view or by the function."""

    tenant: str
    user: str
    start: int
    end: int
    device: str | None
    by: str = "view"


@dataclass(frozen=True)
class Erase:
    """A user goes, and all that is known of them."""

    tenant: str
    user: str


@dataclass(frozen=True)
class Happen:
    """Events, some of which were sent before."""

    events: list[Happening]


@dataclass(frozen=True)
class Update:
    """What an UPDATE of the view makes of one reading, if it is there."""

    item: Item


@dataclass(frozen=True)
class Prioritize:
    """A device gets another priority, or priorities of single metrics; None keeps the one and takes away the other."""

    tenant: str
    device: str
    priority: int | None
    metrics: dict[str, int | None]


@dataclass(frozen=True)
class Refresh:
    horizon: int
    window: str


@dataclass(frozen=True)
class Upkeep:
    """Compression of what is old."""


@dataclass(frozen=True)
class Clock:
    """The session's time zone, which must not matter."""

    tz: str


@dataclass(frozen=True)
class Ask:
    """A question: `what` is summary, series, minutes, latest, seen, readings, vitals, counts or daily."""

    what: str
    tenant: str
    user: str
    start: int
    end: int
    device: str | None
    bucket: str
    tz: str
    max_points: int
    source: str | None
    event_type: str | None


Step = Write | Merge | Happen | Update | Delete | Erase | Prioritize | Refresh | Upkeep | Clock | Ask


@dataclass
class Storyteller:
    """Makes up one history; `now` matters only to the one that plays today."""

    seed: int
    now: datetime
    written: list[Item] = field(default_factory=list)
    merged: list[Part] = field(default_factory=list)
    sums: Sequence[str] = ("steps", "steps", "calories")

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        day, self.tz = ERAS[self.seed % len(ERAS)]
        self.middle = micros(datetime.combine(day or self.now.date(), datetime.min.time(), UTC))
        self.marks = self.landmarks()
        self.horizon = self.quarter(self.middle - 4 * DAY, self.middle + 3 * DAY)

    def landmarks(self) -> list[int]:
        """Moments at which something changes: midnights here and in UTC, and moments of the horizon."""
        start, end = self.middle - 3 * DAY, self.middle + 4 * DAY
        here = list(borders(start, end, self.tz))
        return [*here, *range(start, end, DAY)]

    def quarter(self, start: int, end: int) -> int:
        return self.random.randrange(start, end) // (15 * MINUTE) * 15 * MINUTE

    def moment(self) -> int:
        """A moment near a border, or any."""
        r = self.random
        base = r.choice(self.marks) if r.random() < 0.4 else r.randrange(self.middle - 3 * DAY, self.middle + 4 * DAY)
        width = r.choice([1, MINUTE, 15 * MINUTE, HOUR])
        return base // width * width + r.choice([0, 0, 0, -1, 1, -SECOND, SECOND, r.randrange(-HOUR, HOUR)])

    def value(self, low: float, high: float) -> float:
        digits = self.random.choice([0, 1, 3, 6, 17])
        return min(float(high), max(float(low), round(self.random.uniform(low, high), digits)))

    def item(self, tenant: str, user: str, device: str, ts: int) -> Item:
        r = self.random
        carried = r.choice([(1, 1, 1), (1, 1, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (0, 1, 1)])
        return Item(
            tenant,
            user,
            device,
            ts,
            self.value(30, 220) if carried[0] else None,
            r.randrange(0, r.choice([3, 200, 100_001])) if carried[1] else None,
            self.value(0, r.choice([2, 50, 10_000])) if carried[2] else None,
        )

    def stretch(self) -> list[Item]:
        """What one or several devices measure of one user, at a steady pace."""
        r = self.random
        tenant, user = r.choice(USERS)
        devices = r.sample(DEVICES, r.choice([1, 2, 2, 3]))
        start, pace = self.moment(), r.choice([13 * SECOND, 40 * SECOND, MINUTE, 7 * MINUTE, HOUR, 5 * HOUR])
        return [
            self.item(tenant, user, r.choice(devices), start + turn * pace + r.choice([0, 0, 1, 999_999]))
            for turn in range(r.randrange(3, 40))
        ]

    def scatter(self) -> list[Item]:
        r = self.random
        away = r.choice([0, 0, 0, 0, -40 * DAY, -9 * DAY, 20 * DAY])
        return [self.item(*r.choice(USERS), r.choice(DEVICES), self.moment() + away) for _ in range(r.randrange(1, 12))]

    def overwrites(self) -> list[Item]:
        r = self.random
        return [self.item(*r.choice(self.written)[:4]) for _ in range(r.randrange(1, 10))] if self.written else []

    def write(self) -> Write:
        made = self.random.choice([self.stretch, self.stretch, self.scatter, self.overwrites])()
        newest = micros(self.now) + DAY
        items = list({item[:4]: item for item in made if item.ts < newest}.values())
        self.written.extend(items)
        self.marks.extend(item.ts for item in items[:3])
        return Write(items, self.random.choice(["function"] * 6 + ["insert", "copy"]))

    def length(self) -> int:
        r = self.random
        any_length = r.randrange(1, r.choice([3 * MINUTE, 2 * HOUR, DAY]))
        return r.choice([MINUTE, MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, HOUR, DAY, any_length, any_length])

    def part(self, tenant: str, user: str, device: str, ts: int, length: int) -> Part:
        r = self.random
        kind = r.choice(["interval"] * 12 + ["worn"] * 3 + ["daily_total"])
        metric = r.choice(self.sums)
        most = r.choice([3, 200, 100_000])
        value = float(r.randrange(0, most + 1)) if metric in WHOLE else self.value(0, min(most, 10_000))
        if kind == "worn":
            metric, value = "", 0.0
        elif kind == "daily_total":
            days = [mark for mark in self.marks if ts - DAY < mark <= ts] or [ts]
            ts, length = r.choice([*days, ts]), r.choice([DAY, DAY, DAY - HOUR, DAY + HOUR, length])
        return Part(tenant, user, device, kind, metric, ts, ts + length, value)

    def run(self) -> list[Part]:
        """What a phone sends: interval after interval, with gaps, or a watch that is worn meanwhile."""
        r = self.random
        who = (*r.choice(USERS), r.choice(DEVICES))
        ts, length = self.moment(), self.length()
        parts = []
        for _ in range(r.randrange(1, 25)):
            parts.append(self.part(*who, ts, length))
            ts += r.choice([length, length, length // 2 + 1, 2 * length])
        return parts

    def scattered(self) -> list[Part]:
        r = self.random
        return [
            self.part(*r.choice(USERS), r.choice(DEVICES), self.moment(), self.length())
            for _ in range(r.randrange(1, 12))
        ]

    def sent_again(self) -> list[Part]:
        """Growing uploads, corrections, and repetitions."""
        r = self.random
        again = []
        for part in r.sample(self.merged, min(len(self.merged), r.randrange(1, 10))):
            end = min(part.end + r.choice([0, 0, MINUTE, 10 * MINUTE, -MINUTE]), part.ts + DAY)
            value = part.value + r.choice([0, 0, 1, 7]) if part.kind != "worn" else 0.0
            again.append(part._replace(end=max(end, part.ts + 1), value=value))
        return again

    def merge(self) -> Merge:
        made = self.random.choice([self.run, self.run, self.scattered, self.sent_again])() or self.run()
        newest = micros(self.now) + DAY
        parts = list({part[:6]: part for part in made if part.end < newest}.values())
        parts = parts or [Part(*USERS[0], DEVICES[0], "interval", "steps", self.middle, self.middle + MINUTE, 1.0)]
        self.merged.extend(parts)
        self.marks.extend(moment for part in parts[:2] for moment in (part.ts, part.end))
        return Merge(parts)

    def happen(self) -> Happen:
        r = self.random
        events = [
            Happening(
                r.choice(USERS)[0], str(r.randrange(500)), r.choice(SOURCES), r.choice(EVENT_TYPES), self.moment()
            )
            for _ in range(r.randrange(1, 20))
        ]
        newest = micros(self.now) + DAY
        return Happen([event for event in events if event.ts < newest] or [events[0]._replace(ts=self.middle)])

    def update(self) -> Update:
        item = self.random.choice(self.written)
        return Update(self.item(*item[:4]))

    def delete(self) -> Delete:
        r = self.random
        start = self.moment()
        end = start + r.choice([1, MINUTE, 17 * MINUTE, HOUR, DAY, 2 * DAY])
        return Delete(*r.choice(USERS), start, end, r.choice([None, *DEVICES]), r.choice(["view", "function"]))

    def prioritize(self) -> Prioritize:
        r = self.random
        metrics = r.sample(["heart_rate", "steps", "calories"], r.choice([0, 0, 1, 2, 3]))
        return Prioritize(
            r.choice(USERS)[0],
            r.choice(DEVICES),
            r.choice([0, 1, 2, 500, 999, 2**31 - 1, *[None for _ in metrics]]),
            {metric: r.choice([None, 0, 1, 2, 999]) for metric in metrics},
        )

    def refresh(self) -> Refresh:
        further = self.random.choice([0, 0, 15 * MINUTE, HOUR, 7 * HOUR, DAY, 2 * DAY])
        target = min(self.horizon + further, micros(self.now) + 2 * DAY) // (15 * MINUTE) * 15 * MINUTE
        self.horizon = max(self.horizon, target)
        self.marks.append(self.horizon)
        return Refresh(self.horizon, self.random.choice(["1 day", "3 days", "30 days"]))

    def range(self) -> tuple[int, int]:
        r = self.random
        start = self.moment()
        end = r.choice(
            [
                self.moment(),
                self.moment(),
                start + r.choice([0, 1, SECOND, MINUTE, 15 * MINUTE, HOUR, DAY, 2 * DAY, r.randrange(1, 3 * HOUR)]),
                start + r.randrange(1, 60 * DAY),
            ]
        )
        if r.random() < 0.1:
            start -= r.randrange(1, 60 * DAY)
        # A range that ends before it starts is empty, and asked now and then.
        return (start, end) if start <= end or r.random() < 0.03 else (end, start)

    def ask(self) -> Ask:
        r = self.random
        return Ask(
            r.choice(
                ["summary"] * 8
                + ["series"] * 9
                + ["minutes", "minutes", "latest", "seen", "readings", "vitals", "vitals", "vitals", "counts", "counts"]
                + ["daily", "daily"]
            ),
            *r.choice(USERS),
            *self.range(),
            r.choice([None, None, None, None, r.choice(DEVICES)]),
            r.choice(BUCKETS),
            r.choice([self.tz, self.tz, *ZONES]),
            r.choice([1, 5, 30, 100, 1000]),
            r.choice([None, None, *SOURCES, "none of them"]),
            r.choice([None, None, *EVENT_TYPES, "none of them"]),
        )

    def tell(self, questions: int) -> Iterator[Step]:
        """Yield the steps of a history that asks so many questions."""
        r = self.random
        for _ in range(3):
            yield self.write()
        while questions > 0:
            kind = r.choices(KINDS, WEIGHTS)[0]
            if kind == "write":
                yield self.write()
            elif kind == "merge":
                yield self.merge()
            elif kind == "delete":
                yield self.delete()
            elif kind == "erase":
                yield Erase(*r.choice(USERS))
            elif kind == "prioritize":
                yield self.prioritize()
            elif kind == "refresh":
                yield self.refresh()
            elif kind == "happen":
                yield self.happen()
            elif kind == "update" and self.written:
                yield self.update()
            elif kind == "upkeep":
                yield Upkeep()
            elif kind == "clock":
                yield Clock(r.choice(["UTC", self.tz, self.tz, *ZONES]))
            elif kind == "ask":
                for _ in range(min(questions, r.choice([5, 15, 30]))):
                    yield self.ask()
                    questions -= 1


def today() -> datetime:
    """The present, to the day, so that a history told twice on one day is the same."""
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
