"""Why items were refused lately: kinds of fault and how often, in one process; no values, and no names of persons."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from service.errors import Fault
from service.model.validation_errors import UNKNOWN

MOST_KINDS = 50
PLACE = re.compile(r"^(.*\]|line \d+)\.?")
DETAIL = re.compile(r"(, \d{4}-\d\d-\d\dT\S+|(?<=is not JSON): .*)$", re.DOTALL)  # differs each time


class FaultKind(NamedTuple):
    """A kind of fault: which field, and what was wrong with it."""

    field: str
    problem: str


class Seen(NamedTuple):
    """How often a kind of fault was seen, and when last."""

    times: int
    last: datetime


class Rejections:
    """The kinds of fault that a process saw last."""

    def __init__(self) -> None:
        self.seen: OrderedDict[FaultKind, Seen] = OrderedDict()

    def note(self, faults: Iterable[Fault]) -> None:
        """Count faults by kind; the kinds not seen for longest are dropped first."""
        for fault in faults:
            # The name of an unknown field is the client's own, as a value is.
            field = "" if fault["problem"] == UNKNOWN else PLACE.sub("", fault["at"])
            kind = FaultKind(field, DETAIL.sub("", fault["problem"]))
            before = self.seen.pop(kind, None)
            self.seen[kind] = Seen(before.times + 1 if before else 1, datetime.now(UTC))
        while len(self.seen) > MOST_KINDS:
            self.seen.popitem(last=False)

    def recent(self) -> list[tuple[FaultKind, Seen]]:
        """Return the kinds, the one seen last first."""
        return list(reversed(self.seen.items()))
