"""A server has its share of the processors, with what it starts, and gives it back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.bench.ingest.processes import CannotStart, tree_ticks
from scripts.bench.own_share import made, own_share


def has_groups() -> bool:
    try:
        group, _ = made(f"hyperpulse-test-{os.getpid()}")
    except CannotStart:
        return False
    group.rmdir()
    return True


def group_of(pid: int) -> str:
    """Return the control groups of a process."""
    return Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8")


@pytest.mark.skipif(not has_groups(), reason="control groups take root")
def test_a_process_and_its_children_have_a_group_of_their_own() -> None:
    script = (
        "import subprocess, sys; p = subprocess.Popen(['sleep', '600']); print(flush=True); sys.stdin.read(); p.kill()"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        family = tree_ticks(process.pid)
        assert len(family) == 2
        before = {pid: group_of(pid) for pid in family}
        name = f"hyperpulse-bench-{os.getpid()}-{process.pid}"
        with own_share(process.pid, 0.5):
            assert all(name in group_of(pid) for pid in family)
            with subprocess.Popen([sys.executable, "-c", ""]) as other:
                assert name not in group_of(other.pid)
        assert {pid: group_of(pid) for pid in family} == before
        process.communicate()  # both end with their input
