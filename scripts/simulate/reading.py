"""A reading of the simulator, in exact integers, so that sums have no rounding errors."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

MICRO = 1_000_000
"""Microseconds in a second, and millionths in a unit of any metric."""

DEFAULT_DEVICE = "default"
"""The device of a reading that names none."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Identity = tuple[str, str, int]


class Reading(NamedTuple):
    """The values that a device measured; None for a metric that it does not report."""

    user: str
    device: str
    at: int
    """Microseconds since 1970, UTC."""
    heart_rate: int | None
    """Millionths of a beat per minute."""
    steps: int | None
    calories: int | None
    """Millionths of a kcal."""

    @property
    def identity(self) -> Identity:
        """Return the identity: two writes with the same one are the same reading."""
        return self.user, self.device, self.at


def is_integer(user: str) -> bool:
    """Return whether a user id is the decimal text of a positive integer, as the compatibility paths require."""
    return re.fullmatch(r"[1-9][0-9]{0,17}", user) is not None


def fold(before: Reading | None, after: Reading) -> Reading:
    """Return a reading after another write of its identity: fields of the write win, the others stay."""
    if before is None:
        return after
    return Reading(
        after.user,
        after.device,
        after.at,
        before.heart_rate if after.heart_rate is None else after.heart_rate,
        before.steps if after.steps is None else after.steps,
        before.calories if after.calories is None else after.calories,
    )


def instant(at: int) -> str:
    """Return a moment in microseconds as ISO 8601 with Z."""
    return (EPOCH + timedelta(microseconds=at)).isoformat().replace("+00:00", "Z")


@lru_cache(maxsize=100_000)
def _quoted(text: str) -> str:
    return json.dumps(text)


def as_json(reading: Reading, *, integer_user: bool) -> str:
    """Return a reading as JSON text; `integer_user` writes the user's id as a number, as /ingest requires."""
    user = reading.user if integer_user else _quoted(reading.user)
    parts = [f'{{"user_id":{user}']
    if reading.device != DEFAULT_DEVICE:
        parts.append(f'"device_id":{_quoted(reading.device)}')
    parts.append(f'"timestamp":"{instant(reading.at)}"')
    if reading.heart_rate is not None:
        parts.append(f'"heart_rate":{reading.heart_rate / MICRO!r}')
    if reading.steps is not None:
        parts.append(f'"steps":{reading.steps}')
    if reading.calories is not None:
        parts.append(f'"calories":{reading.calories / MICRO!r}')
    return ",".join(parts) + "}"


def as_body(readings: list[Reading], *, integer_user: bool) -> bytes:
    """Return a request's body: the object itself for a single reading, an array for several."""
    texts = [as_json(reading, integer_user=integer_user) for reading in readings]
    return (texts[0] if len(texts) == 1 else f"[{','.join(texts)}]").encode()
