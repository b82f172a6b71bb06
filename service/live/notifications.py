"""What the database announces: whose readings a commit changed, as api_internal.announce packs it."""

from __future__ import annotations

import binascii
import struct
from base64 import b64decode
from dataclasses import dataclass

MANY = "many"

# PostgreSQL sends an array as a head of 20 bytes, and then each element after its length.
HEAD = 20
ONE_DIMENSION_OF_INT4 = bytes.fromhex("00000001 00000000 00000017")
KEY = struct.Struct(">xxxxi")
MOMENT = struct.Struct(">xxxxq")


class Unreadable(Exception):
    """An announcement that does not say whose readings changed: of too many, or not by api_internal.announce."""


@dataclass(slots=True)
class Change:
    """Readings of a user that were changed: how many, and the first and last of their timestamps, in µs since 2000."""

    count: int
    first: int
    last: int

    def add(self, other: Change) -> None:
        """Take another change of the same user in."""
        self.count += other.count
        self.first = min(self.first, other.first)
        self.last = max(self.last, other.last)

    def take(self, at: int) -> None:
        """Take another reading of the same user in."""
        self.count += 1
        if at < self.first:
            self.first = at
        elif at > self.last:
            self.last = at


def split_mark(payload: str) -> tuple[str, str]:
    """Split a notification into the mark of who wrote, empty where there is none, and what it announces."""
    head, _, packed = payload.rpartition(":")
    return head.partition("/")[0], packed


def add_announcement(payload: str, changes: dict[int, Change]) -> None:
    """Add what a notification announces to changes by user key; Unreadable where it cannot be told."""
    if payload == MANY:
        raise Unreadable("readings of too many users to name them")
    if not payload:
        raise Unreadable("readings that only the process knows that wrote them")
    try:
        packed = b64decode(payload)
        if not packed.startswith(ONE_DIMENSION_OF_INT4):
            raise ValueError
        keys_end = HEAD + (len(packed) - 2 * HEAD) // (KEY.size + MOMENT.size) * KEY.size
        pairs = zip(KEY.iter_unpack(packed[HEAD:keys_end]), MOMENT.iter_unpack(packed[keys_end + HEAD :]), strict=True)
        for (user_key,), (ts,) in pairs:
            change = changes.get(user_key)
            if change is None:
                changes[user_key] = Change(1, ts, ts)
                continue
            change.take(ts)
    except (binascii.Error, struct.error, ValueError):
        raise Unreadable("a notification that api_internal.announce did not send") from None
