"""A task that several requests wait for, each of which may leave before it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


def begin_for_all(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Begin what requests wait for by asyncio.shield; an error is no surprise where all of them have left."""
    task = asyncio.create_task(work)
    task.add_done_callback(note_error)
    return task


def note_error(task: asyncio.Task[None]) -> None:
    """Take the error of a task, which asyncio would log as one that was never retrieved."""
    if not task.cancelled():
        task.exception()
