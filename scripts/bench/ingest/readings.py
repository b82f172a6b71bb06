"""The readings that are sent: made before the clock starts, the same for every contestant."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple


class Reading(NamedTuple):
    """One reading; `user` is a number from 1."""

    user: int
    moment: int
    """Seconds since 1970."""
    heart_rate: float
    steps: int
    calories: float


class Readings(NamedTuple):
    """`each` readings of each user, at a fixed interval; no two alike."""

    users: int
    each: int
    start: datetime
    every: int
    seed: int

    @property
    def total(self) -> int:
        """Count the readings."""
        return self.users * self.each

    def by_user(self) -> Iterator[Reading]:
        """Yield all readings of one user, then of the next, as phones upload."""
        for user in range(1, self.users + 1):
            chance = random.Random(self.seed * 1_000_003 + user)  # noqa: S311
            for step in range(self.each):
                yield self.one(user, step, chance.random())

    def by_time(self) -> Iterator[Reading]:
        """Yield one reading of each user, then the next of each, as chest straps send."""
        chance = random.Random(self.seed)  # noqa: S311
        for step in range(self.each):
            for user in range(1, self.users + 1):
                yield self.one(user, step, chance.random())

    def one(self, user: int, step: int, share: float) -> Reading:
        """Make a reading from a number between 0 and 1."""
        moment = int(self.start.timestamp()) + step * self.every
        return Reading(user, moment, int(500 + share * 1000) / 10, int(share * 997) % 4, int(share * 300) / 100)


def user_id(user: int) -> str:
    """Return the id of a user."""
    return f"runner-{user}"


def device_id(user: int, device: str = "watch") -> str:
    """Return the id of a user's device."""
    return f"{device}-{user}"


def moments(readings: Readings) -> dict[int, str]:
    """Return the text of every moment of the readings."""
    start = int(readings.start.timestamp())
    steps = range(start, start + readings.each * readings.every, readings.every)
    return {moment: datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for moment in steps}


Format = Callable[[Reading, str], str]
"""Formats a reading, whose moment is also given as text."""


def as_json(reading: Reading, moment: str) -> str:
    """Format a reading as POST /v1/readings takes it."""
    user, _, heart_rate, steps, calories = reading
    return (
        f'{{"user_id":"runner-{user}","device_id":"watch-{user}","timestamp":"{moment}",'
        f'"heart_rate":{heart_rate},"steps":{steps},"calories":{calories}}}'
    )


def as_copy_text(reading: Reading, moment: str) -> str:
    """Format a reading as a line of COPY's text format into a table like core.reading."""
    return f"{moment}\t{reading.heart_rate}\t{reading.calories}\t{reading.user}\t{reading.user}\t{reading.steps}\n"


def as_line_protocol(reading: Reading, moment: str) -> str:
    """Format a reading in InfluxDB's line protocol, with seconds."""
    user, seconds, heart_rate, steps, calories = reading
    fields = f"heart_rate={heart_rate},steps={steps}i,calories={calories}"
    return f"reading,user_id=runner-{user},device_id=watch-{user} {fields} {seconds}"


def json_array(parts: list[str]) -> bytes:
    """Join readings into the body of a request: an object for one, an array for several."""
    return parts[0].encode() if len(parts) == 1 else f"[{','.join(parts)}]".encode()


def by_line(parts: list[str]) -> bytes:
    """Join lines into the body of a request."""
    return ("\n".join(parts) + "\n").encode()


def texts(readings: Readings, order: Iterator[Reading], form: Format) -> list[str]:
    """Format readings in an order."""
    said = moments(readings)
    return [form(reading, said[reading.moment]) for reading in order]


def chunks(parts: list[str], size: int) -> Iterator[list[str]]:
    """Split into parts of a size."""
    return (parts[first : first + size] for first in range(0, len(parts), size))


def shifted(readings: Readings, by: timedelta) -> Readings:
    """Return the same readings at another time."""
    return readings._replace(start=readings.start + by)
