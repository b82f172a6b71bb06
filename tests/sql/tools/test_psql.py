"""psql: the session that docs/bi.md shows, and the reports."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.sql.people import REPORTS
from tests.sql.tools.document import blocks
from tests.sql.tools.world import World
from tests.support.paths import ROOT


def run_psql(world: World, *arguments: str, text: str = "") -> str:
    """Run psql as a person who may only read, from the project's directory."""
    if shutil.which("psql") is None:
        pytest.skip("psql is not on PATH")
    done = subprocess.run(
        ["psql", "-X", "-v", "ON_ERROR_STOP=1", world.url, *arguments],
        cwd=ROOT,
        env={**os.environ, "PGTZ": "UTC", "PAGER": ""},
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def test_psql(world: World, tmp_path: Path) -> None:
    (block,) = blocks("psql", "psql")
    file = tmp_path / "population.csv"
    said = run_psql(world, "-f", "-", text=block.replace("population.csv", str(file)))
    assert "Timing is on." in said
    assert "Start of the hour, UTC." in said  # the comment of a column
    assert "Users by local day of tz" in said  # the comment of a function
    assert {int(rows) for rows in re.findall(r"^\((\d+) rows\)$", said, re.MULTILINE)} & world.hours()
    assert re.search(r"^ bob +\|", said, re.MULTILINE)
    assert file.read_text().startswith("tenant_id,bucket,users,")


def test_psql_runs_every_report(world: World) -> None:
    said = run_psql(world, *(part for report in REPORTS for part in ("-f", str(report))))
    assert len(re.findall(r"^\(\d+ rows?\)$", said, re.MULTILINE)) == len(REPORTS)
