"""Start and stop the embedded database from Python."""

from __future__ import annotations

import contextlib
import json
import queue
import re
import subprocess
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from urllib.parse import quote

from scripts.embedded.errors import DirectoryInUse, EmbeddedError, NotInstalled, PortInUse, StartFailed
from scripts.embedded.node import find_node
from scripts.embedded.packages import PACKAGE
from scripts.embedded.zones import zone_files

HERE = Path(__file__).resolve().parent
PASSWORD_FILE = "pgpass"  # noqa: S105, its name
READY_SECONDS = 60.0
LINES_KEPT = 20
DIRECTORY_IN_USE, PORT_IN_USE = 2, 3


@dataclass(slots=True)
class EmbeddedServer:
    """A running embedded database. The database stops when this process ends, even if it is killed."""

    process: subprocess.Popen[str]
    data: Path
    port: int
    _log: _Log = field(repr=False)

    @property
    def pid(self) -> int:
        """The process id of the gateway."""
        return self.process.pid

    @property
    def url(self) -> str:
        """The connection URL of the owner, for libpq; it names the file that holds the password."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """Return the connection URL of another database of this server."""
        return f"{address(self.port, database)}?passfile={quote(str(password_file(self.data)))}"

    @property
    def log(self) -> str:
        """The last lines of the gateway's log."""
        return self._log.text

    def stop(self, timeout: float = 5.0) -> int:
        """Stop the gateway, by force after `timeout` seconds; return its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self._log.finish()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def address(port: int, database: str = "postgres") -> str:
    """Return the address of an embedded database for its owner, without the password."""
    return f"postgresql://postgres@127.0.0.1:{port}/{database}"


def password_file(data: Path) -> Path:
    """Return where a data directory has the owner's password, in the format of libpq's PGPASSFILE."""
    return Path(data).absolute() / PASSWORD_FILE


class _Log:
    """Keeps the last lines of the gateway's standard error, and optionally repeats them on this process's."""

    def __init__(self, stream: IO[str], echo: bool) -> None:
        self._lines: deque[str] = deque(maxlen=LINES_KEPT)
        self._stream = stream
        self._echo = echo
        self._thread = threading.Thread(target=self._follow, name="embedded-database-log", daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        with contextlib.suppress(ValueError):  # the stream is closed while we read
            for line in self._stream:
                self._lines.append(line.rstrip())
                if self._echo:
                    print(line, end="", file=sys.stderr, flush=True)

    def finish(self) -> None:
        """Wait for the last lines."""
        self._thread.join(2.0)

    @property
    def text(self) -> str:
        return "\n".join(self._lines)


def start(
    data: Path,
    port: int = 0,
    *,
    template: Path | None = None,
    jobs_interval: float = 10.0,
    login_timeout: float = 5.0,
    turn_timeout: float = 30.0,
    idle_timeout: float = 5.0,
    stall_timeout: float = 60.0,
    hold_timeout: float = 20.0,
    echo: bool = False,
    ready_timeout: float = READY_SECONDS,
) -> EmbeddedServer:
    """Serve the databases in `data` on 127.0.0.1 and return when they are ready.

    port: 0 takes a free port.
    template: a data directory to copy instead of creating a new one.
    jobs_interval: seconds between two checks for due TimescaleDB jobs; 0 runs none.
    login_timeout: seconds that a client may keep its login waiting.
    turn_timeout: seconds that a connection waits for the backend before its statement fails with 55P03.
    idle_timeout: seconds that a connection may keep an idle transaction open while others wait.
    stall_timeout: seconds that a connection may neither send a COPY's data nor read a result, while others wait.
    hold_timeout: seconds that a role other than the owner may keep the backend while others wait.
    echo: repeat the gateway's log on standard error.
    """
    options = {
        "data": str(Path(data).absolute()),
        "port": str(port),
        "jobs-interval": _milliseconds(jobs_interval),
        "login-timeout": _milliseconds(login_timeout),
        "turn-timeout": _milliseconds(turn_timeout),
        "idle-timeout": _milliseconds(idle_timeout),
        "stall-timeout": _milliseconds(stall_timeout),
        "hold-timeout": _milliseconds(hold_timeout),
    }
    if template is not None:
        options["template"] = str(Path(template).absolute())
    zones = zone_files()
    if zones is not None:
        options["zones"] = str(zones)
    process = _launch([f"--{name}={value}" for name, value in options.items()])
    assert process.stdout is not None
    assert process.stderr is not None
    log = _Log(process.stderr, echo)
    server = EmbeddedServer(process, data, port, log)
    try:
        server.port = _await_ready(process, process.stdout, ready_timeout)
    except BaseException as error:
        server.stop(0.0)
        if isinstance(error, TimeoutError):
            raise _failure(server, port, f"was not ready after {ready_timeout:.0f} s") from None
        if isinstance(error, EOFError):
            raise _failure(server, port, f"ended with exit code {process.returncode} while starting") from None
        raise
    return server


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))


def _launch(arguments: list[str]) -> subprocess.Popen[str]:
    """Start the gateway in its own session, so that a Ctrl-C in the terminal reaches only the parent."""
    if not PACKAGE.is_file():
        raise NotInstalled(
            f"The embedded database is not installed in {HERE}: "
            f"run `{Path(sys.executable).name} -m scripts.embedded.install`."
        )
    return subprocess.Popen(
        [str(find_node()), str(HERE / "main.mjs"), *arguments, "--exit-with-stdin"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _await_ready(process: subprocess.Popen[str], stdout: IO[str], timeout: float) -> int:
    """Return the port from the ready line; EOFError if the process ends first, TimeoutError if it takes too long."""
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=lambda: lines.put(stdout.readline()), daemon=True).start()
    try:
        line = lines.get(timeout=timeout)
    except queue.Empty:
        raise TimeoutError from None
    if not line:
        process.wait()
        raise EOFError
    return int(json.loads(line)["port"])


def _failure(server: EmbeddedServer, port: int, what: str) -> EmbeddedError:
    """Return the exception for a gateway that could not start."""
    code = server.process.returncode
    if code == DIRECTORY_IN_USE:
        holder = re.search(r"in use by process (\d+)", server.log)
        pid = holder[1] if holder else "unknown"
        return DirectoryInUse(
            f"The data directory {server.data} is in use by process {pid}: stop that one, or choose another directory."
        )
    if code == PORT_IN_USE:
        return PortInUse(f"Port {port} is in use by another program: choose another one, or 0 for any that is free.")
    return StartFailed(f"The embedded database {what}; its last lines: {server.log or 'none'}")


def serve(data: Path, port: int) -> int:
    """Run the database in the foreground until Ctrl-C or SIGTERM."""
    with start(data, port, echo=True) as server:
        print(f"{server.url} (embedded TimescaleDB, for trying out and tests; Ctrl-C stops it)", flush=True)
        try:
            return server.process.wait()
        except KeyboardInterrupt:
            began = time.monotonic()
            code = server.stop()
            print(f"stopped in {time.monotonic() - began:.1f} s", flush=True)
            return code
