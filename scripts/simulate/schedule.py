"""The schedule of measurements: history, live ticks and bursts, as readings in the order in which they are sent.

Live ticks are at whole milliseconds, bursts half a millisecond later and probes a quarter, so that no two of them are
the same reading.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from random import Random
from typing import NamedTuple
from zlib import crc32

from scripts.simulate import physiology
from scripts.simulate.reading import DEFAULT_DEVICE, MICRO, Reading

MILLI = 1000
"""Microseconds in a millisecond."""

DAY = physiology.DAY * MICRO
"""Microseconds in a day."""

FAULTY_SHARE = 0.3
"""Share of five-minute stretches in which one of several devices lacks a metric."""


class Population(NamedTuple):
    """The users and their devices."""

    seed: int
    users: tuple[str, ...]
    devices: tuple[str, ...]


class Tick(NamedTuple):
    """Readings that are due at one moment (microseconds)."""

    due: int
    readings: list[Reading]


def reports(population: Population, user: str, device: str, at: int) -> tuple[bool, bool, bool]:
    """Return whether heart rate, steps and calories are reported; a phone never reports a heart rate.

    A single device always reports all three. Of several, each lacks a metric now and then, so that the rule "the best
    device that reported this metric" is exercised.
    """
    if len(population.devices) == 1:
        return True, True, True
    heart = not device.startswith("phone")
    chance = physiology.uniform(crc32(user.encode()), crc32(device.encode()), at // (300 * MICRO), population.seed)
    if chance >= FAULTY_SHARE:
        return heart, True, True
    lost = int(chance / FAULTY_SHARE * 3)
    return heart and lost != 0, lost != 1, lost != 2 or not heart


def measured(population: Population, user: str, device: str, at: int, span: float) -> Reading:
    """Return the reading of a device at a moment, with steps and calories of the `span` seconds before."""
    noise = 0 if device == DEFAULT_DEVICE else crc32(device.encode())
    seen = physiology.measure(population.seed, user, at, span, noise)
    heart, steps, calories = reports(population, user, device, at)
    return Reading(
        user,
        device,
        at,
        round(seen.heart_rate * MICRO) if heart else None,
        seen.steps if steps else None,
        round(seen.calories * MICRO) if calories else None,
    )


def history(population: Population, start: int, end: int, every: float) -> Iterator[Reading]:
    """Yield past readings with `start <= t < end`, a day of one device at a time, as devices upload."""
    step = round(every * MICRO)
    for midnight in range(start // DAY * DAY, end, DAY):
        for user in population.users:
            phase = crc32(user.encode()) % step // MICRO * MICRO  # users are spread over the minute
            first = phase - (phase - max(start, midnight)) // step * step
            for device in population.devices:
                for at in range(first, min(end, midnight + DAY), step):
                    yield measured(population, user, device, at, every)


def history_size(population: Population, start: int, end: int, every: float) -> int:
    """Return the approximate number of readings that `history` yields."""
    return round((end - start) / (every * MICRO)) * len(population.users) * len(population.devices)


def ticks(population: Population, start: int, every: float) -> Iterator[Tick]:
    """Yield the readings of each user's devices every `every` seconds; users are spread evenly over that time."""
    count = 0
    while True:
        for index, user in enumerate(population.users):
            at = start + round((count + index / len(population.users)) * every * MICRO)
            at -= at % MILLI
            yield Tick(at, [measured(population, user, device, at, every) for device in population.devices])
        count += 1


def bursts(population: Population, start: int, every: float, size: int) -> Iterator[Tick]:
    """Yield `size` readings every `every` seconds, measured since the previous burst."""
    period = round(every * MICRO)
    pairs = [(user, device) for user in population.users for device in population.devices]
    due = start
    while True:
        due += period
        yield Tick(due, [_in_burst(population, pairs, due - period, period, size, number) for number in range(size)])


def _in_burst(
    population: Population, pairs: list[tuple[str, str]], begin: int, period: int, size: int, number: int
) -> Reading:
    """Return one reading of a burst: pairs take turns, and all readings of a turn have the same moment."""
    turn, which = divmod(number, len(pairs))
    turns = -(-size // len(pairs))
    at = begin + period * turn // turns
    user, device = pairs[which]
    return measured(population, user, device, at - at % MILLI + MILLI // 2, period / turns / MICRO)


def live(population: Population, start: int, every: float, burst: float | None, burst_size: int) -> Iterator[Tick]:
    """Yield ticks and bursts by due time, without end."""
    if burst is None:
        return ticks(population, start, every)
    return heapq.merge(
        ticks(population, start, every), bursts(population, start, burst, burst_size), key=lambda t: t.due
    )


class LateReadings:
    """Readings that are held back, as by a device without a connection, and sent late."""

    def __init__(self, share: float, longest: float, draw: Random) -> None:
        """`longest`: the most seconds that a reading is held back."""
        self.share = share
        self.longest = round(longest * MICRO)
        self.draw = draw
        self.waiting: list[tuple[int, Reading]] = []

    def hold(self, reading: Reading, now: int) -> bool:
        """Hold a reading back if it is drawn as late; return whether it is."""
        if not self.share or self.draw.random() >= self.share:
            return False
        heapq.heappush(self.waiting, (now + self.draw.randint(self.longest // 10, self.longest), reading))
        return True

    def next_due(self) -> int | None:
        """Return when the next reading is due (microseconds)."""
        return self.waiting[0][0] if self.waiting else None

    def release(self, now: int | None) -> Iterator[Reading]:
        """Yield the readings that are due; all for None."""
        while self.waiting and (now is None or self.waiting[0][0] <= now):
            yield heapq.heappop(self.waiting)[1]
