"""The replacement of all workers without a gap: each goes when another one takes requests in its place."""

from __future__ import annotations

import logging
import signal
import subprocess

from service.server.worker_process import Worker

log = logging.getLogger("hyperpulse")


class Rollover:
    """The replacement of all workers, each when another one in its place takes requests."""

    def __init__(self, workers: list[Worker], most_silence: float, stop_seconds: float) -> None:
        self.workers = workers
        self.most_silence = most_silence
        self.stop_seconds = stop_seconds
        self.outgoing: list[Worker] = []
        """Those that are to be replaced."""
        self.incoming: Worker | None = None
        self.leaving: list[tuple[Worker, float]] = []
        """Those that answer their last requests, and how long they may."""

    def begin(self) -> None:
        """Replace all workers of this moment."""
        log.info("replacing %s workers", len(self.workers))
        self.outgoing = list(self.workers)

    def step(self, since: float) -> None:
        """Go on, so many seconds after the last step."""
        self.outgoing = [worker for worker in self.outgoing if worker in self.workers]
        if self.incoming is None and self.outgoing:
            self.incoming = self.outgoing[0].another()
        if self.incoming is not None:
            self.await_incoming(self.incoming, since)
        self.leaving = [(worker, left - since) for worker, left in self.leaving if not has_left(worker, left)]

    def await_incoming(self, incoming: Worker, since: float) -> None:
        """Put a worker that takes requests in the place of another; give up where it does not come up."""
        incoming.listen(since)
        status = incoming.process.poll()
        if status is not None or incoming.silence > self.most_silence:
            what = "hangs" if status is None else f"ended with status {status}"
            log.error("the new worker %s %s; the old ones go on", incoming.process.pid, what)
            incoming.process.kill()
            incoming.process.wait()
            incoming.close()
            self.incoming, self.outgoing = None, []
        elif incoming.is_up:
            outgoing = self.outgoing.pop(0) if self.outgoing else incoming
            if outgoing is not incoming:
                self.workers[self.workers.index(outgoing)] = incoming
            outgoing.process.send_signal(signal.SIGHUP)
            self.leaving.append((outgoing, self.stop_seconds))
            self.incoming = None

    @property
    def processes(self) -> list[subprocess.Popen[bytes]]:
        """Those of workers that do not serve yet, or not any more."""
        others = [worker for worker, _ in self.leaving] + ([self.incoming] if self.incoming is not None else [])
        return [worker.process for worker in others]


def has_left(worker: Worker, left: float) -> bool:
    """Return whether a worker has ended; kill it where its time is over."""
    if worker.process.poll() is None:
        if left > 0:
            return False
        worker.process.kill()
        worker.process.wait()
    worker.close()
    return True
