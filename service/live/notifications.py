"""Notifications of the database: whose readings a commit changed, as api_internal.announce packs it."""

from __future__ import annotations

import binascii
import hashlib
import struct
from base64 import b64decode
from dataclasses import dataclass

MANY = "many"  # in place of the users

# PostgreSQL sends an array as a head of 20 bytes, and then each element after its length.
HEAD = 20
ONE_DIMENSION_OF_INT4 = bytes.fromhex("00000001 00000000 00000017")
KEY = struct.Struct(">xxxxi")
MOMENT = struct.Struct(">xxxxq")


class Unreadable(Exception):
    """A notification does not name the users: they are too many, or api_internal.announce did not send it."""


@dataclass(slots=True)
class Change:
    """Changed readings of a user: how many, and the first and last of their timestamps, in µs since 2000."""

    count: int
    first: int
    last: int

    def merge(self, other: Change) -> None:
        """Add another change of the same user."""
        self.count += other.count
        self.first = min(self.first, other.first)
        self.last = max(self.last, other.last)

    def add_reading(self, at: int) -> None:
        """Add another reading of the same user."""
        self.count += 1
        if at < self.first:
            self.first = at
        elif at > self.last:
            self.last = at


def split_origin(payload: str) -> tuple[str, str]:
    """Split a notification into the origin of its commit, empty where it has none, and its packed changes."""
    head, _, packed = payload.rpartition(":")
    return head.partition("/")[0], packed


def of_tenant(payload: str) -> str | None:
    """Return the digest of the tenant that a notification is about as a whole; None where it is no such one."""
    head, _, packed = payload.rpartition(":")
    return head if head and packed == MANY else None


def tenant_digest(tenant_id: str) -> str:
    """Return what api_internal.announce_many says of a tenant in place of its name."""
    return hashlib.sha256(tenant_id.encode()).hexdigest()


def unpack_changes(packed: str, changes: dict[int, Change]) -> None:
    """Add the packed changes of a notification to changes by user key; Unreadable where it does not name the users."""
    if packed == MANY:
        raise Unreadable("readings of too many users to name them")
    if not packed:
        raise Unreadable("readings that only the process that wrote them knows")
    try:
        content = b64decode(packed)
        if not content.startswith(ONE_DIMENSION_OF_INT4):
            raise ValueError
        keys_end = HEAD + (len(content) - 2 * HEAD) // (KEY.size + MOMENT.size) * KEY.size
        pairs = zip(
            KEY.iter_unpack(content[HEAD:keys_end]), MOMENT.iter_unpack(content[keys_end + HEAD :]), strict=True
        )
        for (user_key,), (ts,) in pairs:
            change = changes.get(user_key)
            if change is None:
                changes[user_key] = Change(1, ts, ts)
                continue
            change.add_reading(ts)
    except (binascii.Error, struct.error, ValueError):
        raise Unreadable("a notification that api_internal.announce did not send") from None
