"""What a process knows to be noted in the database about samples, so that it need not note it again.

It holds under a version of names, as keys do: a series stays registered until its user is erased, and so does the day
on which a user has samples, until the horizon has passed it and samples of it are marked instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeAlias, TypeVar

Series: TypeAlias = bytes
"""The keys of a user, of a metric, and of a device, each packed."""
SampleDay: TypeAlias = tuple[bytes, int]
"""The key of a user, packed, and a day (UTC) since 2000."""

THREE = 3
"""The greatest key of a metric that readings carry."""
MOST_KNOWN = 200_000  # some 30 MB
Noted = TypeVar("Noted", Series, SampleDay)


class Known(Generic[Noted]):
    """What is noted and committed, under one version of names."""

    def __init__(self) -> None:
        self.version = -1
        self.known: set[Noted] = set()

    def missing(self, wanted: set[Noted], version: int) -> set[Noted]:
        """Return what is not known to be noted."""
        return wanted - self.known if version == self.version else wanted

    def add(self, noted: Iterable[Noted], version: int) -> None:
        """Remember what is noted."""
        if version != self.version or len(self.known) > MOST_KNOWN:
            self.version, self.known = version, set()
        self.known.update(noted)
