"""The recipes of docs/loading.md, as they stand there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import httpx
import psycopg
import pytest

from scripts.load.__main__ import main
from tests.support.paths import ROOT

TEN = datetime(2025, 1, 15, 10, tzinfo=UTC)
ALL = b"SELECT user_id, device_id, ts, heart_rate, steps FROM api.readings ORDER BY 1, 2, 3"


def recipe(language: str, base_url: str = "") -> str:
    """Return the recipe that is written in a language, for another service."""
    text = (ROOT / "docs" / "loading.md").read_text(encoding="utf-8").split("## Recipes")[1]
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return str(found).replace("http://127.0.0.1:8000", base_url)


def require(module: str) -> None:
    """Skip where a module is missing, which this project does not depend on."""
    if find_spec(module) is None:
        pytest.skip(f"{module} is not installed")


def test_pandas(client: httpx.Client, base_url: str, db: psycopg.Connection) -> None:
    require("pandas")
    done = subprocess.run(
        [sys.executable, "-c", recipe("python", base_url)], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["inserted"] == 3
    assert db.execute(ALL).fetchall() == [
        ("01", "default", TEN.replace(hour=9), 80.0, None),
        ("ada", "default", TEN.replace(hour=9), 71.5, 12),
        ("ada", "default", TEN.replace(hour=9, minute=1), None, 30),
    ]


def test_duckdb(
    client: httpx.Client, base_url: str, db: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require("duckdb")
    import duckdb

    monkeypatch.chdir(tmp_path)
    rows = """
        ('a,"b"', TIMESTAMP '2025-01-15 10:00:00', 71.5::DOUBLE, 12),
        ('01', TIMESTAMP '2025-01-15 10:00:00.25', NULL, 30)
    """
    duckdb.sql(f"COPY (FROM (VALUES {rows}) AS t (person, measured, bpm, steps)) TO 'watch.parquet'")
    duckdb.sql(recipe("sql"))
    assert main(["--url", base_url, "--no-progress", "readings.csv"]) == 0
    assert db.execute(ALL).fetchall() == [
        ("01", "watch", TEN.replace(microsecond=250_000), None, 30),
        ('a,"b"', "watch", TEN, 71.5, 12),
    ]


def test_a_shell_loop(client: httpx.Client, base_url: str, db: psycopg.Connection, tmp_path: Path) -> None:
    (tmp_path / "good one.csv").write_text("user_id;timestamp;steps\nada;2025-01-15T10:00:00Z;12\n")
    (tmp_path / "other.csv").write_text("who,when\nada,now\n")
    done = subprocess.run(
        ["bash", "-c", recipe("sh", base_url)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "422" in done.stderr
    assert db.execute(ALL).fetchall() == [("ada", "default", TEN, None, 12)]
    assert json.loads((tmp_path / "taken" / "good one.csv.receipt").read_text())["inserted"] == 1
    assert "must be a header" in (tmp_path / "taken" / "other.csv.receipt").read_text()
    assert sorted(path.name for path in tmp_path.glob("*.csv")) == ["other.csv"]
    assert (tmp_path / "taken" / "good one.csv").exists()
