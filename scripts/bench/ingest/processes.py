"""Start servers, read their processor time, and stop them."""

from __future__ import annotations

import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

PROC = Path("/proc")
READY_SECONDS = 30.0


class CannotStart(Exception):
    """A server does not start; the message says which and why."""


@contextmanager
def server(
    command: Sequence[str], directory: Path, environment: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server and stop it afterwards; in a session of its own, so that Ctrl-C reaches only this process."""
    with log.open("ab") as out, start(command, directory, environment, out) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def start(
    command: Sequence[str], directory: Path, environment: Mapping[str, str], out: IO[bytes]
) -> subprocess.Popen[bytes]:
    """Start a process whose standard input stays open as long as this process lives."""
    return subprocess.Popen(
        command,
        cwd=directory,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=out,
        stderr=out,
        start_new_session=True,
    )


def wait_until_answering(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a GET gets any answer; CannotStart if the process ends or the wait is too long."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
    raise CannotStart(f"{process.args!r} does not answer: {log.read_text(errors='replace')[-500:]}")


def cpu_seconds(pid: int | None) -> float | None:
    """Return the processor time of a process and its descendants, ended ones included; None if it cannot be read."""
    if pid is None or not (PROC / str(pid) / "stat").exists():
        return None
    ticks = tree_ticks(pid)
    # A process that ends meanwhile passes its time to its parent and may be missed: repeat until nothing changes.
    while (again := tree_ticks(pid)).keys() != ticks.keys():
        ticks = again
    return sum(again.values()) / os.sysconf("SC_CLK_TCK")


def tree_ticks(pid: int) -> dict[int, int]:
    """Return the clock ticks of a process and of each descendant, with those of their ended children."""
    children: dict[int, list[int]] = {}
    ticks: dict[int, int] = {}
    for path in PROC.iterdir():
        if path.name.isdigit():
            try:
                fields = (path / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(path.name))
            ticks[int(path.name)] = sum(int(field) for field in fields[11:15])
    found, left = {}, [pid]
    while left:
        at = left.pop()
        found[at] = ticks.get(at, 0)
        left += children.get(at, [])
    return found


def parent_of(pid: int) -> int | None:
    """Return the parent of a process of this machine; None if it cannot be read."""
    try:
        return int((PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return None
