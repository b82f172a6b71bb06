"""`bench machines`: machines behind HAProxy are upgraded without a failed request, and what was missed is found."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scripts.bench.ingest.processes import CannotStart
from scripts.bench.machines.balancer import find_program
from scripts.bench.machines.clients import View
from scripts.bench.under_load.clients import Writer
from tests.support.paths import ROOT

START = datetime(2026, 1, 5, tzinfo=UTC)


def has_haproxy() -> bool:
    try:
        find_program()
    except CannotStart:
        return False
    return True


@pytest.mark.native
@pytest.mark.skipif(not has_haproxy(), reason="there is no haproxy: install it, or name it in BENCH_HAPROXY")
def test_machines_are_upgraded_without_a_failed_request(server_url: str) -> None:
    name = f"hyperpulse_machines_{os.getpid()}"
    command = [sys.executable, "-m", "scripts.bench", "machines", "--machines", "2", "--drain", "4", "--database", name]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "BENCH_DATABASE_URL": server_url},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("holds") == 5, done.stdout
    assert "closed with 1001 The service stops." in " ".join(done.stdout.split())


def state(second: int) -> dict[str, Any]:
    """A snapshot whose latest reading is of a second."""
    latest = {"last_seen": (START + timedelta(seconds=second)).isoformat()}
    return {"type": "state", "users": [{"user_id": "rider-0", "latest": latest}]}


def test_what_a_live_client_missed_is_found() -> None:
    writer = Writer(0, START)
    view = View("one", [writer])
    view.begin()
    view.hear(state(0))
    writer.answered = 3
    assert not view.is_complete
    view.begin()
    view.hear(state(2))
    assert view.is_complete
    assert not view.faults
    writer.answered = 6
    view.begin()
    view.hear(state(4))
    assert view.faults == {"a snapshot lacks what was answered before it": 1}
    view.hear({"type": "readings", **state(3)["users"][0]})
    assert view.faults["the latest reading went back"] == 1
