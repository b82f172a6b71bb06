"""A temporary PostgreSQL server with TimescaleDB that may be killed."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg

from scripts.bench.ingest.processes import CannotStart, tree_ticks

READY_SECONDS = 60.0
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_preload_libraries": "timescaledb",
    "timescaledb.telemetry_level": "off",
    "timescaledb.max_background_workers": "8",
    "max_worker_processes": "16",
    "shared_buffers": "256MB",
    "timezone": "UTC",
}


class Cluster:
    """A PostgreSQL server with its own data directory."""

    def __init__(self, programs: Path, directory: Path, log: Path, settings: Mapping[str, str] | None = None) -> None:
        self.programs = programs
        self.settings = {**SETTINGS, **(settings or {})}
        self.data = directory / "data"
        self.log = log
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Return the server's address."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def create(self) -> None:
        """Create the data directory."""
        initdb = [str(self.programs / "initdb"), "-D", str(self.data), "-U", "postgres", "-E", "UTF8", "--auth=trust"]
        made = subprocess.run(initdb, capture_output=True, text=True, **as_user(), check=False)
        if made.returncode:
            raise CannotStart(f"initdb failed: {made.stderr.strip()[-300:]}")

    def start(self) -> None:
        """Start the server and wait until it accepts connections."""
        settings = [f"-c{name}={value}" for name, value in {**self.settings, "port": str(self.port)}.items()]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [self.programs / "postgres", "-D", self.data, *settings], stdout=log, stderr=log, **as_user()
            )
        deadline = time.monotonic() + READY_SECONDS
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise CannotStart(f"PostgreSQL does not start: {self.log.read_text(errors='replace')[-500:]}")
            time.sleep(0.05)

    def answers(self) -> bool:
        """Return whether the server accepts connections."""
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.Error:
            return False
        return True

    def kill(self) -> None:
        """Kill -9 all of its processes and wait until they are gone."""
        assert self.process is not None
        of_it = set(tree_ticks(self.process.pid))
        for pid in (self.process.pid, *of_it):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        while any(Path(f"/proc/{pid}").exists() for pid in of_it):
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop the server at once, without a checkpoint."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()


@contextlib.contextmanager
def cluster(log: Path, settings: Mapping[str, str] | None = None) -> Iterator[Cluster]:
    """Run a server until the block ends; `settings` add to the usual ones."""
    programs = find_programs()
    with tempfile.TemporaryDirectory(prefix="hyperpulse-cluster-") as directory:
        hand_over(Path(directory))
        made = Cluster(programs, Path(directory), log, settings)
        made.create()
        made.start()
        try:
            yield made
        finally:
            made.stop()


def find_programs() -> Path:
    """Return the directory of initdb and postgres that have TimescaleDB's Community module; CannotStart if missing."""
    named = os.environ.get("BENCH_PG_BIN")
    if named is None:
        config = shutil.which("pg_config")
        if config is None:
            raise CannotStart("there is no pg_config: name the directory of PostgreSQL's programs in BENCH_PG_BIN.")
        named = ask_pg_config(Path(config), "--bindir")
    programs = Path(named)
    if not (programs / "initdb").exists() or not (programs / "pg_config").exists():
        raise CannotStart(f"there is no initdb and pg_config in {programs}; name another directory in BENCH_PG_BIN.")
    libraries = Path(ask_pg_config(programs / "pg_config", "--pkglibdir"))
    if not any(libraries.glob("timescaledb-tsl-*.so")):
        raise CannotStart(f"there is no TimescaleDB with its Community module in {libraries}.")
    return programs


def ask_pg_config(config: Path, what: str) -> str:
    """Return one answer of pg_config."""
    return subprocess.run([config, what], capture_output=True, text=True, check=True).stdout.strip()


def other_user() -> pwd.struct_passwd | None:
    """Return the user that PostgreSQL runs as if this process is root, as which PostgreSQL refuses to run."""
    if os.geteuid() != 0:
        return None
    name = os.environ.get("BENCH_PG_USER", "postgres")
    try:
        return pwd.getpwnam(name)
    except KeyError:
        raise CannotStart(f"PostgreSQL does not run as root, and there is no user {name}: see BENCH_PG_USER.") from None


def hand_over(directory: Path) -> None:
    """Give a directory and all that is in it to the user that PostgreSQL runs as."""
    if owner := other_user():
        for path in (directory, *directory.rglob("*")):
            os.chown(path, owner.pw_uid, owner.pw_gid, follow_symlinks=False)


def as_user() -> dict[str, Any]:
    """Return Popen's arguments for a process that must not run as root."""
    owner = other_user()
    plain = {"cwd": "/", "env": {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"}, "start_new_session": True}
    return plain if owner is None else {**plain, "user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}


def free_port() -> int:
    """Return a free port."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    assert isinstance(port, int)
    return port
