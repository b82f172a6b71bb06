"""Search the sustainable rate: short windows close in on it, and a long one confirms it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple

from scripts.bench.sustained.monitor import SAMPLE_SECONDS, Observed, Sample

MOST_AGE = 120.0
"""Seconds that a stale day may wait."""
NEAR = 1.12
"""The search ends when the lowest rate that failed is at most this times the highest that was kept up."""
HEADROOM = 0.95
"""Share of the rate found by short windows that is confirmed."""
LESS = 0.85
"""Share of a rate that failed that is tried next."""
MORE = 1.5
"""Multiple of a rate that was kept up that is tried next, if no rate has failed yet."""
GROWTH, SHORT_GROWTH = 0.05, 0.15
"""Share of the arrivals by which the backlog may grow; more in short windows, which contain few refreshes."""
WINDOWS, ATTEMPTS = 6, 3
BEGIN = 1 / 3
"""Share of a window that is ignored for growth, since the backlog builds up at first."""

Run = Callable[[float | None, float], Observed]
"""Sends at a rate, or as fast as is answered, for some seconds."""
Drain = Callable[[], bool]
"""Waits until nothing is stale; returns whether that happens in time."""
Say = Callable[[str], None]


class Verdict(NamedTuple):
    """Whether a window is sustainable, and if not, why."""

    is_kept_up: bool
    why: str = ""

    @property
    def words(self) -> str:
        """Return the verdict as text."""
        return "kept up" if self.is_kept_up else f"not kept up: {self.why}"


class Found(NamedTuple):
    """The window that was kept up, or the last one that failed."""

    observed: Observed
    verdict: Verdict


class Stopped(Exception):
    """No rate was kept up; the message says why."""


def growth(observed: Observed) -> float:
    """Return the growth of the backlog as a share of the arriving days."""
    samples = [
        sample
        for sample in observed.samples
        if BEGIN * observed.seconds <= sample.at <= observed.seconds + SAMPLE_SECONDS
    ]
    arriving = observed.progress.days / observed.seconds
    return slope(samples) / arriving if len(samples) > 2 and arriving else 0.0


def slope(samples: Sequence[Sample]) -> float:
    """Return the growth of the backlog in days a second."""
    moments, days = [sample.at for sample in samples], [float(sample.waiting.days) for sample in samples]
    return statistics.linear_regression(moments, days).slope


def judge(observed: Observed, most_growth: float = GROWTH) -> Verdict:
    """Return whether the rate of a window is sustainable."""
    if observed.progress.refusal:
        return Verdict(False, observed.progress.refusal)
    if observed.age > MOST_AGE:
        return Verdict(False, f"a stale day was {observed.age:.0f} s old")
    if (grown := growth(observed)) > most_growth:
        return Verdict(False, f"the backlog grew by {grown:.0%} of what arrived")
    return Verdict(True)


def refreshed(observed: Observed) -> float:
    """Return the readings a second that were refreshed in a window."""
    return observed.rate * (1 - min(0.95, max(0.0, growth(observed))))


def next_rate(observed: Observed, low: float, high: float | None) -> float:
    """Return the rate to try next, between the highest that was kept up and the lowest that failed."""
    if high is None:
        return observed.rate * MORE
    if not low:
        return min(refreshed(observed), high * 0.9)
    return math.sqrt(low * high)


def search(run: Run, drain: Drain, top: float | None, seconds: float, say: Say) -> float:
    """Close in by short windows, the first at `top` or as fast as is answered; return the rate found."""
    low, high, rate = 0.0, None, top
    for _ in range(WINDOWS):
        observed = run(rate, seconds)
        verdict = judge(observed, SHORT_GROWTH)
        say(f"  {observed.rate:,.0f}/s for {observed.seconds:.0f} s {verdict.words}")
        if observed.progress.refusal or not observed.progress.readings:
            raise Stopped(observed.progress.refusal or "nothing was taken")
        if verdict.is_kept_up:
            low = max(low, observed.rate)
        else:
            high = min(high or observed.rate, observed.rate)
        rate = next_rate(observed, low, high)
        if not drain():
            raise Stopped(f"the backlog after {observed.rate:,.0f}/s was not refreshed")
        if (low and high is None and observed.offered == top) or (low and high and high < low * NEAR):
            break
    return low or rate or 1.0


def confirm(run: Run, drain: Drain, rate: float, seconds: float, say: Say, most_growth: float = GROWTH) -> Found:
    """Send at a rate for long, and at less if it is not kept up."""
    for attempt in range(1, ATTEMPTS + 1):
        observed = run(rate, seconds)
        verdict = judge(observed, most_growth)
        say(f"  {observed.rate:,.0f}/s for {observed.seconds:.0f} s {verdict.words}")
        if verdict.is_kept_up or observed.progress.refusal or attempt == ATTEMPTS or not drain():
            break
        rate = LESS * observed.rate if growth(observed) <= most_growth else refreshed(observed)
    return Found(observed, verdict)
