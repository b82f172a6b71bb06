"""The comparison of `make bench`, with few readings: its rows are there, their readings are stored, nothing is left."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from scripts.bench.__main__ import measure
from tests.support.paths import ROOT
from tests.support.ports import free_port

needs_psql = pytest.mark.skipif(shutil.which("psql") is None, reason="COPY is measured by psql")


def sizes() -> list[str]:
    """Return the options of a run with few readings."""
    return ["--users", "20", "--readings", "2000", "--seconds", "5s", "--port", str(free_port())]


def bench(server_url: str, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the comparison with few readings, as a command."""
    done = subprocess.run(
        [sys.executable, "-m", "scripts.bench", "ingest", *sizes(), "--database", name, *arguments],
        cwd=ROOT,
        env={**os.environ, "BENCH_DATABASE_URL": server_url},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@needs_psql
def test_a_small_run_measures_copy_and_the_service(server_url: str, tmp_path: Path) -> None:
    name, out = f"hyperpulse_bench_{os.getpid()}", tmp_path / "out.json"
    only = ["--only", "1 worker: fresh, batch 100", "--only", "1 worker: late"]
    done = bench(server_url, name, *only, "--json", str(out))
    rows = {f"{row['subject']}: {row['what']}": row for row in json.loads(out.read_text())["rows"]}
    assert list(rows) == [
        "psql COPY: fresh, 1 connection",
        "psql COPY: fresh, 2 connections",
        "psql COPY: time-interleaved, 2 connections",
        "psql COPY: late, 2 connections",
        "Hyperpulse, 1 worker: fresh, batch 100",
        "Hyperpulse, 1 worker: fresh, batch 1000",
        "Hyperpulse, 1 worker: late, batch 1000",
    ]
    for row in rows.values():
        assert (row["readings"], row["note"]) == (2000, "")
        assert row["rate"] > 0
        assert row["cpu"]["client"] is not None
    assert "Hyperpulse, 1 worker: late, batch 1000" in done.stdout
    with psycopg.connect(server_url, autocommit=True) as connection:
        assert connection.execute("SELECT count(*) FROM pg_database WHERE datname = %s", (name,)).fetchone() == (0,)


@needs_psql
@pytest.mark.usefixtures("prepared_databases")
def test_turns_compare_with_what_was_measured_beside(
    server_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("BENCH_DATABASE_URL", server_url)
    out = tmp_path / "out.json"
    only = ["--only", "1 worker: fresh, batch 1000"]
    own = [*sizes(), "--database", f"hyperpulse_bench_{os.getpid()}", "--json", str(out)]
    assert measure(["ingest", *own, *only, "--turns", "2"]) == 0
    rows = json.loads(out.read_text())["rows"]
    copy, service = ("psql COPY", 2000), ("Hyperpulse, 1 worker", 2000)
    assert [(row["subject"], row["readings"]) for row in rows] == [copy, service, service, copy]
    first, second = rows[1]["rate"] / rows[0]["rate"], rows[2]["rate"] / rows[3]["rate"]
    least, most = sorted((first, second))
    assert f"{(first + second) / 2:.2g} ({least:.2g}–{most:.2g})" in capsys.readouterr().out
