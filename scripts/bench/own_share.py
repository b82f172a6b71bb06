"""A share of the processors for each server, by control groups: servers of one machine as if each had its own."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from scripts.bench.ingest.processes import CannotStart, tree_ticks

ROOTS = (Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup"))
"""Of version 1 and of version 2."""
PERIOD = 10_000  # microseconds; short, so that a server that has used its share waits for little


@contextlib.contextmanager
def own_share(pid: int, cores: float) -> Iterator[None]:
    """Give a process and what it starts so many cores at most, until the block ends; CannotStart where none can be."""
    group, where = made(f"hyperpulse-bench-{os.getpid()}-{pid}")
    try:
        quota = int(cores * PERIOD)
        if (group / "cpu.max").exists():
            (group / "cpu.max").write_text(f"{quota} {PERIOD}")
        else:
            (group / "cpu.cfs_period_us").write_text(str(PERIOD))
            (group / "cpu.cfs_quota_us").write_text(str(quota))
        move(pid, group)
        yield
    finally:
        move(pid, where)
        with contextlib.suppress(OSError):  # a process that ends now keeps it for a moment
            group.rmdir()


def made(name: str) -> tuple[Path, Path]:
    """Return a new group with a limit of processors, and the one that is above it."""
    for root in ROOTS:
        group = root / name
        with contextlib.suppress(OSError):
            group.mkdir()
            if any((group / limit).exists() for limit in ("cpu.max", "cpu.cfs_quota_us")):
                return group, root
            group.rmdir()
    raise CannotStart("processors cannot be shared out here: it takes root, and control groups with `cpu`.")


def move(pid: int, group: Path) -> None:
    """Move a process and its descendants into a group."""
    before: set[int] = set()
    while (found := set(tree_ticks(pid))) != before:
        for each in found - before:
            with contextlib.suppress(OSError):  # it has ended
                (group / "cgroup.procs").write_text(str(each))
        before = found
        time.sleep(0.01)
