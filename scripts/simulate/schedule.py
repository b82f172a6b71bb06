"""What is measured when: the history, the live ticks and the bursts, as readings in the order they are sent.

Live ticks fall on whole milliseconds, bursts half a millisecond after one and probes a quarter, so no two of
them are ever the same reading.
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


class Cast(NamedTuple):
    """Who wears what."""

    seed: int
    users: tuple[str, ...]
    devices: tuple[str, ...]


class Tick(NamedTuple):
    """Readings that fall due at one moment (microseconds)."""

    due: int
    readings: list[Reading]


def reports(cast: Cast, user: str, device: str, at: int) -> tuple[bool, bool, bool]:
    """Whether heart rate, steps and calories are reported; a phone never has a heart rate.

    A single device always reports all three. Of several, each loses contact now and then, so that the rule
    "the best device that reported this metric" has something to decide.
    """
    if len(cast.devices) == 1:
        return True, True, True
    heart = not device.startswith("phone")
    chance = physiology.uniform(crc32(user.encode()), crc32(device.encode()), at // (300 * MICRO), cast.seed)
    if chance >= FAULTY_SHARE:
        return heart, True, True
    lost = int(chance / FAULTY_SHARE * 3)
    return heart and lost != 0, lost != 1, lost != 2 or not heart


def measured(cast: Cast, user: str, device: str, at: int, span: float) -> Reading:
    """Return what a device measures at a moment, its steps and calories counted over the `span` seconds before."""
    noise = 0 if device == DEFAULT_DEVICE else crc32(device.encode())
    seen = physiology.measure(cast.seed, user, at, span, noise)
    heart, steps, calories = reports(cast, user, device, at)
    return Reading(
        user,
        device,
        at,
        round(seen.heart_rate * MICRO) if heart else None,
        seen.steps if steps else None,
        round(seen.calories * MICRO) if calories else None,
    )


def history(cast: Cast, start: int, end: int, every: float) -> Iterator[Reading]:
    """Past readings with `start <= t < end`, a day of one device at a time, as devices upload them."""
    step = round(every * MICRO)
    for midnight in range(start // DAY * DAY, end, DAY):
        for user in cast.users:
            phase = crc32(user.encode()) % step // MICRO * MICRO  # not everybody on the full minute
            first = phase - (phase - max(start, midnight)) // step * step
            for device in cast.devices:
                for at in range(first, min(end, midnight + DAY), step):
                    yield measured(cast, user, device, at, every)


def history_size(cast: Cast, start: int, end: int, every: float) -> int:
    """About how many readings `history` gives."""
    return round((end - start) / (every * MICRO)) * len(cast.users) * len(cast.devices)


def ticks(cast: Cast, start: int, every: float) -> Iterator[Tick]:
    """Each user's devices measure every `every` seconds; the users are spread evenly over that time."""
    count = 0
    while True:
        for index, user in enumerate(cast.users):
            at = start + round((count + index / len(cast.users)) * every * MICRO)
            at -= at % MILLI
            yield Tick(at, [measured(cast, user, device, at, every) for device in cast.devices])
        count += 1


def bursts(cast: Cast, start: int, every: float, size: int) -> Iterator[Tick]:
    """Every `every` seconds `size` readings at once, measured since the burst before."""
    period = round(every * MICRO)
    pairs = [(user, device) for user in cast.users for device in cast.devices]
    due = start
    while True:
        due += period
        yield Tick(due, [_in_burst(cast, pairs, due - period, period, size, number) for number in range(size)])


def _in_burst(cast: Cast, pairs: list[tuple[str, str]], begin: int, period: int, size: int, number: int) -> Reading:
    """One reading of a burst: pairs take turns, and a turn's moment is the same for all."""
    turn, which = divmod(number, len(pairs))
    turns = -(-size // len(pairs))
    at = begin + period * turn // turns
    user, device = pairs[which]
    return measured(cast, user, device, at - at % MILLI + MILLI // 2, period / turns / MICRO)


def live(cast: Cast, start: int, every: float, burst: float | None, burst_size: int) -> Iterator[Tick]:
    """Ticks and bursts by due time, without end."""
    if burst is None:
        return ticks(cast, start, every)
    return heapq.merge(ticks(cast, start, every), bursts(cast, start, burst, burst_size), key=lambda t: t.due)


class Held:
    """Readings that are kept back, as by a device that is out of reach, and sent late."""

    def __init__(self, share: float, longest: float, draw: Random) -> None:
        """`longest`: seconds that a reading is kept back at most."""
        self.share = share
        self.longest = round(longest * MICRO)
        self.draw = draw
        self.waiting: list[tuple[int, Reading]] = []

    def hold(self, reading: Reading, now: int) -> bool:
        """Keep the reading back, if it is one of the late ones."""
        if not self.share or self.draw.random() >= self.share:
            return False
        heapq.heappush(self.waiting, (now + self.draw.randint(self.longest // 10, self.longest), reading))
        return True

    def next_due(self) -> int | None:
        """When the next one is due (microseconds)."""
        return self.waiting[0][0] if self.waiting else None

    def release(self, now: int | None) -> Iterator[Reading]:
        """Those that are due; with None, all."""
        while self.waiting and (now is None or self.waiting[0][0] <= now):
            yield heapq.heappop(self.waiting)[1]
