"""The suite in several processes: what one of them makes for all, and which tests stay in one of them.

Each process has a database, a service and ports of its own, so tests of two of them never meet.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

# These share what takes long to start, or more than a file's tests must not meet each other.
FOLDERS = ("tests/browser/", "tests/embedded/")
# What takes longest begins first, so that no process is left alone with it at the end.
LONGEST_FIRST = (
    "tests/http/test_fuzz.py",
    "tests/system/",
    "tests/embedded/",
    "tests/exactness/",
    "tests/browser/",
    "tests/simulate/",
    "tests/http/hostile/",
)


def unit_of(nodeid: str) -> str:
    """Return the name of what a test belongs to that one process runs: its file, or its folder."""
    path = nodeid.split("::", 1)[0]
    return next((folder for folder in FOLDERS if path.startswith(folder)), path)


def urgency(nodeid: str) -> int:
    """Return where a test's unit stands in the order of beginning."""
    places = [place for place, start in enumerate(LONGEST_FIRST) if nodeid.startswith(start)]
    return places[0] if places else len(LONGEST_FIRST)


def common(factory: pytest.TempPathFactory) -> Path:
    """Return a directory of this run, the same for all its processes."""
    own = factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@contextmanager
def alone(factory: pytest.TempPathFactory, what: str) -> Iterator[None]:
    """Let one process of this run at a time do this."""
    with (common(factory) / f"{what}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def made_once(factory: pytest.TempPathFactory, what: str, make: Callable[[Path], None]) -> Path:
    """Return a directory that the first process to ask for it makes; the others wait until it is whole."""
    made = common(factory) / what
    with alone(factory, what):
        if not made.exists():
            begun = factory.mktemp(what)
            make(begun)
            begun.rename(made)
    return made
