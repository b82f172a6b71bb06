"""Open psql on the running database, or pgcli, which is installed once, if there is no psql."""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

from scripts.run import DEFAULT_DB_PORT

ROOT = Path(__file__).resolve().parent.parent


def address() -> str:
    """Return DATABASE_URL, or the address of the embedded database."""
    port = os.environ.get("DB_PORT") or str(DEFAULT_DB_PORT)
    return os.environ.get("DATABASE_URL") or f"postgresql://postgres@127.0.0.1:{port}/postgres"


def install_pgcli() -> None:
    """Install pgcli from its lock."""
    print("psql is not installed; installing pgcli, which does the same, into .venv.", flush=True)
    lock = str(ROOT / "requirements-psql.lock")
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--require-hashes",
        "--requirement",
        lock,
    ]
    if subprocess.run(command, check=False).returncode != 0:
        sys.exit("psql: pgcli cannot be installed; its messages are above. Install psql (postgresql-client) instead.")


def main() -> NoReturn:
    """Become psql or pgcli."""
    parser = argparse.ArgumentParser(prog="make psql", description=__doc__.split("\n")[0])
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="handed to psql, for example ARGS='-f FILE'")
    arguments = parser.parse_args().arguments
    if psql := shutil.which("psql"):
        os.execv(psql, [psql, address(), *arguments])  # noqa: S606
    if importlib.util.find_spec("pgcli") is None:
        install_pgcli()
    os.execv(sys.executable, [sys.executable, "-m", "pgcli", address(), *arguments])  # noqa: S606


if __name__ == "__main__":
    main()
