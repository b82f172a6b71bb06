"""The npm package that the embedded database needs, installed once per lock file."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections import deque
from pathlib import Path

from scripts.embedded.errors import InstallFailed
from scripts.embedded.node import npm_command

HERE = Path(__file__).resolve().parent
LOCK = HERE / "package-lock.json"
STAMP = HERE / "node_modules" / ".installed-lock-sha256"
PACKAGE = HERE / "node_modules" / "@unni-craftsman" / "pglite" / "package.json"
LINES_KEPT = 6


def is_installed() -> bool:
    """Whether node_modules holds what the lock file names."""
    return PACKAGE.is_file() and STAMP.is_file() and STAMP.read_text() == _lock_hash()


def install() -> None:
    """Run `npm ci` unless that was done for this lock file already."""
    if is_installed():
        return
    print("Installing the embedded TimescaleDB (one npm package, about 22 MB).", file=sys.stderr, flush=True)
    command = [*npm_command(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    last: deque[str] = deque(maxlen=LINES_KEPT)
    with subprocess.Popen(command, cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as npm:
        assert npm.stdout is not None
        for line in npm.stdout:
            print(f"  {line.rstrip()}", file=sys.stderr, flush=True)
            last.append(line.strip())
    if npm.returncode != 0 or not PACKAGE.is_file():
        said = next((line for line in last if line), "nothing")
        raise InstallFailed(
            f"npm could not install the embedded database (exit code {npm.returncode}, it said: {said}): check that "
            "this machine reaches an npm registry, or set DATABASE_URL to a TimescaleDB of your own."
        )
    STAMP.write_text(_lock_hash())


def _lock_hash() -> str:
    return hashlib.sha256(LOCK.read_bytes()).hexdigest()
