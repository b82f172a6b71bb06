"""A machine: the service on an address of its own, which another release may take over."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from scripts.bench.ingest.processes import start, wait_until_answering

KILL_SECONDS = 20.0


class Machine:
    """A machine with a service."""

    def __init__(self, number: int, port: int, environment: Mapping[str, str], logs: Path) -> None:
        self.name = f"machine{number}"
        self.host = f"127.0.0.{10 + number}"
        self.environment = {**environment, "HOST": self.host, "PORT": str(port), "STOP_WITH_STDIN": "1"}
        self.address = f"{self.host}:{port}"
        self.log = logs / f"{self.name}.log"
        self.release = Path()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, release: Path) -> None:
        """Start the service of a release."""
        self.release = release
        with self.log.open("ab") as log:
            self.process = start([sys.executable, "-m", "service"], release, self.environment, log)

    def wait_until_answering(self) -> None:
        """Wait until the service answers."""
        assert self.process is not None
        wait_until_answering(f"http://{self.address}/health", self.process, self.log)

    def ask_to_stop(self) -> None:
        """Ask the service to stop."""
        assert self.process is not None
        self.process.terminate()

    @property
    def has_stopped(self) -> bool:
        """Whether there is no service any more."""
        return self.process is None or self.process.poll() is not None

    def end(self) -> None:
        """Stop it in any case, without a drain."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(KILL_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
