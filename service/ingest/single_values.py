"""Readings of one value that is none of the three, as the fast decoder reads them: most of what is sent besides these.

Each is a row in place, without the tuples that a Row holds its values in. The rows of a kind have a class of their own,
which knows what is the same of all: the metric, and its bounds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from time import monotonic
from typing import Annotated, Any, ClassVar, Final, TypeAlias

import msgspec

from service.model.fields import NAME_LENGTH
from service.model.intervals import ROUNDING, SHORTEST_DAY, Interval, IntervalKind, counting_seconds
from service.model.limits import RANGES
from service.model.reading import DEFAULT_DEVICE
from service.model.registry import Metric

NAME: Final = msgspec.Meta(min_length=1, max_length=NAME_LENGTH)
IDENTITY: Final = frozenset(("user_id", "device_id", "timestamp"))
FIELD: Final = re.compile(rb'"([^"\\]{1,64})"\s*:')
HEAD: Final = 1024  # bytes, in which the fields of the first reading are looked for
MOST_KINDS: Final = 500  # kept, of some 10 kB each
PAUSE_SECONDS: Final = 0.02  # from one that takes the place of another to the next: each takes 0.1 ms


class OneSample(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A value of another metric at a moment."""

    user_id: Annotated[str, NAME] | int
    timestamp: Any  # text, and then the moment
    value: float
    device_id: Annotated[str, NAME] = DEFAULT_DEVICE
    heart_rate: ClassVar[None] = None
    steps: ClassVar[None] = None
    calories: ClassVar[None] = None
    intervals: ClassVar[tuple[()]] = ()
    is_of_samples: ClassVar[bool] = True
    value_count: ClassVar[int] = 1
    metric_key: ClassVar[int] = 0
    may_be_zero: ClassVar[bool] = True

    @property
    def samples(self) -> tuple[tuple[int, float], ...]:
        """The value, as a Row holds it."""
        return ((self.metric_key, self.value),)


class OneInterval(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A value of a sum from a moment to an end, less than a day later."""

    user_id: Annotated[str, NAME] | int
    timestamp: Any  # text, and then the moment
    end: Any  # likewise
    value: float
    device_id: Annotated[str, NAME] = DEFAULT_DEVICE
    heart_rate: ClassVar[None] = None
    steps: ClassVar[None] = None
    calories: ClassVar[None] = None
    samples: ClassVar[tuple[()]] = ()
    is_of_samples: ClassVar[bool] = True
    value_count: ClassVar[int] = 1
    metric_key: ClassVar[int] = 0
    may_be_zero: ClassVar[bool] = True
    is_whole: ClassVar[bool] = False
    most_per_second: ClassVar[float | None] = None

    @property
    def intervals(self) -> tuple[Interval, ...]:
        """The value, as a Row holds it."""
        return (Interval(IntervalKind.interval, self.metric_key, self.end, self.value),)


SingleValue: TypeAlias = OneSample | OneInterval


def kind_of(fields: Iterable[str], by_name: Mapping[str, Metric]) -> type[SingleValue] | None:
    """Return what readings of these fields are; None where they are not of a single value, or of one kind too many."""
    others = [name for name in fields if name not in IDENTITY]
    has_end = "end" in others
    if has_end:
        others.remove("end")
    metric = by_name.get(others[0]) if len(others) == 1 else None
    if metric is None or (metric.name in RANGES and not has_end) or (has_end and not metric.is_sum):
        return None
    low, high = RANGES.get(metric.name, (metric.lowest, metric.highest))
    if has_end:
        return KINDS.kind(
            interval_of, metric.key, metric.name, float(low), float(high), metric.is_whole, metric.most_per_second
        )
    return KINDS.kind(sample_of, metric.key, metric.name, float(low), float(high))


class Kinds:
    """The classes that were made. Those used last are kept, and not many are made in place of others.

    With more kinds than are kept, each request would make a class for itself otherwise, which costs more than it saves.
    """

    def __init__(self) -> None:
        self.made: dict[tuple[Any, ...], type[SingleValue]] = {}
        self.replaced_at = -float("inf")

    def kind(self, make: Callable[..., type[SingleValue]], *of: Any) -> type[SingleValue] | None:
        """Return what `make` makes of its arguments; None where none of them is to be made now."""
        found = self.made.pop((make, *of), None)
        if found is None:
            if len(self.made) >= MOST_KINDS:
                now = monotonic()
                if now - self.replaced_at < PAUSE_SECONDS:
                    return None
                self.replaced_at = now
                del self.made[next(iter(self.made))]
            found = make(*of)
        self.made[make, *of] = found
        return found


KINDS = Kinds()


def sample_of(metric_key: int, name: str, low: float, high: float) -> type[OneSample]:
    """Return the class of readings that carry a metric."""
    return made(OneSample, name, low, high, {"metric_key": metric_key, "may_be_zero": low <= 0})


def interval_of(
    metric_key: int, name: str, low: float, high: float, is_whole: bool, most_per_second: float | None
) -> type[OneInterval]:
    """Return the class of readings that count a metric up to an end."""
    of_all = {"metric_key": metric_key, "may_be_zero": low <= 0, "is_whole": is_whole}
    return made(OneInterval, name, low, high, of_all | {"most_per_second": most_per_second})


def made(base: type[Any], name: str, low: float, high: float, of_all: dict[str, Any]) -> type[Any]:
    """Make a class of readings that carry a value within bounds under a name."""
    value = Annotated[float, msgspec.Meta(ge=low, le=high)]
    texts = [(field, str) for field in ("timestamp", "end") if field in base.__struct_fields__]
    kind: type[Any] = msgspec.defstruct(
        base.__name__, [*texts, ("value", value)], bases=(base,), rename={"value": name}, gc=False
    )
    for attribute, said in of_all.items():
        setattr(kind, attribute, said)
    return kind


def likely_kind(text: bytes, by_name: Mapping[str, Metric]) -> type[SingleValue] | None:
    """Return what the first reading of a text seems to be."""
    begin = text.find(b"{", 0, HEAD)
    end = text.find(b"}", begin, begin + HEAD)
    if begin < 0 or end < 0:
        return None
    names = {name.decode(errors="replace") for name in FIELD.findall(text, begin, end)} - {"readings"}
    return kind_of(names, by_name)


def are_usual(intervals: Sequence[OneInterval]) -> bool:
    """Return whether intervals of a kind are as long as they may be, and count no more than fits into them."""
    kind = intervals[0].__class__
    most = kind.most_per_second
    if kind.is_whole and not all([each.value.is_integer() for each in intervals]):  # noqa: C419
        return False
    lengths = [each.end - each.timestamp for each in intervals]
    if not 0 < min(lengths) <= max(lengths) < SHORTEST_DAY:
        return False
    if most is None:
        return True
    # A list is quicker than what makes none.
    rates = zip(intervals, lengths, strict=True)
    return all([each.value <= most * counting_seconds(length) * ROUNDING for each, length in rates])  # noqa: C419
