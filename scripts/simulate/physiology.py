"""Plausible physiology of a person at any moment, as a pure function of (seed, user, time).

A day is a list of spells (asleep, sitting, walking, running, …). Each has a target heart rate, a cadence and an energy
cost; the heart rate follows with a lag. Nothing is stored between calls, so any reading can be computed again, in any
order and by any process. Days are days of UTC.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from functools import lru_cache
from hashlib import blake2b
from random import Random
from typing import NamedTuple

DAY = 86_400
"""Seconds in a day."""

LAG = 60.0
"""Time constant, in seconds, with which the heart follows effort."""

LOWEST, HIGHEST = 30.0, 220.0
"""Heart rates, in beats/min, that the service accepts."""

MASK = (1 << 64) - 1


class Person(NamedTuple):
    """The constant properties of a person."""

    key: int
    age: float
    weight: float
    """Kilograms."""
    resting: float
    """Heart rate at rest and awake, beats/min."""
    asleep: float
    """Heart rate in deep sleep, beats/min."""
    peak: float
    """Highest heart rate, beats/min."""
    wakes: float
    """Hours after midnight."""
    to_bed: float
    """Hours after midnight."""
    runs_early: bool


class Kind(NamedTuple):
    """Ranges from which one spell of an activity draws."""

    effort: tuple[float, float]
    """Share of the heart-rate reserve."""
    cadence: tuple[float, float]
    """Steps per minute."""
    cost: tuple[float, float]
    """Metabolic equivalents: multiples of the energy used at rest."""


class Spell(NamedTuple):
    """A stretch of one activity, until the next spell starts."""

    start: float
    """Seconds after midnight."""
    name: str
    target: float
    """The target heart rate, beats/min."""
    at_start: float
    """The lagging heart rate when the spell starts, beats/min."""
    cadence: float
    cost: float


class Measure(NamedTuple):
    """The values that a perfect device measures."""

    heart_rate: float
    """Beats/min, one decimal."""
    steps: int
    calories: float
    """kcal, two decimals."""


KINDS = {
    "sleep": Kind((0.0, 0.0), (0.0, 0.0), (0.9, 1.0)),
    "sit": Kind((0.03, 0.09), (0.0, 1.5), (1.2, 1.5)),
    "light": Kind((0.10, 0.18), (6.0, 18.0), (1.8, 2.5)),
    "walk": Kind((0.22, 0.36), (92.0, 122.0), (3.0, 4.2)),
    "run": Kind((0.62, 0.85), (152.0, 180.0), (8.0, 11.5)),
}


def mix(*parts: int) -> int:
    """Return a 64-bit hash of integers, the same on every machine."""
    h = 0x9E3779B97F4A7C15
    for part in parts:
        h = ((h ^ (part & MASK)) * 0xBF58476D1CE4E5B9) & MASK
        h = ((h ^ (h >> 29)) * 0x94D049BB133111EB) & MASK
        h ^= h >> 32
    return h


def uniform(*parts: int) -> float:
    """Return a hash of integers as a number in [0, 1)."""
    return (mix(*parts) >> 11) * 2.0**-53


@lru_cache(maxsize=100_000)
def person(seed: int, user: str) -> Person:
    """Return the person behind a user id."""
    draw = Random(f"{seed}/{user}")  # noqa: S311
    age = draw.uniform(18, 75)
    resting = draw.uniform(52, 74)
    return Person(
        key=int.from_bytes(blake2b(f"{seed}/{user}".encode(), digest_size=8).digest()),
        age=age,
        weight=draw.uniform(50, 100),
        resting=resting,
        asleep=resting - draw.uniform(5, 11),
        peak=208 - 0.7 * age,
        wakes=draw.uniform(5.7, 7.5),
        to_bed=draw.uniform(21.7, 23.4),
        runs_early=draw.random() < 0.3,
    )


def _office(draw: Random, hours: float) -> list[tuple[str, float]]:
    """Return some hours of sitting with short walks, as (activity, minutes)."""
    left = hours * 60
    plan: list[tuple[str, float]] = []
    while left > 10:
        seated = min(left, draw.uniform(40, 75))
        plan += [("sit", seated), ("walk", draw.uniform(2, 5))]
        left -= seated
    return plan


def _outline(draw: Random, who: Person, weekend: bool) -> list[tuple[str, float]]:
    """Return a waking day in order, without its evening, as (activity, minutes)."""
    run = [("run", draw.uniform(18, 42)), ("light", draw.uniform(15, 30))]
    morning = [("light", draw.uniform(25, 45))]
    if weekend:
        work = [("light", draw.uniform(60, 120)), ("walk", draw.uniform(30, 70)), *_office(draw, 4.5)]
    else:
        work = [("walk", draw.uniform(7, 18)), *_office(draw, 3.7), ("walk", draw.uniform(6, 14))]
        work += [("sit", 25.0), *_office(draw, 3.6), ("walk", draw.uniform(7, 18))]
    evening = [("light", draw.uniform(25, 50))]
    return [*morning, *run, *work, *evening] if who.runs_early else [*morning, *work, *evening, *run]


def _spell(draw: Random, who: Person, name: str, start: float, before: Spell | None) -> Spell:
    """Return a spell, which starts with the heart rate at the end of the previous one."""
    kind = KINDS[name]
    reserve = who.peak - who.resting
    target = who.asleep if name == "sleep" else who.resting + draw.uniform(*kind.effort) * reserve
    at_start = target if before is None else lagging(before, start)
    return Spell(start, name, target, at_start, draw.uniform(*kind.cadence), draw.uniform(*kind.cost))


@lru_cache(maxsize=4096)
def day(seed: int, user: str, number: int) -> tuple[tuple[float, ...], tuple[Spell, ...]]:
    """Return the starts and the spells of a day, counted from 1970-01-01."""
    draw = Random(f"{seed}/{user}/{number}")  # noqa: S311
    who = person(seed, user)
    weekend = (number + 3) % 7 >= 5
    now = (who.wakes + draw.gauss(0, 0.25) + (0.8 if weekend else 0.0)) * 3600
    spells = [_spell(draw, who, "sleep", 0.0, None)]
    for name, minutes in _outline(draw, who, weekend):
        spells.append(_spell(draw, who, name, now, spells[-1]))
        now += minutes * 60
    spells.append(_spell(draw, who, "sit", now, spells[-1]))
    bed = min(max(now + 300, (who.to_bed + draw.gauss(0, 0.25)) * 3600), DAY - 600)
    spells.append(_spell(draw, who, "sleep", bed, spells[-1]))
    return tuple(spell.start for spell in spells), tuple(spells)


def spell_at(seed: int, user: str, seconds: float) -> tuple[Spell, float]:
    """Return the spell at a moment (seconds since 1970), and that moment in seconds after midnight."""
    number, within = divmod(seconds, DAY)
    starts, spells = day(seed, user, int(number))
    return spells[bisect_right(starts, within) - 1], within


def lagging(spell: Spell, within: float) -> float:
    """Return the heart rate that follows a spell's target, `within` seconds after midnight."""
    return spell.target + (spell.at_start - spell.target) * math.exp((spell.start - within) / LAG)


def drift(key: int, seconds: float) -> float:
    """Return slow noise in [-1, 1) that is smooth over minutes."""
    lattice, share = divmod(seconds / 300, 1.0)
    low, high = uniform(key, int(lattice)), uniform(key, int(lattice) + 1)
    return 2 * (low + (high - low) * share) - 1


def measure(seed: int, user: str, at: int, span: float, device: int = 0) -> Measure:
    """Return the values of a person at a moment.

    `at`: microseconds since 1970. `span`: the seconds before `at` over which steps and calories are counted.
    `device`: distinguishes the noise of devices.
    """
    who = person(seed, user)
    seconds = at / 1_000_000
    spell, within = spell_at(seed, user, seconds)
    noise = mix(who.key, at, device)
    shares = [(noise >> shift & 0x1FFFFF) / 0x200000 for shift in (0, 21, 42)]
    beats = lagging(spell, within) + 3.0 * drift(who.key, seconds) + 2.4 * (shares[0] - 0.5)
    energy = spell.cost * 3.5 * who.weight / 200 * span / 60
    return Measure(
        heart_rate=round(min(max(beats, LOWEST), HIGHEST), 1),
        steps=int(spell.cadence * span / 60 + shares[1]),  # rounded at random, so that totals are right
        calories=int(energy * 100 + shares[2]) / 100,
    )
