"""A contestant's database, and the session that monitors it."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from psycopg.conninfo import make_conninfo

from scripts import embedded
from scripts.bench.database import Connection, connect, native_database, value
from scripts.bench.ingest.environment import is_here
from scripts.bench.ingest.processes import PROC
from scripts.bench.sustained.processor_time import BENCH

DAY = timedelta(days=1)


@contextlib.contextmanager
def database(server_url: str | None, name: str) -> Iterator[str]:
    """Yield the address of an empty database, created on a server or embedded; drop or stop it afterwards."""
    if server_url is None:
        embedded.install()
        with (
            tempfile.TemporaryDirectory(prefix="hyperpulse-bench-") as directory,
            embedded.start(Path(directory), jobs_interval=0) as server,
        ):
            yield server.url
    else:
        with native_database(server_url, name, keep=False, reuse=False) as url:
            yield url


@contextlib.contextmanager
def observing(url: str) -> Iterator[Connection]:
    """Open the monitoring session."""
    with connect(make_conninfo(url, application_name=BENCH)) as connection:
        yield connection


def is_visible(connection: Connection) -> bool:
    """Return whether the server runs on this machine with a process for each session."""
    name = PROC / str(value(connection, "SELECT pg_backend_pid()")) / "comm"
    return is_here(connection) and name.exists() and name.read_text().startswith("postgres")


def last_day() -> tuple[datetime, datetime]:
    """Return the day up to the last full hour that is an hour ago, about where the horizon is."""
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    return end - DAY, end
