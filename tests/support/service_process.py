"""The service as a process of its own behind a socket."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import httpx

from tests.support.paths import ROOT
from tests.support.ports import free_port


@contextmanager
def running_service(
    database_url: str, log: IO[bytes] | None = None, open_files: int | None = None, **environment: str
) -> Iterator[str]:
    """Run the service as a process of its own; yields its address once it answers. Tests refresh when they mean to.

    The process may open so many files.
    """
    port = free_port()
    limit = [] if open_files is None else ["sh", "-c", f'ulimit -n {open_files} && exec "$@"', "sh"]
    process = subprocess.Popen(
        [*limit, sys.executable, "-m", "service"],
        cwd=ROOT,
        stderr=log,
        env={**os.environ, "DATABASE_URL": database_url, "PORT": str(port), "REFRESH_SECONDS": "off", **environment},
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_healthy(url, process)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def wait_until_healthy(url: str, process: subprocess.Popen[bytes], seconds: float = 60) -> None:
    """Wait until a service answers; fail when it ended or does not answer in time."""
    deadline = time.monotonic() + seconds
    with httpx.Client(timeout=1) as client:
        while True:
            assert process.poll() is None, f"the service ended with {process.returncode}"
            try:
                if client.get(f"{url}/health").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            assert time.monotonic() < deadline, f"the service did not answer within {seconds} s"
            time.sleep(0.05)
