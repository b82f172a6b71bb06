"""Start everything: the database unless DATABASE_URL names one, its migrations, and the service.

This process only supervises. Each child runs in a session of its own, so Ctrl-C reaches only this process, which then
stops them in order. Each child ends by itself when this process ends, even by kill -9.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import NoReturn

import psycopg

from scripts import embedded, libraries
from scripts.migrate import CannotMigrate, migrate
from scripts.reload import FileWatcher
from service import __version__
from service.server.restart_budget import MOST_RESTARTS, RestartBudget
from service.settings import BadSetting, read_shards

ROOT = Path(__file__).resolve().parent.parent
RELOADED = [ROOT / name for name in ("service", "sql", "migrations")]
DEFAULT_DB_PORT = 15432  # below the range that the system hands out by itself
SERVICE_STOP_SECONDS = 2.0
DATABASE_STOP_SECONDS = 2.0
READY_SECONDS = 60.0  # seconds, like the others


class CannotRun(Exception):
    """Hyperpulse cannot start; the message is one sentence with the value and the remedy."""


class Stopped(BaseException):
    """Ctrl-C or SIGTERM arrived."""


@dataclass(slots=True)
class Options:
    """The options from the environment: address, data directory, and database."""

    host: str
    port: int
    db_port: int
    data: Path
    database_url: str | None
    simulation: list[str] | None  # the simulator's arguments; None if it does not run
    reload: bool

    @property
    def url(self) -> str:
        """Return the service's address for a browser on this machine."""
        return f"http://{'127.0.0.1' if self.host == '0.0.0.0' else self.host}:{self.port}"  # noqa: S104


@dataclass(slots=True)
class Running:
    """The children, and how often each may be restarted."""

    database: embedded.EmbeddedServer | None = None
    service: subprocess.Popen[bytes] | None = None
    simulator: subprocess.Popen[bytes] | None = None
    watcher: FileWatcher | None = None
    restarts: dict[str, RestartBudget] = field(default_factory=lambda: defaultdict(RestartBudget))


def main() -> int:
    """Run until a signal."""
    parser = argparse.ArgumentParser(
        prog="make run",
        description=__doc__.split("\n")[0],
        epilog="With --demo, other arguments go to the simulator. "
        "Environment: HOST (127.0.0.1), PORT (8000), DB_PORT (15432), DATA (.data), DATABASE_URL, WORKERS (1).",
    )
    parser.add_argument("--demo", action="store_true", help="feed it with simulated users")
    parser.add_argument(
        "--reload",
        action="store_true",
        help="start the service again when a file of service/, sql/ or migrations/ changes",
    )
    chosen, simulation = parser.parse_known_args()
    if simulation and not chosen.demo:
        parser.error(f"{' '.join(simulation)}: only the simulator of make demo takes arguments")
    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    running = Running()
    try:
        run(read_options(simulation if chosen.demo else None, reload=chosen.reload), running)
    except Stopped:
        say("Stopping.")
        return 0
    except (BadSetting, CannotRun, CannotMigrate, embedded.EmbeddedError) as error:
        print(f"hyperpulse: {error}", file=sys.stderr, flush=True)
        return 1
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        stop(running)


def on_signal(number: int, frame: FrameType | None) -> NoReturn:
    """Interrupt what this process waits for."""
    raise Stopped


def read_options(simulation: list[str] | None, *, reload: bool = False) -> Options:
    """Read the environment; CannotRun names a value that cannot be used."""
    return Options(
        host=os.environ.get("HOST") or "127.0.0.1",
        port=read_port("PORT", 8000),
        db_port=read_port("DB_PORT", DEFAULT_DB_PORT),
        data=Path(os.environ.get("DATA") or ROOT / ".data").resolve(),
        database_url=os.environ.get("DATABASE_URL") or None,
        simulation=simulation,
        reload=reload,
    )


def read_port(name: str, default: int) -> int:
    """Read a port number."""
    text = os.environ.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise CannotRun(f"{name} is {text!r}; it must be a port from 1 to 65535.")
    return int(text)


def run(options: Options, running: Running) -> NoReturn:
    """Start everything, print what was started, and supervise it."""
    started = time.monotonic()
    require_free_port(options)
    if problem := libraries.install():
        say(problem)
    if options.database_url is None:
        running.database = start_database(options)
        database_url = running.database.url
    else:
        database_url = options.database_url
    if options.reload:
        running.watcher = FileWatcher(*RELOADED)
    say("Migrating the database.")
    if advice := migrate(database_url).advice:
        say(advice)
    for name, url in read_shards(os.environ.get("SHARD_DATABASE_URLS", "")):
        say(f"Migrating the database {name}.")
        migrate(url)
    running.service = start_service(options, database_url)
    timescaledb = wait_until_ready(options, running.service)
    introduce(options, database_url, timescaledb, time.monotonic() - started)
    if options.simulation is not None:
        running.simulator = start_simulator(options, options.simulation)
    watch(options, running, database_url)


def require_free_port(options: Options) -> None:
    """Raise CannotRun if the port is in use."""
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((options.host, options.port))
        except OSError as error:
            raise CannotRun(
                f"Port {options.port} on {options.host} cannot be used ({error.strerror}). "
                f"Stop what uses it, or choose another: make run PORT={options.port + 1}"
            ) from error


def start_database(options: Options) -> embedded.EmbeddedServer:
    """Start the embedded database on its data directory."""
    embedded.install()
    say(f"Starting the embedded TimescaleDB in {options.data}.")
    try:
        options.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        return embedded.start(options.data, options.db_port)
    except OSError as error:
        raise CannotRun(
            f"The data directory {options.data} cannot be used ({error.strerror}); "
            "choose another: make run DATA=DIRECTORY"
        ) from error
    except embedded.PortInUse as error:
        raise CannotRun(
            f"Port {options.db_port} for the database is in use. "
            f"Stop what uses it, or choose another: make run DB_PORT={options.db_port + 1}"
        ) from error


def start_service(options: Options, database_url: str) -> subprocess.Popen[bytes]:
    """Start the service as a child that ends with this process."""
    environment = {
        **os.environ,
        "DATABASE_URL": database_url,
        "HOST": options.host,
        "PORT": str(options.port),
        "STOP_WITH_STDIN": "1",
        "DRAIN_SECONDS": "off",  # Ctrl-C and an edit take effect at once
    }
    return start_child("service", environment)


def start_simulator(options: Options, arguments: list[str]) -> subprocess.Popen[bytes]:
    """Start the simulator against the service."""
    say("Simulated users send readings. `python -m scripts.simulate --help` lists what ARGS may hold.")
    return start_child("scripts.simulate", {**os.environ, "HYPERPULSE_URL": options.url}, *arguments)


def start_child(module: str, environment: dict[str, str], *arguments: str) -> subprocess.Popen[bytes]:
    """Start a Python module as a child in a session of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        start_new_session=True,
    )


def wait_until_ready(options: Options, service: subprocess.Popen[bytes]) -> str:
    """Wait until the service is ready; return the version of TimescaleDB."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if service.poll() is not None:
            raise CannotRun(f"The service ended at once with status {service.returncode}; its messages are above.")
        with contextlib.suppress(urllib.error.URLError, TimeoutError, ConnectionError):
            request = urllib.request.Request(f"{options.url}/ready")  # noqa: S310
            with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
                return str(json.load(answer)["timescaledb"])
        time.sleep(0.05)
    raise CannotRun(f"The service was not ready within {READY_SECONDS:.0f} seconds; its messages are above.")


def introduce(options: Options, database_url: str, timescaledb: str, seconds: float) -> None:
    """Print what was started and how to use it."""
    kind = "embedded, for trying out, not for production" if options.database_url is None else "from DATABASE_URL"
    say(f"Hyperpulse {__version__} is ready after {seconds:.1f} s.")
    say(f"  dashboard   {options.url}/")
    say(f"  API docs    {options.url}/docs")
    say(f"  database    TimescaleDB {timescaledb} ({kind})")
    if options.database_url is None:
        say(f"  data        {options.data}")
        say(f"  psql        PGPASSFILE={embedded.password_file(options.data)} psql {embedded.address(options.db_port)}")
    say("  Ctrl-C stops everything.")


def watch(options: Options, running: Running, database_url: str) -> NoReturn:
    """Restart children that end unexpectedly, unless that happens too often."""
    while True:
        time.sleep(0.2)
        if running.watcher is not None:
            reload_changes(running.watcher, options, running, database_url)
        if running.database is not None and running.database.process.poll() is not None:
            note_restart(running, "The database", running.database.process.returncode)
            running.database = embedded.start(options.data, options.db_port)
        if running.service is not None and running.service.poll() is not None:
            note_restart(running, "The service", running.service.returncode)
            running.service = start_service(options, database_url)
        if running.simulator is not None and running.simulator.poll() is not None:
            say(f"The simulator ended with status {running.simulator.returncode}; the rest runs on.")
            running.simulator = None


def reload_changes(watcher: FileWatcher, options: Options, running: Running, database_url: str) -> None:
    """Migrate and start the service again where files changed; one that ends waits for the next change."""
    if changes := watcher.changes():
        first, *others = sorted(str(path.relative_to(ROOT)) for path in changes)
        say(f"{first}{f' and {len(others)} more' if others else ''} changed; starting the service again.")
        if running.service is not None:
            running.service.terminate()
            end(running.service, SERVICE_STOP_SECONDS)
        running.service = start_service(options, database_url) if migrated(database_url) else None
    elif running.service is not None and running.service.poll() is not None:
        say(f"The service ended with status {running.service.returncode}; it starts again when a file changes.")
        running.service = None


def migrated(database_url: str) -> bool:
    """Migrate the database; say why where an edit made that impossible."""
    try:
        migrate(database_url)
    except (CannotMigrate, psycopg.Error, OSError) as error:
        say(f"The database was not migrated: {error}")
        return False
    return True


def note_restart(running: Running, what: str, status: int) -> None:
    """Print that a child is restarted; raise CannotRun after too many restarts."""
    if not running.restarts[what].spend():
        raise CannotRun(f"{what} ended with status {status}, and {MOST_RESTARTS} starts did not help.")
    say(f"{what} ended with status {status}; starting it again.")


def stop(running: Running) -> None:
    """Stop the children: those that write first, the database last."""
    for child in (running.simulator, running.service):
        if child is not None:
            child.terminate()
    for child in (running.simulator, running.service):
        if child is not None:
            end(child, SERVICE_STOP_SECONDS)
    if running.database is not None:
        running.database.stop(DATABASE_STOP_SECONDS)


def end(child: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait for a child that was asked to stop, and kill it after a timeout."""
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def say(line: str) -> None:
    """Print a line at once, also into a pipe."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
