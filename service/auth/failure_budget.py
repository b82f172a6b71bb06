"""How often an address may present what is no key: guessing is hopeless, but each guess costs a look."""

from __future__ import annotations

import time
from collections import OrderedDict

from service.errors import RateLimited

PER_SECOND = 1.0  # failures that are forgotten
MOST_ADDRESSES = 10_000


class FailureBudget:
    """Counts failures by address, `most` in a burst; the addresses that failed longest ago are forgotten first."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.failures: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def require(self, address: str) -> None:
        """Raise RateLimited where an address failed too often lately."""
        left = self.spent(address) - self.most + 1
        if left > 0:
            raise RateLimited(
                "Too many requests of this address came without a valid key.",
                retry_after=max(1, round(left / PER_SECOND)),
            )

    def spend(self, address: str) -> None:
        """Count a failure."""
        self.failures[address] = (self.spent(address) + 1, time.monotonic())
        self.failures.move_to_end(address)
        if len(self.failures) > MOST_ADDRESSES:
            self.failures.popitem(last=False)

    def spent(self, address: str) -> float:
        """Return how many failures count at this moment."""
        count, at = self.failures.get(address, (0.0, 0.0))
        return max(0.0, count - (time.monotonic() - at) * PER_SECOND)
