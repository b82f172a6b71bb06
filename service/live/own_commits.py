"""Readings that this process writes, kept until the database announces them.

Announcements come in the order of the commits. So what a batch holds is taken in when its own announcement comes, which
carries a mark, rather than when its writer hears of the commit: somebody else may have changed it by then.

Whose readings a batch changed is announced beside the mark only while clients listen to another process, which says so
every other second. Who gets a mark alone that is not its own, says so at once, and sends its clients the state.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Iterable, Sequence
from itertools import count

from service.ingest.write_load import WriteLoad
from service.live.subscriptions import Audience, Picked
from service.model.reading import Row

HELLO_SECONDS = 2.0  # between two times that a process with clients says so
HEARD_SECONDS = 5.0  # that it is believed
MOST_KEPT = 50_000  # readings; of what is no longer here, the database is asked


class Written:
    """Batches by their marks, while somebody listens. What was undone is never announced, and makes way for others."""

    def __init__(self, audience: Audience | None = None) -> None:
        self.audience = audience
        self.write_load = WriteLoad()
        self.process = secrets.token_hex(6)
        self.numbers = count(1)
        self.batches: dict[str, list[Picked]] = {}
        self.kept = 0
        self.others_until = math.inf

    @property
    def others_listen(self) -> bool:
        """Whether clients may listen to another process."""
        return time.monotonic() < self.others_until

    def hear(self, process: str) -> None:
        """Hear that clients listen to a process."""
        if process != self.process:
            self.others_until = time.monotonic() + HEARD_SECONDS

    def begin(self) -> None:
        """Hear from now on who listens; who did before is not known."""
        self.others_until = time.monotonic() + HEARD_SECONDS

    def interrupt(self) -> None:
        """Hear nothing any more."""
        self.others_until = math.inf

    def pick(self, rows: Sequence[Row]) -> Picked | None:
        """Pick what clients want to know of new readings; None where nobody listens.

        It is quickest while they have just been read, and are in the processor's cache.
        """
        return self.audience.pick(rows) if self.audience is not None and self.audience.all else None

    def mark(self, batch: Iterable[tuple[Sequence[Row], Picked | None]]) -> str:
        """Return the mark that the announcement of new readings is to carry; they come with what was picked of them."""
        mark = f"{self.process}-{next(self.numbers)}"
        if self.audience is not None and self.audience.all:
            kept = [self.audience.pick(rows) if picked is None else picked for rows, picked in batch]
            self.batches[mark] = kept
            self.kept += size(kept)
            while self.kept > MOST_KEPT:
                self.take(next(iter(self.batches)))
        return mark

    def take(self, mark: str) -> list[Picked] | None:
        """Return the readings of a mark, once."""
        batch = self.batches.pop(mark, None)
        self.kept -= size(batch or ())
        return batch

    def clear(self) -> None:
        """Keep nothing: nobody listens any longer."""
        self.batches.clear()
        self.kept = 0


def size(batch: Iterable[Picked]) -> int:
    """Count readings."""
    return sum(len(picked.rows) for picked in batch)
