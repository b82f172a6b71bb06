"""A PgBouncer in front of a server, by the configuration of deploy/failover."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from scripts.bench.ingest.processes import CannotStart
from scripts.bench.overload.cluster import free_port
from service.database.schema import ROOT

CONFIGURATION = ROOT / "deploy" / "failover" / "pgbouncer.ini"
READY_SECONDS = 10.0
OLDEST = (1, 21)  # the first that keeps prepared statements


def find_program() -> str:
    """Return the path of PgBouncer; CannotStart where it is missing or too old."""
    named = os.environ.get("BENCH_PGBOUNCER") or shutil.which("pgbouncer")
    if named is None:
        raise CannotStart("there is no pgbouncer: install it, or name the program in BENCH_PGBOUNCER.")
    said = subprocess.run([named, "--version"], capture_output=True, text=True, check=True).stdout.split("\n", 1)[0]
    if tuple(map(int, re.findall(r"\d+", said)[:2])) < OLDEST:
        raise CannotStart(f"{named} is {said}: name 1.21 or newer in BENCH_PGBOUNCER.")
    return named


@contextmanager
def running_pgbouncer(url: str, replace: dict[str, str] | None = None) -> Iterator[str]:
    """Run a PgBouncer in front of the server of an address; yield the same address through it."""
    # Not in a test's own directory, which another user may not enter.
    with tempfile.TemporaryDirectory(prefix="hyperpulse-pgbouncer-") as directory:
        Path(directory).chmod(0o755)
        with started(url, Path(directory), replace or {}) as through:
            yield through


@contextmanager
def started(url: str, directory: Path, replace: dict[str, str]) -> Iterator[str]:
    """Write the configuration, and run it."""
    where = conninfo_to_dict(url)
    port = free_port()
    changes = {
        "host=127.0.0.1 port=5432": f"host={where['host']} port={where['port']}",
        "listen_addr = *": "listen_addr = 127.0.0.1",
        "listen_port = 6432": f"listen_port = {port}",
        "auth_type = scram-sha-256": "auth_type = trust",
        "/etc/pgbouncer/userlist.txt": str(directory / "users.txt"),
        **replace,
    }
    text = CONFIGURATION.read_text(encoding="utf-8")
    for old, new in changes.items():
        if old not in text:
            raise CannotStart(f"{CONFIGURATION} does not say {old}.")
        text = text.replace(old, new)
    (directory / "pgbouncer.ini").write_text(text, encoding="utf-8")
    (directory / "users.txt").write_text(f'"{where["user"]}" "{where.get("password", "")}"\n', encoding="utf-8")
    as_other: dict[str, Any] = {"user": "nobody"} if os.geteuid() == 0 else {}
    process = subprocess.Popen([find_program(), "-q", str(directory / "pgbouncer.ini")], cwd="/", **as_other)
    try:
        through = make_conninfo(url, host="127.0.0.1", port=port)
        wait_until_answering(through, process)
        yield through
    finally:
        process.terminate()
        process.wait(10)


def wait_until_answering(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until a pooler lends a session."""
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
            return
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise CannotStart("PgBouncer does not answer; its messages are above.") from None
            time.sleep(0.05)
