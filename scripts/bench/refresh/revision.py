"""Another revision of this project, to compare with: its schema, on which this revision's questions are asked."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.bench.database import Migrate
from scripts.bench.ingest.processes import CannotStart

ROOT = Path(__file__).resolve().parents[3]


@contextmanager
def revision(name: str) -> Iterator[Migrate]:
    """Check a revision out beside this one; yields what migrates a database with it."""
    with tempfile.TemporaryDirectory(prefix="hyperpulse-bench-") as directory:
        packed = Path(directory) / "revision.tar"
        # Not a worktree: that would stay in the repository's list when this is killed.
        git("archive", "--output", str(packed), name)
        tree = Path(directory) / "revision"
        with tarfile.open(packed) as archive:
            archive.extractall(tree, filter="data")
        yield lambda url: migrate(tree, url)


def short(name: str) -> str:
    """Return the short hash of a revision."""
    return git("rev-parse", "--short", f"{name}^{{commit}}").strip()


def git(*arguments: str) -> str:
    """Run git on this project; return what it says."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CannotStart(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


def migrate(tree: Path, url: str) -> None:
    """Migrate a database by the scripts of a revision, in this environment."""
    environment = {**os.environ, "DATABASE_URL": url}
    done = subprocess.run(
        [sys.executable, "-m", "scripts.migrate"],
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise CannotStart(f"the other revision cannot migrate: {(done.stderr or done.stdout).strip()}")
