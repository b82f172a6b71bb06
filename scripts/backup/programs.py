"""PostgreSQL's own programs: which one to run, with which password, and what it reports meanwhile."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from scripts.backup.errors import CannotBackUp

PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")
PRIVATE = 0o077
"""The mask of files that only their owner may read."""
# What pg_dump says of TimescaleDB's catalog, whose rows the restore puts back in any order.
HARMLESS = re.compile(r"circular foreign-key|^pg_dump: (detail|hint): |^pg_dump: warning: there are circular")
LINES_KEPT = 5


class Login(NamedTuple):
    """An address without its password, and the environment in which libpq finds the password."""

    conninfo: str
    environment: Mapping[str, str]


@contextmanager
def login(url: str) -> Iterator[Login]:
    """Move the password of an address into a private file until the block ends: command lines are seen by all."""
    parts = conninfo_to_dict(url)
    password = parts.pop("password", None)
    if password is None:
        yield Login(make_conninfo("", **parts), os.environ)
        return
    escaped = re.sub(r"([\\:])", r"\\\1", str(password))
    with tempfile.TemporaryDirectory(prefix="hyperpulse-") as directory:
        file = Path(directory) / "pgpass"
        file.touch(mode=0o600)
        file.write_text(f"*:*:*:*:{escaped}\n", encoding="utf-8")
        parts.pop("passfile", None)
        yield Login(make_conninfo("", **parts), {**os.environ, "PGPASSFILE": str(file)})


def find(name: str, major: int) -> Path:
    """Return the program of PostgreSQL `major`, or else of the next newer one; CannotBackUp if there is none."""
    found: list[tuple[int, Path]] = []
    for program in candidates(name):
        version = major_of(program)
        if version == major:
            return program
        if version > major:
            found.append((version, program))
    if found:
        return min(found)[1]
    raise CannotBackUp(
        f"There is no {name} of PostgreSQL {major} or newer. Install postgresql-client-{major}, or name the directory "
        "of its programs in PG_BIN."
    )


def candidates(name: str) -> Iterator[Path]:
    """Yield the programs of that name: in PG_BIN and nowhere else where that is set."""
    if named := os.environ.get("PG_BIN"):
        yield Path(named) / name
        return
    if on_path := shutil.which(name):
        yield Path(on_path)
    for place in PLACES:
        yield from sorted(Path("/").glob(f"{place[1:]}/{name}"))


def major_of(program: Path) -> int:
    """Return the major version of a program; 0 if it does not run."""
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30, check=True).stdout
        return int(said.split(") ")[1].split(".")[0].split()[0])
    except (OSError, ValueError, IndexError, subprocess.SubprocessError):
        return 0


def run(
    command: Sequence[str | Path], environment: Mapping[str, str], heard: Callable[[str], bool] = lambda line: False
) -> None:
    """Run a program whose files are private; CannotBackUp has its last lines.

    Args:
        command: the program and its arguments.
        environment: of the program, in English whatever this machine speaks.
        heard: is given each line of its standard error and returns whether it was progress.

    """
    last: deque[str] = deque(maxlen=LINES_KEPT)
    with subprocess.Popen(
        command,
        env={**environment, "LC_MESSAGES": "C", "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        umask=PRIVATE,
    ) as process:
        try:
            assert process.stderr is not None
            for raw in process.stderr:
                line = raw.decode(errors="replace").rstrip()
                if line and not heard(line) and not HARMLESS.search(line):
                    last.append(line)
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        raise CannotBackUp(f"{Path(command[0]).name} ended with status {process.returncode}: {'; '.join(last)}")
