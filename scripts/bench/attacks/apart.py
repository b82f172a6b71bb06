"""Work in a process of its own, so that clients do not slow each other down more than the processor makes them."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any

import uvloop

from service.server.open_files import raise_limit


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


def run(work: Callable[..., Any], pipe: Connection, arguments: tuple[object, ...], yields: bool) -> None:
    """Do the work, with as many open files as the system allows."""
    raise_limit()
    if yields and hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    uvloop.run(work(pipe, *arguments))
