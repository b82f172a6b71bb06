"""Several processes on one port: each listens for itself, and the kernel deals connections out among them.

This process only watches. It holds the port without listening, starts again what ends unasked, and stops all when it is
told to; a worker ends by itself when this process is gone, because its standard input ends.
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
from collections import deque

from service.settings import BadSetting, Settings

STOP_SECONDS = 5.0
LOOK_SECONDS = 0.1
MOST_RESTARTS = 10  # of all workers
RESTARTS_WITHIN = 10.0  # seconds

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


def supervise(settings: Settings) -> int:
    """Keep so many workers running until a signal says stop; return the status to exit with."""
    told_to_stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told_to_stop.set())
    with shared_socket(settings.host, settings.port) as held:
        port = held.getsockname()[1]
        workers = [start(port) for _ in range(settings.workers)]
        restarts: deque[float] = deque(maxlen=MOST_RESTARTS)
        try:
            while not told_to_stop.wait(LOOK_SECONDS):
                for place, worker in enumerate(workers):
                    if worker.poll() is None:
                        continue
                    if len(restarts) == MOST_RESTARTS and time.monotonic() - restarts[0] < RESTARTS_WITHIN:
                        log.error("workers end again and again, the last with status %s", worker.returncode)
                        return 1
                    restarts.append(time.monotonic())
                    log.warning("worker %s ended with status %s; starting another", worker.pid, worker.returncode)
                    workers[place] = start(port)
        finally:
            stop(workers)
    return 0


def start(port: int) -> subprocess.Popen[bytes]:
    """Start a worker in a session of its own, so that Ctrl-C reaches this process alone."""
    return subprocess.Popen(
        [sys.executable, "-m", "service"],
        env={**os.environ, "PORT": str(port), "WORKERS": "1", "SHARE_PORT": "1", "STOP_WITH_STDIN": "1"},
        stdin=subprocess.PIPE,
        start_new_session=True,
    )


def stop(workers: list[subprocess.Popen[bytes]]) -> None:
    """Tell all to stop, wait, and kill what does not."""
    for worker in workers:
        worker.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for worker in workers:
        try:
            worker.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()
