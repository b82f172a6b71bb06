"""The service as what is measured, and what its process uses."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import NamedTuple

from service.database.schema import ROOT


class Process(NamedTuple):
    """What a process has used: seconds of CPU, and bytes of memory."""

    cpu: float
    memory: int


@contextlib.contextmanager
def service(database_url: str) -> Iterator[tuple[int, int]]:
    """Run the service; yields its port and its process."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment = {**os.environ, "DATABASE_URL": database_url, "PORT": str(port)}
    process = subprocess.Popen([sys.executable, "-m", "service"], cwd=ROOT, env=environment)
    try:
        while not is_ready(port):
            time.sleep(0.05)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(20)


def is_ready(port: int) -> bool:
    """Tell whether the service answers."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def used(pid: int) -> Process:
    """Read what a process has used so far, from /proc."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:  # noqa: PTH123
        fields = file.read().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    return Process(ticks / os.sysconf("SC_CLK_TCK"), int(fields[21]) * os.sysconf("SC_PAGE_SIZE"))
