"""Memory that is free goes back to the system, so that what overload takes is not kept. This is glibc's alone."""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

M_MMAP_THRESHOLD = -3  # of mallopt
LARGE = 256 * 1024  # bytes
TRIM_SECONDS = 2.0


@asynccontextmanager
async def trimmed_memory() -> AsyncIterator[None]:
    """Return large blocks, such as bodies of requests, once they are free, and other pages every other second.

    By itself glibc does the former until the first such block is freed, and then keeps them among small ones.
    """
    library: Any = ctypes.CDLL(None)
    if not hasattr(library, "malloc_trim"):
        yield
        return
    library.mallopt(M_MMAP_THRESHOLD, LARGE)
    trimming = asyncio.create_task(trim(library))
    try:
        yield
    finally:
        trimming.cancel()


async def trim(library: Any) -> None:
    """Return the pages that lie free among what is in use, now and then."""
    while True:
        await asyncio.sleep(TRIM_SECONDS)
        library.malloc_trim(0)
