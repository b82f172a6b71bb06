"""Estimate a ratio and its confidence interval from many noisy comparisons."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from itertools import combinations_with_replacement
from typing import NamedTuple

Z = 1.96  # of a normal distribution, for 95 %


class Ratio(NamedTuple):
    """A ratio and its 95 % confidence interval."""

    middle: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.middle - 1:+.1%} ({self.low - 1:+.1%} to {self.high - 1:+.1%})"


def ratio(pairs: Sequence[tuple[float, float]]) -> Ratio:
    """Compare the second values of pairs with the first: the median of the means of any two logarithms of ratios.

    Hodges and Lehmann's estimate, which a few wild pairs hardly move, with the interval of Wilcoxon's signed ranks.
    No pair is left out. Fewer than six pairs give no interval of 95 %: then it holds all of them.
    """
    logs = [math.log(second / first) for first, second in pairs]
    means = sorted((one + other) / 2 for one, other in combinations_with_replacement(logs, 2))
    count = len(logs)
    beyond = count * (count + 1) / 4 - Z * math.sqrt(count * (count + 1) * (2 * count + 1) / 24)
    outside = max(0, math.floor(beyond))
    return Ratio(
        math.exp(statistics.median(means)), math.exp(means[outside]), math.exp(means[len(means) - 1 - outside])
    )
