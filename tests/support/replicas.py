"""A server of its own with replicas that may lag, stall and die."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from scripts.bench.ingest.processes import CannotStart
from scripts.bench.overload.cluster import Cluster, cluster, find_programs, other_user
from tests.support.database import prepare

FAST = {"fsync": "off", "max_connections": "200", "timescaledb.max_background_workers": "2"}


def has_cluster() -> bool:
    try:
        find_programs()
        other_user()
    except CannotStart:
        return False
    return True


needs_cluster = [
    pytest.mark.native,
    pytest.mark.skipif(not has_cluster(), reason="there is no PostgreSQL with TimescaleDB to start: see BENCH_PG_BIN"),
]


@contextmanager
def running_primary(directory: Path) -> Iterator[Cluster]:
    """Run a server that is migrated."""
    with cluster(directory / "primary.log", FAST) as primary:
        prepare(primary.url)
        yield primary


def execute(url: str, statement: str) -> list[tuple[object, ...]]:
    """Run a statement, and return its rows, if any."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []
