"""An independent model of the answers: every acknowledged reading, in exact integers.

Readings are summed per user, device and minute in flat arrays (about 50 bytes a minute), an hour at a time. Minutes in
which a range of the check begins or ends are kept as single readings.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import NamedTuple

from scripts.simulate.reading import MICRO, Reading

MINUTE = 60 * MICRO
"""Microseconds in a minute."""

MINUTES = 60
"""Minutes in an hour."""

Rank = Callable[[str], tuple[int, int]]
"""The rank of a device; the smallest wins."""

NO_MINIMUM = 2**31 - 1


class Total(NamedTuple):
    """Exact aggregates of some readings; heart rates and calories in millionths."""

    beats_count: int = 0
    beats: int = 0
    beats_min: int = NO_MINIMUM
    beats_max: int = 0
    steps_count: int = 0
    steps: int = 0
    calories_count: int = 0
    calories: int = 0

    @property
    def empty(self) -> bool:
        """Return whether the total contains no reading."""
        return not (self.beats_count or self.steps_count or self.calories_count)


def plus(a: Total, b: Total) -> Total:
    """Return the sum of two totals."""
    return Total(
        a.beats_count + b.beats_count,
        a.beats + b.beats,
        min(a.beats_min, b.beats_min),
        max(a.beats_max, b.beats_max),
        a.steps_count + b.steps_count,
        a.steps + b.steps,
        a.calories_count + b.calories_count,
        a.calories + b.calories,
    )


class Block(NamedTuple):
    """The minutes of one hour, with an array for each field of Total."""

    beats_count: array[int]
    beats: array[int]
    beats_min: array[int]
    beats_max: array[int]
    steps_count: array[int]
    steps: array[int]
    calories_count: array[int]
    calories: array[int]


def new_block() -> Block:
    """Return an hour without readings."""
    zeros = bytes(8 * MINUTES)
    count, total = zeros[: 4 * MINUTES], zeros
    return Block(
        array("i", count),
        array("q", total),
        array("i", [NO_MINIMUM]) * MINUTES,
        array("i", count),
        array("i", count),
        array("q", total),
        array("i", count),
        array("q", total),
    )


def record(block: Block, minute: int, reading: Reading) -> None:
    """Add a reading to a minute of its hour."""
    beats, steps, calories = reading.heart_rate, reading.steps, reading.calories
    if beats is not None:
        block.beats_count[minute] += 1
        block.beats[minute] += beats
        block.beats_min[minute] = min(block.beats_min[minute], beats)
        block.beats_max[minute] = max(block.beats_max[minute], beats)
    if steps is not None:
        block.steps_count[minute] += 1
        block.steps[minute] += steps
    if calories is not None:
        block.calories_count[minute] += 1
        block.calories[minute] += calories


def winners(blocks: list[Block]) -> Block:
    """Apply the device rule: in each minute, each metric comes from the first block (best device) that has it."""
    if len(blocks) == 1:
        return blocks[0]
    best = Block(*(column[:] for column in blocks[0]))
    for other in blocks[1:]:
        for minute in range(MINUTES):
            if not best.beats_count[minute] and other.beats_count[minute]:
                for column in range(4):
                    best[column][minute] = other[column][minute]
            if not best.steps_count[minute] and other.steps_count[minute]:
                for column in range(4, 6):
                    best[column][minute] = other[column][minute]
            if not best.calories_count[minute] and other.calories_count[minute]:
                for column in range(6, 8):
                    best[column][minute] = other[column][minute]
    return best


def sliced(block: Block, start: int, end: int) -> Total:
    """Return the total of an hour's minutes, `start <= minute < end`."""
    cut = [column[start:end] for column in block]
    return Total(sum(cut[0]), sum(cut[1]), min(cut[2]), max(cut[3]), sum(cut[4]), sum(cut[5]), sum(cut[6]), sum(cut[7]))


def resolve_minute(readings: Iterable[Reading], rank: Rank) -> Total:
    """Apply the device rule to the single readings of one minute."""
    ordered = sorted(readings, key=lambda reading: rank(reading.device))
    beats = _of_best([(r.device, r.heart_rate) for r in ordered])
    steps = _of_best([(r.device, r.steps) for r in ordered])
    calories = _of_best([(r.device, r.calories) for r in ordered])
    return Total(
        len(beats),
        sum(beats),
        min(beats, default=NO_MINIMUM),
        max(beats, default=0),
        len(steps),
        sum(steps),
        len(calories),
        sum(calories),
    )


def _of_best(values: list[tuple[str, int | None]]) -> list[int]:
    """Return the values of the first device that has any."""
    best = next((device for device, value in values if value is not None), None)
    return [value for device, value in values if device == best and value is not None]


class Model:
    """All settled readings. A reading settles once, when it will not be overwritten any more."""

    def __init__(self, kept: Iterable[int] = ()) -> None:
        """`kept`: moments (microseconds) whose minutes are kept as single readings."""
        self.kept = {at // MINUTE for at in kept}
        self.single: dict[tuple[str, int], list[Reading]] = defaultdict(list)
        self.blocks: dict[tuple[str, int], dict[str, Block]] = defaultdict(dict)
        self.resolved: dict[tuple[str, int], Block] = {}
        self.count = 0

    def settle(self, reading: Reading) -> None:
        """Add the final state of one identity."""
        self.count += 1
        number = reading.at // MINUTE
        if number in self.kept:
            self.single[reading.user, number].append(reading)
            return
        hour, minute = divmod(number, MINUTES)
        devices = self.blocks[reading.user, hour]
        block = devices.get(reading.device)
        if block is None:
            block = devices[reading.device] = new_block()
        record(block, minute, reading)

    def total(self, user: str, start: int, end: int, rank: Rank) -> Total:
        """Return the total of a user for `start <= t < end` (microseconds); only valid when all readings have settled.

        A range may begin or end inside a kept minute, or in a minute without readings on the other side.
        """
        first, last = start // MINUTE, (end - 1) // MINUTE
        total = Total()
        for number in self.kept:
            if first <= number <= last:
                inside = [r for r in self.single.get((user, number), ()) if start <= r.at < end]
                total = plus(total, resolve_minute(inside, rank))
        for hour in range(first // MINUTES, last // MINUTES + 1):
            block = self._hour(user, hour, rank)
            if block is not None:
                low, high = max(first - hour * MINUTES, 0), min(last - hour * MINUTES + 1, MINUTES)
                total = plus(total, sliced(block, low, high))
        return total

    def _hour(self, user: str, hour: int, rank: Rank) -> Block | None:
        """Return the winners of a user's hour, computed once."""
        if (user, hour) not in self.blocks:
            return None
        if (user, hour) not in self.resolved:
            devices = self.blocks[user, hour]
            self.resolved[user, hour] = winners([devices[name] for name in sorted(devices, key=rank)])
        return self.resolved[user, hour]
