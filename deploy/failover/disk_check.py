#!/usr/bin/env python3
"""Kill a PostgreSQL whose disk stands still, so that Patroni, which does not notice, has another host take over.

    disk_check.py DATA_DIRECTORY [--seconds 8] [--every 1]

Run it beside Patroni, as the same user (docs/failover.md). It writes a file beside the data directory, to the same
disk, and waits until it is there. Where that takes longer than so many seconds, it kills the server and its processes
with SIGKILL: one that waits for the disk ends when the disk is back, without another step, and none answers a question
as of the past meanwhile. It needs Python alone.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import time
from pathlib import Path


def main(arguments: list[str] | None = None) -> None:
    """Check without end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the data directory of the server")
    parser.add_argument("--seconds", type=float, default=8.0, help="that a write may take (8)")
    parser.add_argument("--every", type=float, default=1.0, help="seconds between two writes (1)")
    given = parser.parse_args(arguments)
    while True:
        check(given.data, given.seconds)
        time.sleep(given.every)


def check(data: Path, seconds: float) -> None:
    """Write once, and kill the server where that takes too long; return when the write has ended."""
    server = postmaster(data)  # before, since it may not be read afterwards
    writing = os.fork()
    if writing == 0:
        write(data.parent / "disk_check")
    deadline = time.monotonic() + seconds
    while not has_ended(writing):
        if time.monotonic() < deadline:
            time.sleep(0.05)
            continue
        print(
            f"the disk of {data} has stood still for {seconds:g} s: PostgreSQL is killed", file=sys.stderr, flush=True
        )
        if server is not None:
            kill(server)
        os.waitpid(writing, 0)
        print("the disk is back", file=sys.stderr, flush=True)
        return


def write(path: Path) -> None:
    """Write to the disk, in a process that may stand still for it, and end."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(file, b"%d\n" % time.time())
        os.fsync(file)
    except OSError as error:  # a disk that refuses is PostgreSQL's to notice
        print(f"{path}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(0)


def has_ended(process: int) -> bool:
    """Return whether a child has ended."""
    return os.waitpid(process, os.WNOHANG)[0] == process


def postmaster(data: Path) -> int | None:
    """Return the process that a data directory names, None where there is none."""
    try:
        return int((data / "postmaster.pid").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None


def kill(server: int) -> None:
    """Kill a server and its children, the server first, or it would start them again."""
    children = children_of(server)
    for process in (server, *children):
        with contextlib.suppress(OSError):  # it is gone
            os.kill(process, signal.SIGKILL)


def children_of(parent: int) -> list[int]:
    """Return the children of a process."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(after_name[1]) == parent:
            found.append(int(stat.parent.name))
    return found


if __name__ == "__main__":
    main()
