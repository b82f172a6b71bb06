"""Keys, sessions and tickets as text: an id that may be shown, but for tickets, and 256 random bits that may not."""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import NamedTuple

KEY_ID_BYTES = 6
SESSION_ID_BYTES = 8  # a length of its own, so that no session has the id of a key
SECRET_BYTES = 32
KEY = re.compile(rb"hp_([0-9a-f]{12})_([0-9a-f]{64})")
SESSION = re.compile(rb"hs_([0-9a-f]{16})_([0-9a-f]{64})")
TICKET = re.compile(rb"ht_([0-9a-f]{64})")


class Presented(NamedTuple):
    """A key or a session as a client presents it: its id, and the digest of its secret."""

    id: str
    digest: bytes


class New(NamedTuple):
    """A key or a session that nothing has stored yet; `text` is shown once."""

    id: str
    digest: bytes
    text: str


def new_key() -> New:
    """Make a key: `hp_<id>_<secret>`."""
    return new("hp", KEY_ID_BYTES)


def new_session() -> New:
    """Make a session: `hs_<id>_<secret>`."""
    return new("hs", SESSION_ID_BYTES)


def new_ticket() -> str:
    """Make a ticket: `ht_<secret>`."""
    return f"ht_{secrets.token_hex(SECRET_BYTES)}"


def new(prefix: str, id_bytes: int) -> New:
    """Make what has an id."""
    public, secret = secrets.token_hex(id_bytes), secrets.token_hex(SECRET_BYTES)
    return New(public, digest_of(secret.encode()), f"{prefix}_{public}_{secret}")


def read_key(text: bytes) -> Presented | None:
    """Read a key; None where the text is none."""
    return read(KEY, text)


def read_session(text: bytes) -> Presented | None:
    """Read a session; None where the text is none."""
    return read(SESSION, text)


def read_ticket(text: bytes) -> bytes | None:
    """Return the digest of a ticket; None where the text is none."""
    found = TICKET.fullmatch(text)
    return None if found is None else digest_of(found[1])


def read(pattern: re.Pattern[bytes], text: bytes) -> Presented | None:
    """Read what has an id; None where the text does not fit."""
    found = pattern.fullmatch(text)
    return None if found is None else Presented(found[1].decode(), digest_of(found[2]))


def digest_of(secret: bytes) -> bytes:
    """Return what is stored of a secret. It has 256 random bits, so that a fast hash resists guessing."""
    return hashlib.sha256(secret).digest()
