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

from scripts import embedded
from scripts.run import CannotRun, read_options

ROOT = Path(__file__).resolve().parent.parent


def address() -> str:
    """Return DATABASE_URL, or the address of the embedded database, whose password psql then finds in a file."""
    options = read_options(None)
    if options.database_url is not None:
        return options.database_url
    os.environ["PGPASSFILE"] = str(embedded.password_file(options.data))
    # To whoever has taken the port meanwhile, no password is shown in clear.
    os.environ.setdefault("PGREQUIREAUTH", "scram-sha-256")
    return embedded.address(options.db_port)


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
    try:
        url = address()
    except CannotRun as error:
        sys.exit(f"psql: {error}")
    if psql := shutil.which("psql"):
        os.execv(psql, [psql, url, *arguments])  # noqa: S606
    if importlib.util.find_spec("pgcli") is None:
        install_pgcli()
    os.execv(sys.executable, [sys.executable, "-m", "pgcli", url, *arguments])  # noqa: S606


if __name__ == "__main__":
    main()
