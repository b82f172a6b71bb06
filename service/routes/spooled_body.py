"""A body that is kept in a temporary file until it is read: formats such as zip are read from their end."""

from __future__ import annotations

import asyncio
import io
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request

from service.errors import Overloaded, TooLarge
from service.ingest.file_items import Source
from service.routes.request_body import announced_length, body_pieces, unless_left

PIECE = 1024 * 1024  # bytes that are written at once


@asynccontextmanager
async def spooled_body(request: Request, most: int) -> AsyncIterator[Source]:
    """Keep a body of at most so many bytes, decompressed, in a file without a name, which ends with the block."""
    if announced_length(request) > most:
        raise too_large(most)
    # Without a name, so that nothing of a person stays on the disk however the process ends.
    with tempfile.TemporaryFile(buffering=0) as file:
        assert isinstance(file, io.FileIO)
        try:
            async for piece in in_larger_pieces(request, most):
                await asyncio.to_thread(write_all, file, piece)
        except OSError as error:
            raise Overloaded(
                f"There is no room for the file at the moment ({error.strerror}).", retry_after=60
            ) from None
        file.seek(0)
        yield Source(file)


async def in_larger_pieces(request: Request, most: int) -> AsyncIterator[bytes]:
    """Yield a body in pieces that are worth a write; TooLarge beyond so many bytes."""
    waiting: list[bytes] = []
    size = total = 0
    async for piece in unless_left(request, body_pieces(request)):
        size += len(piece)
        total += len(piece)
        if total > most:
            raise too_large(most)
        waiting.append(piece)
        if size >= PIECE:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join(waiting)


def write_all(file: io.FileIO, piece: bytes) -> None:
    """Write a piece as a whole."""
    rest = memoryview(piece)
    while rest:
        rest = rest[file.write(rest) :]


def too_large(most: int) -> TooLarge:
    """Say how large a file may be; what is still on its way is not read."""
    return TooLarge(f"The file has more than {most} bytes; send it in parts.", ends_connection=True)
