"""Install the npm packages of a folder's lock file, once per lock file."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections import deque
from pathlib import Path

from scripts.embedded.node import npm_command

STAMP = ".installed-lock-sha256"
LINES_KEPT = 6


class NpmFailed(Exception):
    """npm could not install; the message is npm's own, without a full stop."""


def is_installed(folder: Path) -> bool:
    """Return whether the folder's node_modules matches its lock file."""
    stamp = folder / "node_modules" / STAMP
    return stamp.is_file() and stamp.read_text() == lock_hash(folder)


def install(folder: Path) -> None:
    """Run `npm ci` in a folder. Raises NpmFailed, or NodeMissing or NodeTooOld without a usable Node.js."""
    command = [*npm_command(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    last: deque[str] = deque(maxlen=LINES_KEPT)
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as npm:
        assert npm.stdout is not None
        for line in npm.stdout:
            print(f"  {line.rstrip()}", file=sys.stderr, flush=True)
            last.append(line.strip())
    if npm.returncode != 0:
        said = next((line for line in last if line), "nothing")
        raise NpmFailed(f"exit code {npm.returncode}, it said: {said}")
    (folder / "node_modules" / STAMP).write_text(lock_hash(folder))


def lock_hash(folder: Path) -> str:
    """Return a digest of the folder's lock file."""
    return hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
