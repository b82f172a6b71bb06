"""The database and the service of a run, as in production, with the jobs of the database running."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from scripts import embedded
from scripts.bench.database import connect, native_database, version
from scripts.bench.ingest.processes import server, wait_until_answering
from scripts.bench.overload.options import Options
from scripts.migrate import migrate
from service.database.schema import ROOT


class Running(NamedTuple):
    """A service on a database."""

    url: str
    """Of the database."""
    port: int
    pid: int
    version: str
    log: Path
    """Of the service."""


@contextlib.contextmanager
def running(options: Options) -> Iterator[Running]:
    """Run the service on an empty database."""
    with tempfile.TemporaryDirectory(prefix="hyperpulse-bench-") as directory:
        log = Path(directory) / "service.log"
        with database(options, Path(directory) / "data") as url, service(url, options, log) as pid:
            with connect(url) as connection:
                found = version(connection)
            yield Running(url, options.port, pid, found, log)


@contextlib.contextmanager
def database(options: Options, directory: Path) -> Iterator[str]:
    """Yield the address of a migrated database, created on a server or embedded."""
    if options.server_url is None:
        embedded.install()
        directory.mkdir()
        with embedded.start(directory) as started:
            migrate(started.url)
            yield started.url
    else:
        with native_database(options.server_url, options.database, keep=False, reuse=False) as url:
            migrate(url)
            yield url


@contextlib.contextmanager
def service(url: str, options: Options, log: Path) -> Iterator[int]:
    """Run the service and yield its process id."""
    environment = {
        "DATABASE_URL": url,
        "HOST": "127.0.0.1",
        "PORT": str(options.port),
        "WORKERS": str(options.workers),
        "STOP_WITH_STDIN": "1",
    }
    with server([sys.executable, "-m", "service"], ROOT, environment, log) as process:
        wait_until_answering(f"http://127.0.0.1:{options.port}/ready", process, log)
        yield process.pid
