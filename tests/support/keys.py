"""Keys for tests, made as scripts/keys.py makes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx
import psycopg

from scripts.keys import LIMITS
from service.auth.key import new_key
from service.database.schema import query

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


def add_key(
    db: psycopg.Connection[Any],
    scopes: Sequence[str],
    tenant: str | None = None,
    valid_for: str | None = None,
    name: str | None = None,
    **limits: float,
) -> str:
    """Add a key, and return its text."""
    key = new_key()
    values = {"tenant_id": tenant, "name": name, "valid_for": valid_for, "scopes": list(scopes)}
    values |= dict.fromkeys(LIMITS) | limits
    db.execute(query("add_key"), {**values, "key_id": key.id, "digest": key.digest})
    return key.text


def revoke_key(db: psycopg.Connection[Any], text: str) -> None:
    """Revoke a key."""
    assert db.execute(query("revoke_key"), {"key_id": text.split("_")[1]}).rowcount == 1


def bearer(text: str) -> dict[str, str]:
    """Return the header that presents a key."""
    return {"Authorization": f"Bearer {text}"}


def sign_in(url: str, text: str) -> dict[str, str]:
    """Sign in with a key, and return the headers that a page of the service sends from then on."""
    answer = httpx.post(f"{url}/v1/session", json={"key": text}, headers=SAME_ORIGIN)
    assert answer.status_code == 201, answer.text
    return {"Cookie": answer.headers["set-cookie"].split(";")[0], **SAME_ORIGIN}
