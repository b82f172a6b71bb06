"""What became of a reading that was written."""

from __future__ import annotations

from enum import IntEnum


class Outcome(IntEnum):
    """What became of a reading."""

    unchanged = 0
    inserted = 1
    updated = 2


# Bits say which outcomes the parts of a reading had; more than one kind makes an update.
COMBINED = bytes([Outcome.unchanged, Outcome.unchanged, Outcome.inserted, *([Outcome.updated] * 253)])
