"""Steps over intervals, as a phone and a watch count them, and the steps that were really walked.

The phone counts some minutes at a time, sends a total that grows, and is not always carried. The watch counts each
minute, omits those without a step, says when it is worn, and is off to be charged. Both sync late now and then. While
the watch is off the phone is carried, so all that was walked is counted by at least one of them, and most by both.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple
from zlib import crc32

from scripts.simulate import physiology
from scripts.simulate.reading import MICRO, instant

WATCH, PHONE = "device_a", "phone"
"""The watch has the better priority, as the service starts."""

MINUTE = 60
DAY = physiology.DAY // MINUTE
"""Minutes in a day; all moments here are whole minutes since 1970."""

WINDOW = 60
"""The most minutes that a worn window of the watch has."""

SYNCS = {WATCH: 240, PHONE: 60}
"""Minutes between two syncs."""

LONGEST_OFFLINE = 720
CHARGED_FROM, CHARGED_FOR = 21 * 60, (40, 90)
LEFT_FROM, LEFT_FOR, LEFT_SHARE = 12 * 60, (60, 240), 0.25
CARRIED_SHARE = 0.7
GROWING_SHARE = 0.3


class Sync(NamedTuple):
    """What a device sends at once, and when."""

    minute: int
    readings: list[dict[str, Any]]


@lru_cache(maxsize=4096)
def walked(seed: int, user: str, day: int) -> tuple[int, ...]:
    """Return the steps of each minute of a day, counted from 1970-01-01."""
    starts, spells = physiology.day(seed, user, day)
    ends = (*starts[1:], float(physiology.DAY))
    total = 0.0
    steps = []
    for minute in range(DAY):
        before = int(total)
        begin, end = minute * MINUTE, (minute + 1) * MINUTE
        for start, stop, spell in zip(starts, ends, spells, strict=True):
            total += max(0.0, min(stop, end) - max(start, begin)) * spell.cadence / 60
        steps.append(int(total) - before)
    return tuple(steps)


@lru_cache(maxsize=4096)
def worn(seed: int, user: str, day: int) -> tuple[bool, ...]:
    """Return of each minute of a day whether the watch is worn."""
    off = [(CHARGED_FROM, CHARGED_FOR)]
    if chance(seed, user, day, "left") < LEFT_SHARE:
        off.append((LEFT_FROM, LEFT_FOR))
    found = [True] * DAY
    for earliest, (least, most) in off:
        begin = earliest + int(chance(seed, user, day, f"from {earliest}") * 60)
        end = begin + least + int(chance(seed, user, day, f"for {earliest}") * (most - least))
        found[begin:end] = [False] * (end - begin)
    return tuple(found)


@lru_cache(maxsize=4096)
def carried(seed: int, user: str, day: int) -> tuple[bool, ...]:
    """Return of each minute of a day whether the phone is carried: always while the watch is off."""
    return tuple(
        not is_worn or chance(seed, user, day, f"quarter {minute // 15}") < CARRIED_SHARE
        for minute, is_worn in enumerate(worn(seed, user, day))
    )


def chance(seed: int, user: str, day: int, what: str) -> float:
    """Return a hash of these as a number in [0, 1)."""
    return physiology.uniform(seed, crc32(user.encode()), day, crc32(what.encode()))


def steps_between(seed: int, user: str, start: int, end: int) -> int:
    """Return the steps that a user walked in some minutes."""
    return sum(walked(seed, user, minute // DAY)[minute % DAY] for minute in range(start, end))


def watch_readings(seed: int, user: str, start: int, end: int) -> list[dict[str, Any]]:
    """Return what the watch counted in some minutes, and when it was worn."""
    readings = []
    since: int | None = None
    for minute in range(start, end + 1):
        is_worn = minute < end and worn(seed, user, minute // DAY)[minute % DAY]
        if since is not None and (not is_worn or minute - since == WINDOW):
            readings.append(reading(user, WATCH, since, minute, worn=True))
            since = None
        if not is_worn:
            continue
        since = minute if since is None else since
        steps = walked(seed, user, minute // DAY)[minute % DAY]
        if steps:
            beats = physiology.measure(seed, user, minute * MINUTE * MICRO, MINUTE).heart_rate
            readings.append(reading(user, WATCH, minute, minute + 1, steps=steps, heart_rate=beats))
    return readings


def phone_readings(seed: int, user: str, start: int, end: int, length: int) -> list[dict[str, Any]]:
    """Return what the phone counted until a sync at `end`, since the one at `start`.

    An interval that has not ended then is sometimes sent as it is, and again when it has, from the same start.
    """
    phase = crc32(user.encode()) % length
    readings = []
    for first in range((start - phase) // length * length + phase, end, length):
        last = first + length
        is_growing = physiology.uniform(seed, crc32(user.encode()), first) < GROWING_SHARE
        if last > end and not is_growing:
            continue
        until = min(last, end)
        counted = range(max(first, 0), until)
        steps = sum(
            walked(seed, user, minute // DAY)[minute % DAY]
            for minute in counted
            if carried(seed, user, minute // DAY)[minute % DAY]
        )
        if steps:
            readings.append(reading(user, PHONE, first, until, steps=steps))
    return readings


def reading(user: str, device: str, start: int, end: int, **fields: Any) -> dict[str, Any]:
    """Return a reading from a minute to another, as the service takes it."""
    moments = [instant(minute * MINUTE * MICRO) for minute in (start, end)]
    return {"user_id": user, "device_id": device, "timestamp": moments[0], "end": moments[1], **fields}


def syncs(seed: int, user: str, start: int, end: int, length: int, late: float) -> Iterator[Sync]:
    """Yield what the devices of a user send of some minutes, in the order in which it arrives.

    `late`: the share of syncs at which a device is offline, for up to half a day; it sends in order all the same.
    """
    arriving: list[Sync] = []
    for device in (WATCH, PHONE):
        offline = start
        for begin in range(start, end, SYNCS[device]):
            stop = min(begin + SYNCS[device], end)
            if chance(seed, user, begin, device) < late:
                offline = max(offline, stop + int(chance(seed, user, begin, f"{device} is off") * LONGEST_OFFLINE))
            if device == WATCH:
                readings = watch_readings(seed, user, begin, stop)
            else:
                # What had not ended at the sync before is sent now.
                readings = phone_readings(seed, user, max(begin - length, start), stop, length)
            arriving.append(Sync(max(stop, offline), readings))
    yield from sorted(arriving, key=lambda sync: sync.minute)
