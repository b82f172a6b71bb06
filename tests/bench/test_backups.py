"""`bench backups`: what is restored is what was answered, on servers of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from scripts.bench.ingest.processes import CannotStart
from scripts.bench.overload.backups import Moment, between
from scripts.bench.overload.cluster import find_programs, other_user
from scripts.bench.overload.workload import Kind, Ledger
from tests.support.paths import ROOT
from tests.support.ports import free_port

# A recovery to another moment than the one that is compared: what must fail if the comparison can.
SHIFTED = """
import sys
from datetime import timedelta
from scripts.bench.overload import backups
recovered = backups.recovered
backups.recovered = lambda directory, archive, until, rows, say: recovered(
    directory, archive, until + timedelta(seconds={seconds}), rows, say)
from scripts.bench.__main__ import main
sys.exit(main())
"""


def has_cluster() -> bool:
    try:
        find_programs()
        other_user()
    except CannotStart:
        return False
    return True


needs_cluster = [
    pytest.mark.native,
    pytest.mark.skipif(not has_cluster(), reason="there is no PostgreSQL with TimescaleDB to start: see BENCH_PG_BIN"),
]


def bench(program: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *program, "backups", "--minutes", "0.05", "--port", str(free_port())],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


class TestRestored:
    pytestmark = needs_cluster

    def test_backups_under_load_are_whole(self, server_url: str) -> None:
        done = bench(["-m", "scripts.bench"])
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count("holds") == 9, done.stdout

    @pytest.mark.parametrize(
        ("shift", "said"), [(timedelta(seconds=-2), "nothing is stored"), (timedelta(seconds=2), "was never sent")]
    )
    def test_another_moment_is_found_out(self, server_url: str, shift: timedelta, said: str) -> None:
        done = bench(["-c", SHIFTED.format(seconds=shift.total_seconds())])
        assert done.returncode == 1, done.stdout + done.stderr
        (line,) = [line for line in done.stdout.splitlines() if "DOES NOT HOLD" in line]
        assert line.startswith("at the point in time: all that was answered"), line
        assert said in done.stdout or "readings are stored" in done.stdout, done.stdout


def test_a_backup_may_have_what_was_sent_while_it_was_made() -> None:
    def at(sent: list[int], answered: list[int]) -> Moment:
        ledger = Ledger(Kind("reading", 1, 1, 1, 0, 1, 10))
        ledger.sent, ledger.answered = bytearray(sent), bytearray(answered)
        return Moment(None, [ledger])  # type: ignore[arg-type]

    (both,) = between(at([1, 1], [1, 0]), at([2, 1, 1], [2, 1, 0]))
    assert (list(both.sent), list(both.answered)) == ([2, 1, 1], [1, 0, 0])


def test_the_archive_script_of_the_bench_is_the_one_that_is_documented() -> None:
    assert "deploy/archive-wal.sh" in Path(ROOT / "docs" / "backup.md").read_text(encoding="utf-8")
