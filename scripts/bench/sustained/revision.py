"""Another revision of this project, checked out beside."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.bench.ingest.processes import CannotStart
from service.database.schema import ROOT


@contextmanager
def checked_out(revision: str, directory: Path) -> Iterator[Path]:
    """Make a git worktree of a revision, and remove it afterwards."""
    place = directory / "revision"
    git("worktree", "add", "--detach", "--quiet", str(place), revision)
    try:
        yield place
    finally:
        git("worktree", "remove", "--force", str(place))


def named(revision: str) -> str:
    """Return the short name of a revision."""
    return git("rev-parse", "--short", f"{revision}^{{commit}}").strip()


def git(*arguments: str) -> str:
    """Run git here; CannotStart with its words where it fails."""
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError as error:
        raise CannotStart(f"git cannot be run: {error}") from None
    if done.returncode:
        raise CannotStart(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout
