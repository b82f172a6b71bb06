"""What the tests of SQL share."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest


@pytest.fixture
def settings(db: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """Settings that a test may change; they are put back."""
    kept = db.execute("SELECT name, value FROM core.setting").fetchall()
    yield db
    for name, value in kept:
        db.execute("UPDATE core.setting SET value = %s WHERE name = %s", [value, name])
