"""Work in a process of its own, so that clients do not slow each other down more than the processor makes them."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import uvloop

from service.server.open_files import raise_limit

AUTOGROUP = Path("/proc/self/autogroup")  # the niceness of this session


@contextlib.contextmanager
def apart(work: Callable[..., Any], *arguments: object, yields: bool = False) -> Iterator[Connection]:
    """Await `work(pipe, *arguments)` in a process of its own, which is killed when the block ends.

    One that `yields` runs when nothing else does, so that what it takes of the processor is missing nowhere: an
    attacker has a computer of its own.
    """
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=run, args=(work, theirs, arguments, yields), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours
    finally:
        process.kill()
        process.join()


def yield_processors() -> None:
    """Run when nothing else does.

    Linux may share processors among sessions before it does among processes, so the session yields, too.
    """
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    with contextlib.suppress(OSError):
        AUTOGROUP.write_text("19")


def run(work: Callable[..., Any], pipe: Connection, arguments: tuple[object, ...], yields: bool) -> None:
    """Do the work, with as many open files as the system allows."""
    raise_limit()
    os.setsid()
    if yields:
        yield_processors()
    uvloop.run(work(pipe, *arguments))
