"""A second database beside the one of the session, for what concerns several."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.support.database import empty, new_database, prepare
from tests.support.parallel import alone


@contextmanager
def second_database(server_url: str, factory: pytest.TempPathFactory) -> Iterator[str]:
    """Create another migrated database; yields its address as a URL."""
    with new_database(server_url, f"hyperpulse_lake_{os.getpid()}") as conninfo:
        # Migrations create a role, which all databases of a server share.
        with alone(factory, "migrate"):
            prepare(conninfo)
        yield as_url(conninfo)


def as_url(conninfo: str) -> str:
    """Write an address without a password as a URL."""
    parts = conninfo_to_dict(conninfo)
    return f"postgresql://{parts['user']}@{parts['host']}:{parts['port']}/{parts['dbname']}"


@contextmanager
def emptied(url: str) -> Iterator[psycopg.Connection]:
    """Connect to a database, which is empty at first."""
    with psycopg.connect(url, autocommit=True, options="-c timezone=UTC") as connection:
        empty(connection)
        yield connection
