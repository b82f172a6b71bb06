"""Processes as a person starts them: `make run` and its children, by their ids."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.paths import ROOT

# What a `make` that runs the tests hands down, which a person's shell has not: its ARGS are for pytest.
HANDED_DOWN = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "ARGS"}


class Started:
    """A started command: its output line by line, and its children."""

    def __init__(self, command: list[str], directory: Path = ROOT, **environment: str) -> None:
        self.process = subprocess.Popen(
            command,
            cwd=directory,
            env={name: value for name, value in os.environ.items() if name not in HANDED_DOWN} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self.queue: queue.Queue[str | None] = queue.Queue()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.queue.put(line.rstrip())
        self.queue.put(None)

    def wait_for(self, text: str, seconds: float = 60) -> str:
        """Wait for a line that contains `text` and return it."""
        deadline = time.monotonic() + seconds
        while True:
            line = self.queue.get(timeout=max(0.01, deadline - time.monotonic()))
            assert line is not None, f"it ended before it said {text!r}: {self.lines}"
            self.lines.append(line)
            if text in line:
                return line

    def output(self) -> str:
        """Wait until it ends and return everything that it said."""
        self.process.wait(60)
        self.reader.join(10)
        while not self.queue.empty() and (line := self.queue.get()) is not None:
            self.lines.append(line)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return "\n".join(self.lines)

    def descendants(self) -> dict[int, str]:
        """Return every process below it, by id, with its command line."""
        return descendants(self.process.pid)

    def descendant(self, part: str) -> int:
        """Return the id of the one process below it whose command line contains `part`."""
        (pid,) = [pid for pid, command in self.descendants().items() if part in command]
        return pid

    def interrupt(self) -> float:
        """Press Ctrl-C as a terminal does, to the whole foreground group; return the seconds until it ended."""
        began = time.monotonic()
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(20)
        return time.monotonic() - began


def descendants(pid: int) -> dict[int, str]:
    """Return every process below one, by id, with its command line."""
    found: dict[int, str] = {}
    parents = {child: parent_of(child) for child in running()}
    above = {pid}
    while below := {child for child, parent in parents.items() if parent in above and child not in found}:
        found |= {child: command_of(child) for child in below}
        above = below
    return found


def running() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def parent_of(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return None


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until_gone(pids: Iterator[int] | list[int], seconds: float = 10) -> list[int]:
    """Wait until processes are gone; return those that are not."""
    deadline = time.monotonic() + seconds
    left = list(pids)
    while left and time.monotonic() < deadline:
        left = [pid for pid in left if is_alive(pid)]
        time.sleep(0.02)
    return left


@contextmanager
def started(command: list[str], directory: Path = ROOT, **environment: str) -> Iterator[Started]:
    """Start a command; whatever is left of it afterwards is killed."""
    running_command = Started(command, directory, **environment)
    try:
        yield running_command
    finally:
        left = running_command.descendants()
        if running_command.process.poll() is None:
            running_command.process.terminate()
            try:
                running_command.process.wait(10)
            except subprocess.TimeoutExpired:
                running_command.process.kill()
        for pid in wait_until_gone(list(left)):
            os.kill(pid, signal.SIGKILL)
        running_command.output()
