"""The rate that can be kept up for ever: short windows close in on it, and a long one confirms it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple

from scripts.bench.sustained.monitor import LOOK_SECONDS, Look, Seen

MOST_AGE = 120.0
"""Seconds that a stale day may wait."""
NEAR = 1.12
"""Times the rate that was kept up, at which one that was not is near enough."""
HEADROOM = 0.95
"""Of the rate that short windows found, which is confirmed."""
LESS = 0.85
"""Of a rate that was not confirmed, which is tried next."""
MORE = 1.5
"""Times a rate that was kept up, which is tried next where none was too much yet."""
GROWTH, SHORT_GROWTH = 0.05, 0.15
"""Of what arrives, by which what waits may grow: a refresh works in pieces, which a short window sees few of."""
WINDOWS, ATTEMPTS = 6, 3
BEGIN = 1 / 3
"""Of a window, after which growth is looked at: what waits at all has gathered by then."""

Run = Callable[[float | None, float], Seen]
"""Sends at a rate, or as fast as is answered, for so many seconds."""
Drain = Callable[[], bool]
"""Waits until nothing is stale; whether that came to be."""
Say = Callable[[str], None]


class Verdict(NamedTuple):
    """Whether a window could go on for ever, and if not, why."""

    is_kept_up: bool
    why: str = ""

    @property
    def words(self) -> str:
        """Say so."""
        return "kept up" if self.is_kept_up else f"not kept up: {self.why}"


class Found(NamedTuple):
    """The window that was kept up, or the last one that was not."""

    seen: Seen
    verdict: Verdict


class Stopped(Exception):
    """Nothing was kept up; the message says why."""


def growth(seen: Seen) -> float:
    """Return by how much the days that wait grow, as a share of those that arrive."""
    looks = [look for look in seen.looks if BEGIN * seen.seconds <= look.at <= seen.seconds + LOOK_SECONDS]
    arriving = seen.progress.days / seen.seconds
    return slope(looks) / arriving if len(looks) > 2 and arriving else 0.0


def slope(looks: Sequence[Look]) -> float:
    """Return how many days more wait each second."""
    moments, days = [look.at for look in looks], [float(look.waiting.days) for look in looks]
    return statistics.linear_regression(moments, days).slope


def judge(seen: Seen, most_growth: float = GROWTH) -> Verdict:
    """Tell whether a window could go on for ever, at the rate that was acknowledged."""
    if seen.progress.refusal:
        return Verdict(False, seen.progress.refusal)
    if seen.age > MOST_AGE:
        return Verdict(False, f"a stale day was {seen.age:.0f} s old")
    if (grown := growth(seen)) > most_growth:
        return Verdict(False, f"what waits grew by {grown:.0%} of what arrived")
    return Verdict(True)


def refreshed(seen: Seen) -> float:
    """Return the readings a second of a window that did not wait any longer in the end."""
    return seen.rate * (1 - min(0.95, max(0.0, growth(seen))))


def next_rate(seen: Seen, low: float, high: float | None) -> float:
    """Return the rate to try after a window, between what was kept up and what was not."""
    if high is None:
        return seen.rate * MORE
    if not low:
        return min(refreshed(seen), high * 0.9)
    return math.sqrt(low * high)


def search(run: Run, drain: Drain, top: float | None, seconds: float, say: Say) -> float:
    """Close in by short windows, the first at the top, or as fast as is answered; return the rate they come to."""
    low, high, rate = 0.0, None, top
    for _ in range(WINDOWS):
        seen = run(rate, seconds)
        verdict = judge(seen, SHORT_GROWTH)
        say(f"  {seen.rate:,.0f}/s for {seen.seconds:.0f} s {verdict.words}")
        if seen.progress.refusal or not seen.progress.readings:
            raise Stopped(seen.progress.refusal or "nothing was taken")
        if verdict.is_kept_up:
            low = max(low, seen.rate)
        else:
            high = min(high or seen.rate, seen.rate)
        rate = next_rate(seen, low, high)
        if not drain():
            raise Stopped(f"what waited after {seen.rate:,.0f}/s was not refreshed")
        if (low and high is None and seen.offered == top) or (low and high and high < low * NEAR):
            break
    return low or rate or 1.0


def confirm(run: Run, drain: Drain, rate: float, seconds: float, say: Say, most_growth: float = GROWTH) -> Found:
    """Send for long at a rate, and at less where it is not kept up."""
    for attempt in range(1, ATTEMPTS + 1):
        seen = run(rate, seconds)
        verdict = judge(seen, most_growth)
        say(f"  {seen.rate:,.0f}/s for {seen.seconds:.0f} s {verdict.words}")
        if verdict.is_kept_up or seen.progress.refusal or attempt == ATTEMPTS or not drain():
            break
        rate = LESS * seen.rate if growth(seen) <= most_growth else refreshed(seen)
    return Found(seen, verdict)
