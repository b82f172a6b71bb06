"""The attacks: small ones against the service as it is hold all bounds, and one without its limit breaks a bound."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.bench.attacks.options import NAMES
from scripts.bench.attacks.others import Quality, Sample
from scripts.bench.attacks.scenarios import SCENARIOS
from tests.support.paths import ROOT
from tests.support.ports import free_port

QUICK = {"HEAD_SECONDS": "1", "BODY_IDLE_SECONDS": "1", "ANSWER_IDLE_SECONDS": "1"}


def attack(server_url: str, out: Path, only: str, *arguments: str, **environment: str) -> tuple[int, dict[str, Any]]:
    """Attack with few connections; return the exit status and the verdicts by name."""
    options = ["--only", only, "--database", f"hyperpulse_bench_{os.getpid()}", "--port", str(free_port())]
    done = subprocess.run(
        [sys.executable, "-m", "scripts.bench", "attacks", *options, "--json", str(out), *arguments],
        cwd=ROOT,
        env={**os.environ, "BENCH_DATABASE_URL": server_url, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert out.exists(), done.stdout + done.stderr
    tables = json.loads(out.read_text())["tables"]
    return done.returncode, {each["what"]: each for table in tables for each in table["verdicts"]}


@pytest.mark.native
def test_small_attacks(server_url: str, tmp_path: Path) -> None:
    only = ",".join(scenario.name for scenario in SCENARIOS if not scenario.name.startswith("slow-li"))
    small = ("--scale", "0.003", "--seconds", "1", "--calm", "1", "--rate", "30")
    _, verdicts = attack(server_url, tmp_path / "out.json", only, *small, **QUICK)
    assert len(verdicts) == only.count(",") + 1
    for verdict in verdicts.values():
        # On a busy machine latency says nothing.
        assert "failed" not in verdict["figure"], verdict
        assert "left" not in verdict["figure"], verdict
        assert "MB" not in verdict["figure"], verdict


@pytest.mark.native
def test_a_service_without_a_limit_breaks_a_bound(server_url: str, tmp_path: Path) -> None:
    small = ("--scale", "0.003", "--seconds", "1", "--calm", "1", "--patience", "3")
    status, verdicts = attack(server_url, tmp_path / "out.json", "idle", *small, HEAD_SECONDS="600")
    assert status == 1
    assert "connections are left" in verdicts["others are served beside idle"]["figure"]


@pytest.mark.native
def test_limits_of_keys(server_url: str, tmp_path: Path) -> None:
    _, verdicts = attack(server_url, tmp_path / "out.json", "limits", "--seconds", "12")
    assert len(verdicts) == 5
    for verdict in verdicts.values():
        assert float(verdict["figure"]) <= 1.25, verdict  # less than is allowed may be for lack of a processor


def test_help_names_every_attack() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.bench", "attacks", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in NAMES:
        assert name in done.stdout


def test_others_are_judged_by_what_begins_in_a_time() -> None:
    samples = [Sample(at=n, what="write", seconds=n / 100, status=200) for n in range(100)]
    samples += [Sample(at=50, what="page", seconds=9, status=503)]
    quality = Quality(samples, 50, 100)
    assert (quality.count, len(quality.faults)) == (51, 1)
    assert (quality.figure(0.5), quality.figure(0.99)) == ("750", "990")
    assert Quality([], 0, 1).quantile(0.99) == float("inf")
