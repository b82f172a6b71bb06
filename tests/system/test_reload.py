"""`make run ARGS=--reload`: an edit reaches the running service, and one that breaks it is waited out."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import httpx
import pytest

from scripts.reload import FileWatcher
from tests.support.paths import ROOT
from tests.support.ports import free_port
from tests.support.processes import started

EDITED = ("service", "scripts", "sql", "migrations")
INSTALLED = ("scripts/embedded/node_modules", "service/dashboard/libraries/node_modules")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the sources, to be edited; what npm installed is shared."""
    for name in EDITED:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
    for name in INSTALLED:
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def test_written_added_and_removed_files_are_changes(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    code, notes = package / "code.py", package / "notes.md"
    code.touch()
    watcher = FileWatcher(tmp_path)
    notes.touch()
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "code.py").touch()
    assert watcher.changes() == set()
    os.utime(code, ns=(1, 1))
    query = package / "query.sql"
    query.touch()
    assert watcher.changes() == {code, query}
    code.unlink()
    assert watcher.changes() == {code}
    assert watcher.changes() == set()


def test_edits_reach_the_service_and_broken_ones_are_waited_out(copy: Path, database_url: str) -> None:
    port = free_port()
    run = [sys.executable, "-m", "scripts.run", "--reload"]
    with started(run, copy, DATABASE_URL=database_url, PORT=str(port), REFRESH_SECONDS="off") as command:
        command.wait_for("Ctrl-C")
        for path, broken, said in (
            (copy / "service" / "settings.py", "broken = (", "The service ended with status 1"),
            (copy / "sql" / "api" / "goals.sql", "BROKEN;", "The database was not migrated"),
        ):
            right = path.read_text()
            path.write_text(right + broken)
            command.wait_for(f"{path.name} changed")
            command.wait_for(said)
            path.write_text(right)
            command.wait_for(f"{path.name} changed")
            transport = httpx.HTTPTransport(retries=8)
            with httpx.Client(transport=transport, base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
                assert client.get("/ready").status_code == 200
