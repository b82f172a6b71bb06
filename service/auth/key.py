"""Keys as text: `hp_<id>_<secret>`, an id that may be shown and 256 random bits that may not."""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import NamedTuple

ID_BYTES = 6
SECRET_BYTES = 32
KEY = re.compile(rb"hp_([0-9a-f]{12})_([0-9a-f]{64})")


class Presented(NamedTuple):
    """A key as a client presents it: its id, and the digest of its secret."""

    key_id: str
    digest: bytes


class NewKey(NamedTuple):
    """A key that nothing has stored yet; `text` is shown once."""

    key_id: str
    digest: bytes
    text: str


def new_key() -> NewKey:
    """Make a key."""
    key_id, secret = secrets.token_hex(ID_BYTES), secrets.token_hex(SECRET_BYTES)
    return NewKey(key_id, digest_of(secret.encode()), f"hp_{key_id}_{secret}")


def read_key(text: bytes) -> Presented | None:
    """Read a key; None where the text is none."""
    found = KEY.fullmatch(text)
    return None if found is None else Presented(found[1].decode(), digest_of(found[2]))


def digest_of(secret: bytes) -> bytes:
    """Return what is stored of a secret. It has 256 random bits, so that a fast hash resists guessing."""
    return hashlib.sha256(secret).digest()
