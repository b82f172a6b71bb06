"""The series that a process knows to be registered: which device measures which metric of which user.

They hold under a version of names, as keys do, and a series stays registered until its user is erased.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

Series: TypeAlias = tuple[bytes, int, bytes]
"""The keys of a user, packed, of a metric, and of a device, packed."""

MOST_KNOWN = 200_000  # some 30 MB


class KnownSeries:
    """Series whose registration is committed, under one version of names."""

    def __init__(self) -> None:
        self.version = -1
        self.known: set[Series] = set()

    def missing(self, series: set[Series], version: int) -> set[Series]:
        """Return those that are not known to be registered."""
        return series - self.known if version == self.version else series

    def add(self, series: Iterable[Series], version: int) -> None:
        """Note that series are registered."""
        if version != self.version or len(self.known) > MOST_KNOWN:
            self.version, self.known = version, set()
        self.known.update(series)
