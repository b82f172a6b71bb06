"""What readings carry: the three metrics, one other metric, an interval, or what a phone and a watch send of a day."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import NamedTuple

from scripts.bench.ingest.readings import Format, Reading, Readings, as_copy_text, as_json, texts

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR
AWAKE = range(7 * HOUR, 23 * HOUR)
"""Seconds of a day in which steps are counted."""


class Kind(NamedTuple):
    """A kind of readings, and where they are stored."""

    name: str
    tables: tuple[str, ...]
    as_json: Format | None
    """None where the readings are those of a day."""
    as_copy_text: Format | None
    """A line into a table like the first one; None where there is no single table."""
    columns: str = ""
    """Of that line."""
    every: int | None = None
    """Seconds between two readings of a user, where they are not those of the run."""

    def spread(self, readings: Readings) -> Readings:
        """Return as many readings up to the same time, as far apart as this kind of readings is."""
        if self.every is None:
            return readings
        end = readings.start + timedelta(seconds=readings.each * readings.every)
        return readings._replace(every=self.every, start=end - timedelta(seconds=readings.each * self.every))

    def texts(self, readings: Readings, order: Iterator[Reading]) -> list[str]:
        """Format readings in an order; of a day, as many."""
        if self.as_json is None:
            return list(islice(days(readings), readings.total))
        return texts(readings, order, self.as_json)


def head(user: int, device: str, moment: str) -> str:
    """Write what stands before the metrics of a reading."""
    return f'{{"user_id":"runner-{user}","device_id":"{device}-{user}","timestamp":"{moment}"'


def spo2_as_json(reading: Reading, moment: str) -> str:
    """Format the oxygen saturation, a metric besides the three."""
    return f'{head(reading.user, "watch", moment)},"spo2":{spo2_of(reading)}}}'


def spo2_as_copy_text(reading: Reading, moment: str) -> str:
    """Format it as a line of COPY's text format into a table like core.sample; 9 is the key of spo2."""
    return f"{moment}\t{spo2_of(reading)}\t{reading.user}\t{reading.user}\t9\n"


def spo2_of(reading: Reading) -> float:
    """Make an oxygen saturation of a reading's heart rate."""
    return int(800 + reading.heart_rate) / 10


def steps_as_json(reading: Reading, moment: str) -> str:
    """Format the steps of a minute."""
    return f'{head(reading.user, "watch", moment)},"end":"{text(reading.moment + MINUTE)}","steps":{reading.steps}}}'


def steps_as_copy_text(reading: Reading, moment: str) -> str:
    """Format them as a line of COPY's text format into a table like core.interval."""
    end = text(reading.moment + MINUTE)
    return f"{moment}\t{end}\t{reading.steps}\t{reading.moment}\t{reading.user}\t2\t{reading.user}\n"


def text(moment: int) -> str:
    """Write a moment."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def days(readings: Readings) -> Iterator[str]:
    """Yield the day before the end of the readings of each user, kind by kind as phones read it from their stores.

    A watch measures the heart rate each minute, the oxygen saturation each fifth, and counts the steps of each minute
    in which it is moved; a phone counts steps and distance of ten minutes. Once a day come the heart rate at rest, and
    the weight. These are 2,306 readings, of 2,402 values.
    """
    start = (int(readings.start.timestamp()) + readings.each * readings.every - DAY) // MINUTE * MINUTE
    said = {moment: text(moment) for moment in range(start, start + DAY + 1, MINUTE)}
    for user in range(1, readings.users + 1):
        chance = random.Random(readings.seed * 1_000_003 + user).random  # noqa: S311
        for at in range(0, DAY, MINUTE):
            yield f'{head(user, "watch", said[start + at])},"heart_rate":{int(500 + chance() * 1000) / 10}}}'
        for at in AWAKE[:: 2 * MINUTE]:
            end = said[start + at + MINUTE]
            yield f'{head(user, "watch", said[start + at])},"end":"{end}","steps":{int(chance() * 130)}}}'
        for at in range(0, DAY, 5 * MINUTE):
            yield f'{head(user, "watch", said[start + at])},"spo2":{int(900 + chance() * 100) / 10}}}'
        for at in AWAKE[:: 10 * MINUTE]:
            steps, end = int(chance() * 900), said[start + at + 10 * MINUTE]
            moved = f'"steps":{steps},"distance":{steps * 0.7:.1f}'
            yield f'{head(user, "phone", said[start + at])},"end":"{end}",{moved}}}'
        yield f'{head(user, "watch", said[start + 7 * HOUR])},"resting_heart_rate":{int(50 + chance() * 20)}}}'
        yield f'{head(user, "phone", said[start + 7 * HOUR])},"body_weight":{int(600 + chance() * 300) / 10}}}'


THREE = Kind(
    "fresh", ("core.reading",), as_json, as_copy_text, "reading (ts, heart_rate, calories, user_key, device_key, steps)"
)
ONE_OTHER = Kind(
    "one other metric",
    ("core.sample",),
    spo2_as_json,
    spo2_as_copy_text,
    "sample (ts, value, user_key, device_key, metric_key)",
)
INTERVALS = Kind(
    "intervals",
    ("core.interval",),
    steps_as_json,
    steps_as_copy_text,
    "interval (ts, ends_at, value, version, user_key, metric_key, device_key)",
    MINUTE,
)
WEARABLES = Kind("a day of a phone and a watch", ("core.reading", "core.sample", "core.interval"), None, None)
