"""The database that is written to, emptied and prepared between two rows."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import psycopg

from scripts import embedded
from scripts.bench.database import Connection, connect, native_database, settle, value, version
from scripts.bench.history import TENANT
from scripts.bench.ingest.processes import parent_of
from scripts.bench.ingest.readings import Readings, device_id, user_id

SHAPE = (Path(__file__).with_name("shape.sql")).read_bytes()
PAST = (Path(__file__).with_name("past.sql")).read_bytes()
HOUR = timedelta(hours=1)


class Target(NamedTuple):
    """A migrated database."""

    url: str
    pid: int | None
    """Of the server, where it runs on this machine."""
    version: str


class Keys(NamedTuple):
    """The keys of the users and of their devices."""

    user_keys: list[int]
    device_keys: list[int]


@contextlib.contextmanager
def target_database(server_url: str | None, name: str) -> Iterator[Target]:
    """Yield a database created on a server, or an embedded one; drop or stop it afterwards."""
    if server_url is None:
        embedded.install()
        with (
            tempfile.TemporaryDirectory(prefix="hyperpulse-bench-") as directory,
            embedded.start(Path(directory), jobs_interval=0) as server,
        ):
            yield prepared(server.url, server.pid)
    else:
        with native_database(server_url, name, keep=False, reuse=False) as url:
            yield prepared(url, None)


def prepared(url: str, pid: int | None) -> Target:
    """Migrate a database, stop its jobs, and add the table that COPY fills."""
    settle(url)
    with connect(url) as connection:
        connection.execute(SHAPE)
        if pid is None:
            backend = int(value(connection, "SELECT pg_backend_pid()"))
            pid = parent_of(backend) if is_here(connection) else None
        return Target(url, pid, version(connection))


def is_here(connection: Connection) -> bool:
    """Return whether the server runs on this machine."""
    host = connection.info.host
    return host in ("localhost", "::1") or host.startswith(("/", "127."))


def empty(url: str) -> None:
    """Remove all readings; names stay, since the service caches their keys."""
    with connect(url) as connection:
        # One after the other: a refresh of the running service locks them in another order.
        for table in ("stale_day", "reading", "sample", "interval"):
            connection.execute(f"TRUNCATE core.{table}".encode())
        connection.execute("TRUNCATE bench.reading, bench.sample, bench.interval")
        # Otherwise the server flushes what one row wrote while the next one runs.
        with contextlib.suppress(psycopg.Error):
            connection.execute("CHECKPOINT")


def enrol(url: str, users: int) -> Keys:
    """Register users with a watch and a phone each; the keys of devices are those of watches."""
    numbers = range(1, users + 1)
    tenants = [TENANT] * users
    with connect(url) as connection:
        by_user = [user_id(number) for number in numbers]
        by_device = [device_id(number) for number in numbers]
        keys = Keys(
            value(connection, "SELECT api_internal.enrol_users(%s::text[], %s::text[])", tenants, by_user),
            value(connection, "SELECT api_internal.enrol_devices(%s::text[], %s::text[])", tenants, by_device),
        )
        by_phone = [device_id(number, "phone") for number in numbers]
        value(connection, "SELECT api_internal.enrol_devices(%s::text[], %s::text[])", tenants, by_phone)
        return keys


def fill_past(url: str, table: str, keys: Keys, readings: Readings) -> None:
    """Store readings of the users in the hours around those that will be sent, and compress them."""
    span = {"begin": readings.start - HOUR, "end": readings.start + 2 * HOUR, "every": timedelta(minutes=1)}
    with connect(url) as connection:
        connection.execute(PAST.replace(b"core.reading", table.encode()), {**keys._asdict(), **span})
        connection.execute(f"SELECT compress_chunk(chunk) FROM show_chunks('{table}') AS chunk".encode())  # noqa: S608


def stored(url: str, table: str) -> int:
    """Count the readings of a table."""
    with connect(url) as connection:
        return int(value(connection, f"SELECT count(*) FROM {table}"))  # noqa: S608
