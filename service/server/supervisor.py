"""Several processes on one port: each listens for itself, and the kernel distributes connections among them.

This process only watches. It holds the port without listening, restarts workers that end, and stops all of them on a
signal; a worker ends by itself when this process is gone, because its standard input ends. Each sends a heartbeat every
second; one that is silent for long, stopped or with a blocked event loop, is killed and replaced. On SIGHUP all are
replaced, one after the other.
"""

from __future__ import annotations

import logging
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from service.server.restart_budget import RestartBudget
from service.server.rollover import Rollover
from service.server.worker_process import LOOK_SECONDS, Worker
from service.settings import BadSetting, Settings

SPARE_SECONDS = 3.0  # beyond what a worker takes by itself, until it is killed

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
    stop_requested, at_once, replacement_requested = threading.Event(), threading.Event(), threading.Event()

    def interrupt(*_: object) -> None:
        at_once.set()
        stop_requested.set()

    signal.signal(signal.SIGTERM, lambda *_: stop_requested.set())
    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGHUP, lambda *_: replacement_requested.set())
    with shared_socket(settings.host, settings.port) as held, TemporaryDirectory(prefix="hyperpulse-") as directory:
        port = held.getsockname()[1]
        workers = [Worker(port, Path(directory)) for _ in range(settings.workers)]
        stop_seconds = settings.stop_seconds + SPARE_SECONDS
        rollover = Rollover(workers, settings.worker_silence_seconds, stop_seconds)
        try:
            return watch(rollover, stop_requested, replacement_requested)
        finally:
            processes = [worker.process for worker in workers] + rollover.processes
            stop(processes, (settings.drain_seconds or 0) + stop_seconds, at_once)


def watch(rollover: Rollover, stop_requested: threading.Event, replacement_requested: threading.Event) -> int:
    """Replace workers that end or hang, or all on request; return 0 on a signal to stop, 1 where they end too often."""
    budget = RestartBudget()  # of all workers
    workers, most_silence = rollover.workers, rollover.most_silence
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
        if replacement_requested.is_set():
            replacement_requested.clear()
            rollover.begin()
        rollover.step(since)
    return 0


def stop(workers: list[subprocess.Popen[bytes]], seconds: float, at_once: threading.Event) -> None:
    """Stop all workers, which drain first unless it is to be at once; kill those that do not stop in time."""
    sent = signal.SIGINT if at_once.is_set() else signal.SIGTERM
    for worker in workers:
        worker.send_signal(sent)
    deadline = time.monotonic() + seconds
    while (left := [worker for worker in workers if worker.poll() is None]) and time.monotonic() < deadline:
        if at_once.is_set() and sent != signal.SIGINT:
            sent = signal.SIGINT
            for worker in left:
                worker.send_signal(sent)
        time.sleep(LOOK_SECONDS / 2)
    for worker in left:
        worker.kill()
        worker.wait()
