"""Why items were refused lately: kinds of fault and how often, in one process; no values, and no names of persons."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Container, Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from service.errors import Fault
from service.model.validation_errors import NO_METRIC, UNKNOWN

MOST_KINDS = 50
PLACE = re.compile(r"^(.*\]|line \d+)\.?")
DETAIL = re.compile(
    r"(, \d{4}-\d\d-\d\dT\S+|(?<=is not JSON): .*|(?<=is not a metric)[;,] .*)$", re.DOTALL
)  # differs each time


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

    def note(self, faults: Iterable[Fault], private: Container[str] = ()) -> None:
        """Count faults by kind; the kinds not seen for longest are dropped first. `private` fields are not named."""
        for fault in faults:
            field = PLACE.sub("", fault["at"])
            # The name of an unknown field is the client's own, as a value is.
            if fault["problem"].startswith((UNKNOWN, NO_METRIC)) or field.split(".")[0] in private:
                field = ""
            kind = FaultKind(field, DETAIL.sub("", fault["problem"]))
            before = self.seen.pop(kind, None)
            self.seen[kind] = Seen(before.times + 1 if before else 1, datetime.now(UTC))
        while len(self.seen) > MOST_KINDS:
            self.seen.popitem(last=False)

    def recent(self) -> list[tuple[FaultKind, Seen]]:
        """Return the kinds, the one seen last first."""
        return list(reversed(self.seen.items()))
