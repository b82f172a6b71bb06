"""A streaming replica of a temporary server."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg

from scripts.bench.ingest.processes import CannotStart, tree_ticks
from scripts.bench.overload.cluster import Cluster, as_user, hand_over

STREAMING_SECONDS = 60.0


class Standby(Cluster):
    """A replica, which may be killed and started again as any server."""

    def copy(self, primary: Cluster) -> None:
        """Take a base backup of a primary that is ready to be followed."""
        program = [str(self.programs / "pg_basebackup"), "-d", primary.url, "-D", str(self.data), "-R", "-c", "fast"]
        made = subprocess.run([*program, "-X", "stream"], capture_output=True, text=True, **as_user(), check=False)
        if made.returncode:
            raise CannotStart(f"pg_basebackup failed: {made.stderr.strip()[-300:]}")

    def startup_process(self) -> int:
        """Return the process that replays the log."""
        assert self.process is not None
        for pid in tree_ticks(self.process.pid):
            with contextlib.suppress(OSError):
                if b"startup" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    return pid
        raise CannotStart("the replica has no startup process")

    @contextlib.contextmanager
    def stalled(self) -> Iterator[None]:
        """Have it replay nothing meanwhile, while it answers."""
        pid = self.startup_process()
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def wait_until_streaming(self, primary: Cluster) -> None:
        """Wait until it receives the log as it is written."""
        deadline = time.monotonic() + STREAMING_SECONDS
        query = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND application_name = %s"
        with psycopg.connect(primary.url, autocommit=True) as connection:
            while connection.execute(query, [self.name]).fetchone() != (1,):
                if time.monotonic() > deadline:
                    raise CannotStart(f"the replica does not stream: {self.log.read_text(errors='replace')[-500:]}")
                time.sleep(0.05)

    @property
    def name(self) -> str:
        """Return what the primary calls it."""
        return f"standby_{self.port}"


@contextlib.contextmanager
def standby(primary: Cluster, log: Path, settings: Mapping[str, str] | None = None) -> Iterator[Standby]:
    """Run a replica of a server until the block ends; `settings` add to those of the server."""
    with tempfile.TemporaryDirectory(prefix="hyperpulse-standby-") as directory:
        hand_over(Path(directory))
        made = Standby(primary.programs, Path(directory), log, {**primary.settings, **(settings or {})})
        made.settings |= {"cluster_name": made.name, "hot_standby_feedback": "on", "wal_receiver_status_interval": "1s"}
        made.copy(primary)
        made.start()
        try:
            made.wait_until_streaming(primary)
            yield made
        finally:
            made.stop()
