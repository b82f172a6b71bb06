"""Ask a server again and again whether it is the primary, and print when it said so: run on the server's own host.

A host that is cut off is still asked by what runs on it, which shows how long it goes on by itself.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from scripts.bench.failover.hosts import Host
from service.database.schema import ROOT

PAUSE_SECONDS = 0.05


class Probe:
    """The moments at which a host answered as the primary, of the monotonic clock."""

    def __init__(self, out: Path) -> None:
        self.out = out

    def last(self, until: float) -> float | None:
        """Return the last of them before a moment."""
        moments = [float(line) for line in self.out.read_text().splitlines()]
        return max((at for at in moments if at < until), default=None)


@contextmanager
def probing(host: Host, url: str) -> Iterator[Probe]:
    """Ask a host's server from its own namespace until the block ends."""
    out = host.logs / f"{host.name}-probe.txt"
    command = ["ip", "netns", "exec", host.name, sys.executable, "-m", "scripts.bench.failover.probe", url]
    with out.open("wb") as file, subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=subprocess.DEVNULL) as process:
        try:
            yield Probe(out)
        finally:
            process.kill()


def main(url: str) -> None:
    """Ask without end; what does not answer is asked again."""
    while True:
        try:
            with psycopg.connect(url, connect_timeout=2) as connection:
                if connection.execute("SELECT pg_is_in_recovery()").fetchone() == (False,):
                    print(time.monotonic(), flush=True)
        except psycopg.Error:
            pass
        time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    main(sys.argv[1])
