"""The uploads of phones and chest straps as they arrive: most late, some live, a few repeated.

A person has a reading a minute. Four fifths of all readings arrive in uploads of 1 to 12 hours, nearly a fifth in
uploads of phones that sync after 5 minutes to an hour, and the rest live from straps. One late upload in fifty is
followed by a part of itself with other values. The order is random. No two uploads are of the same person, so each has
readings that are not stored yet, and no person has more than a reading a minute.

The clock of the phones is at the horizon, so each uploaded reading is refreshed within the run. Straps send live
readings, above the horizon.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import NamedTuple

LATE, SOON, LIVE = 0.80, 0.18, 0.02
"""Shares of the readings."""
LATE_MINUTES, SOON_MINUTES = (60, 720), (5, 60)
AGAIN = 0.02
"""Share of the late uploads that are repeated."""
LATER = 300
"""Uploads between an upload and its repetition, enough for the first to be answered."""
STRAP_SECONDS = 35
"""Mean interval between two readings of a strap: ten seconds or a minute."""
KINDS = 200
"""Number of different uploads; people share them, which does not affect refreshes."""
DAY = 86_400
FIRST_STRAP = 80_000_001
WEARER = b"-00000000"
KEY = b"\t00000000"


class Upload(NamedTuple):
    """The content of a request without its person, which Arrival fills in."""

    readings: int
    days: int
    """Days (UTC) below the horizon that it touches."""
    document: bytes
    """JSON for POST /v1/readings."""
    rows: bytes
    """Rows in COPY's text format."""


class Arrival(NamedTuple):
    """An upload of a person."""

    upload: Upload
    wearer: int
    is_again: bool = False

    @property
    def body(self) -> bytes:
        """Return the body of the request."""
        return self.upload.document.replace(WEARER, b"-%08d" % self.wearer)

    @property
    def rows(self) -> bytes:
        """Return the lines of COPY."""
        return self.upload.rows.replace(KEY, b"\t%08d" % self.wearer)


class Phones:
    """Random arrivals; wearers are numbered from `first` on and have one upload each, which ends now."""

    def __init__(self, seed: int, first: int, straps: int, now: datetime) -> None:
        self.chance = random.Random(seed)  # noqa: S311
        self.wearer = first
        self.straps = straps
        self.strap = 0
        self.late = [made(self.chance, now, LATE_MINUTES) for _ in range(KINDS)]
        self.soon = [made(self.chance, now, SOON_MINUTES) for _ in range(KINDS)]
        self.weights = [
            LATE / mean(upload for upload, _ in self.late),
            SOON / mean(upload for upload, _ in self.soon),
            LIVE,
        ]

    def __iter__(self) -> Iterator[Arrival]:
        """Yield arrivals without end."""
        again: deque[tuple[int, Arrival]] = deque()
        for number in count():
            if again and again[0][0] < number:
                yield again.popleft()[1]
            (kind,) = self.chance.choices(range(3), self.weights)
            if kind == 2:
                yield self.live()
                continue
            upload, part = self.chance.choice(self.soon if kind else self.late)
            wearer, self.wearer = self.wearer, self.wearer + 1
            yield Arrival(upload, wearer)
            if kind == 0 and self.chance.random() < AGAIN:
                again.append((number + LATER, Arrival(part, wearer, is_again=True)))

    def live(self) -> Arrival:
        """Return a reading of the next strap."""
        self.strap = (self.strap + 1) % self.straps
        moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return Arrival(one(moment, self.chance), FIRST_STRAP + self.strap)


def wearers(readings: float) -> int:
    """Return the number of people who send `readings` readings, without straps."""
    return round(readings * (LATE * 2 / sum(LATE_MINUTES) + SOON * 2 / sum(SOON_MINUTES)))


def straps(rate: float) -> int:
    """Return the number of straps at a rate of readings a second."""
    return max(1, round(rate * LIVE * STRAP_SECONDS))


def mean(uploads: Iterator[Upload]) -> float:
    """Return the mean number of readings."""
    sizes = [upload.readings for upload in uploads]
    return sum(sizes) / len(sizes)


def made(chance: random.Random, now: datetime, minutes: tuple[int, int]) -> tuple[Upload, Upload]:
    """Return an upload that ends now, and the part of it that may be repeated."""
    long = chance.randint(*minutes)
    start = now - timedelta(minutes=long, seconds=-chance.randrange(60))
    moments = [int(start.timestamp()) + 60 * step for step in range(long)]
    first = chance.randrange(long * 2 // 3)
    return upload(moments, chance), upload(moments[first : first + long // 3], chance)


def upload(moments: list[int], chance: random.Random) -> Upload:
    """Return an upload with a reading at each moment, in seconds since 1970."""
    made = [one(datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), chance) for moment in moments]
    document = b"[" + b",".join(one.document for one in made) + b"]"
    return Upload(len(made), len({moment // DAY for moment in moments}), document, b"".join(one.rows for one in made))


def one(moment: str, chance: random.Random) -> Upload:
    """Return one reading, with a heart rate and often steps and calories."""
    pulse = chance.randint(480, 1600) / 10
    steps = chance.randint(0, 120) if chance.random() < 0.6 else None
    calories = chance.randint(80, 900) / 100 if chance.random() < 0.8 else None
    parts = [f'{{"user_id":"wearer-00000000","device_id":"band-00000000","timestamp":"{moment}","heart_rate":{pulse}']
    parts += [f'"steps":{steps}'] if steps is not None else []
    parts += [f'"calories":{calories}'] if calories is not None else []
    said = ["\\N" if value is None else str(value) for value in (pulse, calories, steps)]
    row = f"{moment}\t{said[0]}\t{said[1]}\t00000000\t00000000\t{said[2]}\n"
    return Upload(1, 0, (",".join(parts) + "}").encode(), row.encode())
