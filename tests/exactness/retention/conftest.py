"""Chunks of a day each, so that much is dropped that others reach into."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.support.database import empty

TABLES = ("core.sample", "core.interval")


@pytest.fixture
def daily(calm: psycopg.Connection[Any]) -> Iterator[psycopg.Connection[Any]]:
    """The empty database, with chunks of a day."""
    for table in TABLES:
        calm.execute("SELECT set_chunk_time_interval(%s, INTERVAL '24 hours')", [table])
    yield calm
    empty(calm)
    for table in TABLES:
        calm.execute("SELECT set_chunk_time_interval(%s, INTERVAL '28 days')", [table])
