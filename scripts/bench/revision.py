"""Another revision of this project, to compare with: `--against` of `bench refresh` and of `bench sustained`.

Its programs run in this Python environment, so the packages that they import must be installed. Nothing of its own
`scripts.bench` (in earlier revisions `scripts.benchmarks`) runs. What it must offer, under the names that follow:

- `python -m scripts.migrate --database-url URL` in its root, which migrates an empty database
- core.reading (user_key, device_key, ts, heart_rate, steps, calories), core.horizon (materialized, announced),
  core.stale_day (user_key, day, version) and core.setting (name, value) with refresh_lag
- enrol_users, enrol_devices, begin_writing, hold_horizon, mark_stale and write_readings, in `api_internal` or `api`:
  connections of the benchmarks have both in their search_path, and do not name either
- `CALL api.refresh()` and api.verify(start, end, users)
- for `bench sustained`, `python -m service` that reads DATABASE_URL, HOST, PORT, WORKERS and STOP_WITH_STDIN, and
  answers GET /ready and POST /v1/readings; its service/settings.py names refresh_seconds if it elects a refresher,
  which REFRESH_SECONDS=off prevents
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.bench.ingest.processes import CannotStart

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def checked_out(name: str) -> Iterator[Path]:
    """Yield a temporary directory that holds the files of a revision."""
    with tempfile.TemporaryDirectory(prefix="hyperpulse-bench-") as directory:
        packed = Path(directory) / "revision.tar"
        # Not a worktree: that would stay in the repository's list when this process is killed.
        git("archive", "--output", str(packed), name)
        tree = Path(directory) / "revision"
        with tarfile.open(packed) as archive:
            archive.extractall(tree, filter="data")
        yield tree


def short_hash(name: str) -> str:
    """Return the short hash of a revision."""
    return git("rev-parse", "--short", f"{name}^{{commit}}").strip()


def git(*arguments: str) -> str:
    """Run git on this project and return its output."""
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError as error:
        raise CannotStart(f"git cannot be run: {error}") from None
    if done.returncode:
        raise CannotStart(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


def migrate(tree: Path, url: str) -> None:
    """Migrate a database by the migrations of a revision, in this environment."""
    done = subprocess.run(
        [sys.executable, "-m", "scripts.migrate", "--database-url", url],
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CannotStart(f"scripts.migrate of the revision fails: {(done.stderr or done.stdout).strip()[-300:]}")
