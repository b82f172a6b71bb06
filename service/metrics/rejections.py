"""Why items were refused lately: kinds of fault and how often, in this process; no value and nobody's name."""

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


class Kind(NamedTuple):
    """A kind of fault: which field, and what was wrong with it."""

    field: str
    problem: str


class Seen(NamedTuple):
    """How often, and when last."""

    times: int
    last: datetime


_seen: OrderedDict[Kind, Seen] = OrderedDict()


def note(faults: Iterable[Fault]) -> None:
    """Count faults by kind; the kinds not seen for longest are forgotten first."""
    for fault in faults:
        # What somebody calls a field that is not ours is theirs, as a value is.
        field = "" if fault["problem"] == UNKNOWN else PLACE.sub("", fault["at"])
        kind = Kind(field, DETAIL.sub("", fault["problem"]))
        before = _seen.pop(kind, None)
        _seen[kind] = Seen(before.times + 1 if before else 1, datetime.now(UTC))
    while len(_seen) > MOST_KINDS:
        _seen.popitem(last=False)


def recent() -> list[tuple[Kind, Seen]]:
    """List the kinds, the one seen last first."""
    return list(reversed(_seen.items()))
