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

from tests.conftest import ROOT
from tests.ports import free_port


@pytest.mark.skipif(shutil.which("psql") is None, reason="COPY is measured by psql")
def test_a_small_run_measures_copy_and_the_service(server_url: str, tmp_path: Path) -> None:
    name, out = f"hyperpulse_bench_{os.getpid()}", tmp_path / "out.json"
    sizes = ["--users", "20", "--readings", "2000", "--seconds", "5s", "--port", str(free_port())]
    only = ["--only", "1 worker: fresh, batch 100", "--only", "1 worker: late"]
    done = subprocess.run(
        [sys.executable, "-m", "scripts.bench", "ingest", *sizes, *only, "--database", name, "--json", str(out)],
        cwd=ROOT,
        env={**os.environ, "BENCH_DATABASE_URL": server_url},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
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
