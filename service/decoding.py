"""The fast way from JSON to rows: whatever it takes, the model in service/readings.py would take, with the same result.

What it does not take is not refused: it goes to the model, which also says what is wrong.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec

from service.fields import NAME_LENGTH, Bounds
from service.moments import Clock, to_micros
from service.ranges import RANGES
from service.readings import DEFAULT_DEVICE, Row


def within(name: str) -> msgspec.Meta:
    """Give the range of that name in RANGES."""
    low, high = RANGES[name]
    return msgspec.Meta(ge=low, le=high)


NAME: Final = msgspec.Meta(min_length=1, max_length=NAME_LENGTH)
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


class Envelope(msgspec.Struct, forbid_unknown_fields=True):
    """Readings in an envelope."""

    readings: list[Sent]


ONE = msgspec.json.Decoder(Sent)
LIST = msgspec.json.Decoder(list[Sent])
ENVELOPE = msgspec.json.Decoder(Envelope)
CLOCK = Clock()


def decode(body: bytes, bounds: Bounds) -> list[Row] | None:
    """Return the rows of an object, an array or an envelope; None leaves them to the model."""
    if has_nul(body):
        return None
    try:
        sent: Any = LIST.decode(body) if body[:64].lstrip()[:1] == b"[" else read_object(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return sent if sent and settle(sent, bounds) else None


def decode_lines(text: bytes, bounds: Bounds) -> list[Row] | None:
    """Return the rows of lines of JSON, one reading a line; None leaves them to the model."""
    if has_nul(text):
        return None
    text = text.strip(b" \t\r\n")
    try:
        sent: Any = ONE.decode_lines(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return sent if one_a_line(text, len(sent)) and settle(sent, bounds) else None


def has_nul(text: bytes) -> bool:
    """Tell whether NUL may be written in JSON; hardly anybody escapes anything, which is found much faster."""
    return b"\\" in text and NUL in text


def one_a_line(text: bytes, count: int) -> bool:
    """Tell whether so many objects stand in a line each.

    msgspec takes two in a line, and one in several, too. A line break stands in no string, and no object here holds
    another, so each that is between a closing and an opening brace divides two objects.
    """
    breaks = max(0, count - 1)
    return text.count(b"\n") == breaks and text.count(b"}\n{") + text.count(b"}\r\n{") == breaks


def read_object(body: bytes) -> list[Sent]:
    """Read one reading, or an envelope."""
    try:
        return [ONE.decode(body)]
    except msgspec.ValidationError:
        return ENVELOPE.decode(body).readings


def settle(sent: Any, bounds: Bounds) -> bool:
    """Turn what was sent into rows, in place; return False where the model must judge."""
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


def something_measured(item: Sent) -> bool:
    """Tell whether there is any metric."""
    return item.heart_rate is not None or item.steps is not None or item.calories is not None


def name_users(sent: list[Sent]) -> bool:
    """Put decimal text in the place of whole numbers; return False where one is too long."""
    for item in sent:
        if item.user_id.__class__ is int:
            if not -(10**100) < item.user_id < 10**100:
                return False
            item.user_id = str(item.user_id)
    return True
