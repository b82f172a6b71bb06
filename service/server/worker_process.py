"""A process that serves, as the process that watches it sees it: whether it lives, and how long it has been silent."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from service.metrics.worker_stats import DIRECTORY, ENDED
from service.server.heartbeat import PIPE

LOOK_SECONDS = 0.1
START_SECONDS = 60.0  # in addition, until the first heartbeat
BEATS_OF_ONE_THAT_LISTENS = 2  # the first comes just before it does


class Worker:
    """A process that serves, and how long it has been silent."""

    def __init__(self, port: int, stats_directory: Path) -> None:
        self.port = port
        self.stats_directory = stats_directory
        self.pipe, theirs = os.pipe()
        os.set_blocking(self.pipe, False)
        # In a session of its own, so that Ctrl-C reaches this process alone.
        self.process = subprocess.Popen(
            [sys.executable, "-m", "service"],
            env={
                **os.environ,
                "PORT": str(port),
                "WORKERS": "1",
                "SHARE_PORT": "1",
                "STOP_WITH_STDIN": "1",
                PIPE: str(theirs),
                DIRECTORY: str(stats_directory),
            },
            stdin=subprocess.PIPE,
            pass_fds=[theirs],
            start_new_session=True,
        )
        os.close(theirs)
        # Its first heartbeat comes when it has loaded and connected.
        self.silence = -START_SECONDS
        self.beats = 0

    @property
    def is_up(self) -> bool:
        """Whether it takes requests."""
        return self.beats >= BEATS_OF_ONE_THAT_LISTENS

    def listen(self, seconds: float) -> None:
        """Read its heartbeats, so many seconds after the last time."""
        try:
            beats = os.read(self.pipe, 4096)
        except BlockingIOError:
            beats = b""
        self.beats += len(beats)
        # Where this process had to wait for the processor, so had the worker, and that is not silence.
        self.silence = 0.0 if beats else self.silence + min(seconds, 2 * LOOK_SECONDS)

    def replaced(self) -> Worker:
        """Kill it, and return another worker in its place."""
        self.process.kill()
        self.process.wait()
        self.close()
        return self.another()

    def another(self) -> Worker:
        """Start another worker on its port."""
        return Worker(self.port, self.stats_directory)

    def close(self) -> None:
        """Close its pipes, once it has ended; what it has counted is kept."""
        stats = self.stats_directory / str(self.process.pid)
        with suppress(FileNotFoundError):
            stats.rename(stats.with_suffix(ENDED))
        os.close(self.pipe)
        if self.process.stdin is not None:
            self.process.stdin.close()
