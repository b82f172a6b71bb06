"""What an adapter makes of a file, taken in a thread of its own, some items at a time, as they can be stored."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from itertools import islice
from typing import NamedTuple

from service.imports.adapter import Adapter, Damaged, ImportContext, Item

SOME = 500  # items: a few milliseconds, in the thread and then on the event loop


class Stopped(Exception):
    """The file is no longer wanted."""


class Source(io.BufferedReader):
    """A file that can be taken away from what reads it, however long that reads without finding anything."""

    is_wanted = True

    def read(self, size: int | None = -1, /) -> bytes:
        """Read so many bytes; Stopped once the file is no longer wanted."""
        if not self.is_wanted:
            raise Stopped
        return super().read(size)


class Some(NamedTuple):
    """Some of the items of a file, and where it cannot be read on, why; `is_last` where nothing follows."""

    items: list[Item]
    is_last: bool
    damage: Damaged | None = None


def take(items: Iterator[Item]) -> Some:
    """Take the next items."""
    taken: list[Item] = []
    try:
        taken.extend(islice(items, SOME))
    except Damaged as damaged:
        return Some(taken, True, damaged)
    return Some(taken, len(taken) < SOME)


@asynccontextmanager
async def items_of_file(adapter: Adapter, source: Source, context: ImportContext) -> AsyncIterator[AsyncIterator[Some]]:
    """Read a file until the block ends; a library may bind what it opens to a thread, so all is done in one."""
    loop = asyncio.get_running_loop()
    thread = ThreadPoolExecutor(1, thread_name_prefix=f"import-{adapter.name}")
    items = adapter.read(source, context)

    async def each() -> AsyncIterator[Some]:
        is_last = False
        while not is_last:
            some = await loop.run_in_executor(thread, take, items)
            is_last = some.is_last
            yield some

    try:
        yield each()
    finally:
        source.is_wanted = False
        close = getattr(items, "close", None)
        if close is not None:
            thread.submit(close)
        await asyncio.shield(loop.run_in_executor(None, thread.shutdown))
