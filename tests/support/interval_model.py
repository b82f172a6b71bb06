"""The rule of intervals by brute force: what counts in an hour of a user and a metric, minute by minute.

Written from docs/metrics.md, with nothing of the product in it. Moments are whole microseconds, amounts whole numbers
of the metric's least unit: things that are counted, or millionths.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from tests.support.moments import HOUR, MINUTE

COARSE = 5 * MINUTE
KEPT_HOURS = 10_000


class Instant(NamedTuple):
    """What a device measured at a moment."""

    device: str
    ts: int
    amount: int


class Stretch(NamedTuple):
    """What a device counted from a moment to another; the newer version is what was sent later."""

    device: str
    ts: int
    end: int
    amount: int
    version: int


class Total(NamedTuple):
    """What a device says that a whole day came to; the newer version is what was sent later."""

    device: str
    ts: int
    end: int
    amount: int
    version: int


class Window(NamedTuple):
    """When a device was worn."""

    device: str
    ts: int
    end: int


class Piece(NamedTuple):
    """What an instant, or an interval in one minute, comes to; an instant has no length."""

    device: str
    start: int
    end: int
    amount: int
    begins: bool

    @property
    def minute(self) -> int:
        return self.start // MINUTE * MINUTE

    def cut(self, start: int, end: int) -> Piece | None:
        """Return what of it lies in a range."""
        if self.start == self.end:
            return self if start <= self.start < end else None
        low, high = max(self.start, start), min(self.end, end)
        if low >= high:
            return None
        length = self.end - self.start
        amount = self.amount * (high - self.start) // length - self.amount * (low - self.start) // length
        return Piece(self.device, low, high, amount, self.begins and low == self.start)


def overlap(a_start: int, a_end: int, b_start: int, b_end: int) -> bool:
    return a_start < b_end and b_start < a_end


def hours_of(start: int, end: int) -> range:
    """Return the starts of the hours that a stretch overlaps."""
    return range(start // HOUR * HOUR, end, HOUR)


def shares(cell: int, instants: Sequence[Instant], stretches: Sequence[Stretch]) -> dict[tuple[Stretch, int], int]:
    """Return what each interval gives to each minute of an hour, where nothing of its own device is before it."""
    left = {}
    for one in stretches:
        for minute in range(cell, cell + HOUR, MINUTE):
            start, end = max(one.ts, minute), min(one.end, minute + MINUTE)
            if start >= end:
                continue
            finer = any(each.device == one.device and minute <= each.ts < minute + MINUTE for each in instants)
            newer = any(
                other.device == one.device
                and other.version > one.version
                and overlap(other.ts, other.end, one.ts, one.end)
                and overlap(other.ts, other.end, minute, minute + MINUTE)
                for other in stretches
            )
            if not finer and not newer:
                length = one.end - one.ts
                left[one, minute] = one.amount * (end - one.ts) // length - one.amount * (start - one.ts) // length
    return left


def winners(
    cell: int,
    instants: Sequence[Instant],
    stretches: Sequence[Stretch],
    windows: Sequence[Window],
    rank: Callable[[str], int],
) -> dict[int, str]:
    """Return the device that wins each minute of an hour, of the minutes that one covers."""
    measuring = {each.device for each in instants} | {each.device for each in stretches}
    best = {}
    for minute in range(cell, cell + HOUR, MINUTE):
        covering = {each.device for each in instants if minute <= each.ts < minute + MINUTE}
        covering |= {each.device for each in stretches if overlap(each.ts, each.end, minute, minute + MINUTE)}
        covering |= {
            each.device
            for each in windows
            if each.device in measuring and overlap(each.ts, each.end, minute, minute + MINUTE)
        }
        if covering:
            best[minute] = min(covering, key=rank)
    return best


def resolve(
    cell: int,
    instants: Iterable[Instant],
    stretches: Iterable[Stretch],
    windows: Iterable[Window],
    rank: Callable[[str], tuple[int, int]],
) -> list[Piece]:
    """Return what an hour comes to, given everything that overlaps it: what does not count has the amount 0.

    Of one device alone, ask with what that device sent and without windows.
    """
    instants = tuple(each for each in instants if cell <= each.ts < cell + HOUR)
    stretches = tuple(each for each in stretches if overlap(each.ts, each.end, cell, cell + HOUR))
    windows = tuple(each for each in windows if overlap(each.ts, each.end, cell, cell + HOUR))
    ranks = tuple(sorted({each.device for each in (*instants, *stretches, *windows)}, key=rank))
    return resolved(cell, instants, stretches, windows, ranks)


@lru_cache(KEPT_HOURS)
def resolved(
    cell: int,
    instants: tuple[Instant, ...],
    stretches: tuple[Stretch, ...],
    windows: tuple[Window, ...],
    ranks: tuple[str, ...],
) -> list[Piece]:
    """Do so for what overlaps the hour, of devices in the order of their ranks; many questions are about one hour."""
    left = shares(cell, instants, stretches)
    best = winners(cell, instants, stretches, windows, ranks.index)
    given: Counter[tuple[int, str]] = Counter()
    for each in instants:
        given[each.ts // MINUTE * MINUTE, each.device] += each.amount
    for (one, at), amount in left.items():
        given[at, one.device] += amount
    pieces = [
        Piece(
            each.device, each.ts, each.ts, each.amount if best[each.ts // MINUTE * MINUTE] == each.device else 0, True
        )
        for each in instants
    ]
    for one in stretches:
        minutes = [m for m in range(cell, cell + HOUR, MINUTE) if overlap(one.ts, one.end, m, m + MINUTE)]
        won = [m for m in minutes if (one, m) in left and best[m] == one.device]
        counts = {m: left[one, m] for m in won}
        if one.end - one.ts > COARSE:
            counts = capped(cell, one, minutes, counts, left, best, given, windows)
        pieces += [
            Piece(one.device, max(one.ts, m), min(one.end, m + MINUTE), counts.get(m, 0), one.ts >= m) for m in minutes
        ]
    return pieces


def counting(
    totals: Iterable[Total],
    instants: Iterable[Instant],
    stretches: Iterable[Stretch],
    device: str | None,
    rank: Callable[[str], tuple[int, int]],
) -> list[Total]:
    """Return the daily totals that count, of all devices or of one alone, given everything of a metric.

    Nothing finer lies in one or overlaps it, and no total of a better device, or a newer one of its device.
    """
    totals = [each for each in totals if device in (None, each.device)]
    instants = [each for each in instants if device in (None, each.device)]
    stretches = [each for each in stretches if device in (None, each.device)]
    return [
        one
        for one in totals
        if not any(one.ts <= each.ts < one.end for each in instants)
        and not any(overlap(each.ts, each.end, one.ts, one.end) for each in stretches)
        and not any(
            overlap(each.ts, each.end, one.ts, one.end)
            and (each.version > one.version if each.device == one.device else rank(each.device) < rank(one.device))
            for each in totals
        )
    ]


def capped(
    cell: int,
    one: Stretch,
    minutes: list[int],
    counts: dict[int, int],
    left: dict[tuple[Stretch, int], int],
    best: dict[int, str],
    given: Mapping[tuple[int, str], int],
    windows: Sequence[Window],
) -> dict[int, int]:
    """Return what a coarse interval counts by minute, beside better devices that may not have been worn throughout."""
    start, end = max(one.ts, cell), min(one.end, cell + HOUR)
    worn = {each.device for each in windows if overlap(each.ts, each.end, start, end)}
    lost = [m for m in minutes if best[m] != one.device and best[m] not in worn]
    if not lost:
        return counts
    share = sum(left.get((one, m), 0) for m in minutes)
    better = sum(given[m, best[m]] for m in lost if m >= one.ts)
    in_all = sum(counts.values())
    most = min(in_all, max(0, share - better))
    if most == in_all:
        return counts
    answer, so_far = {}, 0
    for m, amount in sorted(counts.items()):
        answer[m] = most * (so_far + amount) // in_all - most * so_far // in_all
        so_far += amount
    return answer
