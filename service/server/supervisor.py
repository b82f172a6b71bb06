"""Several processes on one port: each listens for itself, and the kernel distributes connections among them.

This process only watches. It holds the port without listening, restarts workers that end, and stops all of them on a
signal; a worker ends by itself when this process is gone, because its standard input ends. Each sends a heartbeat every
second; one that is silent for long, stopped or with a blocked event loop, is killed and replaced.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from service.metrics.worker_stats import DIRECTORY, ENDED
from service.server.heartbeat import PIPE
from service.server.restart_budget import RestartBudget
from service.settings import BadSetting, Settings

STOP_SECONDS = 5.0
LOOK_SECONDS = 0.1
START_SECONDS = 60.0  # in addition, until the first heartbeat

log = logging.getLogger("hyperpulse")


def shared_socket(host: str, port: int) -> socket.socket:
    """Return a socket on a port that other processes may listen on too."""
    if not hasattr(socket, "SO_REUSEPORT"):
        raise BadSetting("WORKERS is above 1, but this system cannot share a port; leave it at 1.")
    opened = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        opened.bind((host, port))
    except OSError as error:
        opened.close()
        raise BadSetting(f"Port {port} on {host} cannot be used ({error.strerror}); choose another PORT.") from None
    return opened


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

    def listen(self, seconds: float) -> None:
        """Read its heartbeats, so many seconds after the last time."""
        try:
            beats = os.read(self.pipe, 4096)
        except BlockingIOError:
            beats = b""
        # Where this process had to wait for the processor, so had the worker, and that is not silence.
        self.silence = 0.0 if beats else self.silence + min(seconds, 2 * LOOK_SECONDS)

    def replaced(self) -> Worker:
        """Kill it, and return another worker in its place."""
        self.process.kill()
        self.process.wait()
        self.close()
        stats = self.stats_directory / str(self.process.pid)
        with suppress(FileNotFoundError):
            stats.rename(stats.with_suffix(ENDED))
        return Worker(self.port, self.stats_directory)

    def close(self) -> None:
        """Close its pipes."""
        os.close(self.pipe)
        if self.process.stdin is not None:
            self.process.stdin.close()


def supervise(settings: Settings) -> int:
    """Keep so many workers running until a signal says stop; return the status to exit with."""
    stop_requested = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop_requested.set())
    with shared_socket(settings.host, settings.port) as held, TemporaryDirectory(prefix="hyperpulse-") as directory:
        port = held.getsockname()[1]
        workers = [Worker(port, Path(directory)) for _ in range(settings.workers)]
        try:
            return watch(workers, settings.worker_silence_seconds, stop_requested)
        finally:
            stop([worker.process for worker in workers])


def watch(workers: list[Worker], most_silence: float, stop_requested: threading.Event) -> int:
    """Replace workers that end or hang; return 0 on a signal to stop, 1 where that happens too often."""
    budget = RestartBudget()  # of all workers
    looked = time.monotonic()
    while not stop_requested.wait(LOOK_SECONDS):
        now = time.monotonic()
        since, looked = now - looked, now
        for place, worker in enumerate(workers):
            worker.listen(since)
            status = worker.process.poll()
            if status is None and worker.silence <= most_silence:
                continue
            if not budget.spend():
                log.error("workers end again and again, the last with status %s", status)
                return 1
            what = f"ended with status {status}" if status is not None else f"hung for {most_silence} s and was killed"
            log.warning("worker %s %s; starting another", worker.process.pid, what)
            workers[place] = worker.replaced()
    return 0


def stop(workers: list[subprocess.Popen[bytes]]) -> None:
    """Stop all workers; kill those that do not stop in time."""
    for worker in workers:
        worker.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for worker in workers:
        try:
            worker.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()
