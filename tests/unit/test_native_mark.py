"""Tests marked native are skipped on the embedded database, before anything is started for them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.paths import ROOT

TESTS = """
import pytest

@pytest.fixture(scope="session")
def server():
    pytest.fail("a server is started")

@pytest.mark.native
def test_of_a_native_server(server):
    pass

def test_of_any_server():
    pass
"""


def test_no_fixture_begins_for_a_native_test_on_the_embedded_database(tmp_path: Path) -> None:
    (tmp_path / "test_two.py").write_text(TESTS)
    left_out = ("TEST_DATABASE_URL", "PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER")
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-c",
            "pyproject.toml",
            "-p",
            "tests.conftest",
            "-p",
            "no:cacheprovider",
            tmp_path,
        ],
        cwd=ROOT,
        env=environment | {"PATH": str(tmp_path)},  # without a native TimescaleDB of this machine
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "needs a native TimescaleDB: set TEST_DATABASE_URL" in done.stdout, done.stdout + done.stderr
    assert "1 passed, 1 skipped" in done.stdout
