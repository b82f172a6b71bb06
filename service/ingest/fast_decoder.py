"""A fast decoder of readings as JSON, beside the model in service/model/reading.py.

What it accepts, the model accepts with the same result. What it does not accept goes to the model, which also says what
is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Final, Generic, TypeAlias, TypeVar

import msgspec

from service.ingest.any_metric import Unusual, row_of
from service.ingest.single_values import MOST_KINDS, NAME, OneInterval, are_usual, kind_of, likely_kind
from service.ingest.timestamp_cache import CLOCK
from service.model.fields import Bounds
from service.model.limits import RANGES
from service.model.pg_time import to_micros
from service.model.reading import DEFAULT_DEVICE, Row
from service.model.strict_json import BOM


def within(name: str) -> msgspec.Meta:
    """Give the range of that name in RANGES."""
    low, high = RANGES[name]
    return msgspec.Meta(ge=low, le=high)


# NUL can be written in JSON in this way only; the model refuses it.
NUL: Final = b"\\u0000"


class Sent(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A reading as it is sent; it becomes a Row in place."""

    user_id: Annotated[str, NAME] | int
    timestamp: str
    device_id: Annotated[str, NAME] = DEFAULT_DEVICE
    heart_rate: Annotated[float, within("heart_rate")] | None = None
    steps: Annotated[int, within("steps")] | None = None
    calories: Annotated[float, within("calories")] | None = None
    samples: ClassVar[None] = None
    intervals: ClassVar[tuple[()]] = ()
    is_of_samples: ClassVar[bool] = False
    value_count: ClassVar[int] = 0


class Loose(Sent, forbid_unknown_fields=True, gc=False):
    """A reading as tools write it that know no gaps: null for the default device, 72.0 for 72."""

    device_id: Annotated[str, NAME] | None = DEFAULT_DEVICE  # type: ignore[assignment]
    steps: Annotated[int, within("steps")] | Annotated[float, within("steps")] | None = None  # type: ignore[assignment]


Kind = TypeVar("Kind")


class Envelope(msgspec.Struct, Generic[Kind], forbid_unknown_fields=True):
    """Readings in an envelope."""

    readings: list[Kind]


class Decoders:
    """Reads readings of one kind."""

    def __init__(self, kind: Any) -> None:
        self.one = msgspec.json.Decoder(kind)
        self.kind_list = list[kind]
        self.list = msgspec.json.Decoder(self.kind_list)
        self.envelope = msgspec.json.Decoder(Envelope[kind])

    def document(self, body: bytes) -> Any:
        """Read an array, one reading, or an envelope."""
        if body[:64].lstrip()[:1] == b"[":
            return self.list.decode(body)
        try:
            return [self.one.decode(body)]
        except msgspec.ValidationError:
            return self.envelope.decode(body).readings

    def lines(self, text: bytes) -> Any:
        """Read lines."""
        return self.one.decode_lines(text)

    def items(self, items: list[dict[str, Any]]) -> Any:
        """Read what was parsed already."""
        return msgspec.convert(items, self.kind_list)


Scalar: TypeAlias = int | float | str | bool | None
THREE_FIELDS = frozenset(Sent.__struct_fields__)
USUAL = Decoders(Sent)
LOOSE = Decoders(Loose)
ANY = Decoders(dict[str, Scalar | dict[str, Scalar | dict[str, Scalar]]])


def decode(body: bytes, bounds: Bounds) -> list[Row] | None:
    """Return the rows of an object, an array or an envelope; None leaves them to the model."""
    body = body.removeprefix(BOM)
    if has_nul(body):
        return None
    sent = read(Decoders.document, body)
    if sent is None:
        return read_others(Decoders.document, body, bounds) or None
    return sent if sent and settle(sent, bounds) else None


def decode_lines(text: bytes, bounds: Bounds) -> list[Row] | None:
    """Return the rows of lines of JSON, one reading a line; None leaves them to the model."""
    text = text.strip(b" \t\r\n")
    if has_nul(text):
        return None
    sent = read(Decoders.lines, text)
    if sent is None:
        rows = read_others(Decoders.lines, text, bounds)
        return rows if rows is not None and one_a_line(text, len(rows)) else None
    return sent if one_a_line(text, len(sent)) and settle(sent, bounds) else None


def decode_items(items: list[dict[str, Any]], bounds: Bounds) -> list[Row] | None:
    """Return the rows of readings by their fields, without NUL and surrogates; None leaves them to the model."""
    sent = read(Decoders.items, items)
    if sent is None:
        return read_any(Decoders.items, items, bounds)
    return sent if settle(sent, bounds) else None


def read(way: Callable[[Decoders, Any], Any], text: Any) -> Any:
    """Read a text, and where it is not usual, loosely; None where it cannot be read."""
    try:
        return way(USUAL, text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        sent = way(LOOSE, text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return sent if all([tighten(item) for item in sent]) else None  # noqa: C419


def tighten(item: Any) -> bool:
    """Write what was sent loosely as it is usual; return False where that is another value."""
    if item.device_id is None:
        item.device_id = DEFAULT_DEVICE
    if item.steps.__class__ is float:
        if not item.steps.is_integer():
            return False
        item.steps = int(item.steps)
    return True


def has_nul(text: bytes) -> bool:
    """Return whether NUL may be written in JSON; escapes are rare, and their absence is found much faster."""
    return b"\\" in text and NUL in text


def one_a_line(text: bytes, count: int) -> bool:
    """Return whether so many objects stand in a line each.

    msgspec takes two in a line, and one in several, too. A line break stands in no string, and no object here holds
    an array, so each that is between a closing and an opening brace divides two objects.
    """
    breaks = max(0, count - 1)
    return text.count(b"\n") == breaks and text.count(b"}\n{") + text.count(b"}\r\n{") == breaks


def settle(sent: Any, bounds: Bounds) -> bool:
    """Turn what was sent into rows, in place; return False where the model must validate it."""
    if not sent:
        return True
    # Column by column, which takes half as long as item by item.
    try:
        timestamps = CLOCK.read_all([item.timestamp for item in sent])
    except ValueError:
        return False
    if not to_micros(bounds.oldest) <= min(timestamps) <= max(timestamps) <= to_micros(bounds.newest):
        return False
    # No heart rate that is accepted is 0, and a list is quicker here than what makes none.
    if not all([item.heart_rate for item in sent]) and not all(map(something_measured, sent)):  # noqa: C419
        return False
    for item, timestamp in zip(sent, timestamps, strict=True):
        item.timestamp = timestamp
    if {item.user_id.__class__ for item in sent} != {str}:
        return name_users(sent)
    return True


@lru_cache(2 * MOST_KINDS)
def decoders_of(kind: Any) -> Decoders:
    """Return what reads readings of a single value."""
    return Decoders(kind)


def read_others(way: Callable[[Decoders, Any], Any], text: bytes, bounds: Bounds) -> list[Row] | None:
    """Read readings that carry any metric of the registry; None leaves them to the model."""
    kind = likely_kind(text, bounds.registry.by_name)
    if kind is not None:
        try:
            sent = way(decoders_of(kind), text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
        else:
            return sent if settle_values(sent, bounds) else None
    return read_any(way, text, bounds)


def read_any(way: Callable[[Decoders, Any], Any], text: Any, bounds: Bounds) -> list[Row] | None:
    """Read readings of different fields, those of the same fields together; None leaves them to the model."""
    if not bounds.registry.by_name:
        return None
    try:
        items = way(ANY, text)  # which are used up below
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    alike: dict[tuple[str, ...], list[int]] = {}
    for place, item in enumerate(items):
        fields = tuple(item)
        try:
            alike[fields].append(place)
        except KeyError:
            alike[fields] = [place]
    rows: list[Any] = [None] * len(items)
    for fields, places in alike.items():
        found = read_alike(fields, [items[place] for place in places], bounds)
        if found is None:
            return None
        for place, row in zip(places, found, strict=True):
            rows[place] = row
    return rows


def read_alike(fields: Sequence[str], items: list[dict[str, Any]], bounds: Bounds) -> list[Any] | None:
    """Read readings of the same fields; None leaves them to the model."""
    kind = kind_of(fields, bounds.registry.by_name)
    sent: list[Any]
    try:
        if kind is not None:
            sent = decoders_of(kind).items(items)
            if settle_values(sent, bounds):
                return sent
        elif THREE_FIELDS.issuperset(fields):
            sent = USUAL.items(items)
            if settle(sent, bounds):
                return sent
    except msgspec.ValidationError:
        pass  # a value may be null, or have a unit
    return read_one_by_one(items, bounds)


def read_one_by_one(items: Sequence[dict[str, Any]], bounds: Bounds) -> list[Row] | None:
    """Read readings that carry any metric of the registry, one after the other; None leaves them to the model."""
    try:
        timestamps = CLOCK.read_all([item["timestamp"] for item in items])
    except (KeyError, ValueError, TypeError):
        return None
    newest = to_micros(bounds.newest)
    if not to_micros(bounds.oldest) <= min(timestamps) <= max(timestamps) <= newest:
        return None
    by_name = bounds.registry.by_name
    try:
        return [row_of(item, at, newest, by_name) for item, at in zip(items, timestamps, strict=True)]
    except Unusual:
        return None


def settle_values(sent: Any, bounds: Bounds) -> bool:
    """Turn readings of a single value into rows, in place; return False where the model must validate them."""
    if not sent:
        return True
    kind = sent[0].__class__
    try:
        timestamps = CLOCK.read_all([item.timestamp for item in sent])
        ends = CLOCK.read_all([item.end for item in sent]) if issubclass(kind, OneInterval) else ()
    except ValueError:
        return False
    newest = to_micros(bounds.newest)
    if not to_micros(bounds.oldest) <= min(timestamps) <= max(timestamps) <= newest:
        return False
    for item, timestamp in zip(sent, timestamps, strict=True):
        item.timestamp = timestamp
    if ends:
        if max(ends) > newest:
            return False
        for item, end in zip(sent, ends, strict=True):
            item.end = end
        if not are_usual(sent):
            return False
    if kind.may_be_zero:
        for item in sent:
            item.value += 0.0  # which makes 0 of -0
    return {item.user_id.__class__ for item in sent} == {str} or name_users(sent)


def something_measured(item: Sent) -> bool:
    """Return whether there is any metric."""
    return item.heart_rate is not None or item.steps is not None or item.calories is not None


def name_users(sent: Sequence[Any]) -> bool:
    """Put decimal text in the place of whole numbers; return False where one is too long."""
    for item in sent:
        if item.user_id.__class__ is int:
            if not -(10**100) < item.user_id < 10**100:
                return False
            item.user_id = str(item.user_id)
    return True
