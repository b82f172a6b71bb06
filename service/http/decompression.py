"""Compressed request bodies, turned into plain bytes piece by piece, so that a bomb is noticed before it goes off."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import zstandard

from service.errors import Malformed, Problem, Unsupported

STEP = 1024 * 1024  # bytes: the most that one step may give
ZSTD_SLICE = 32  # bytes: four of them can stand for 128 KiB
ZSTD_WINDOW = 8 * 1024 * 1024  # bytes: what a decoder must keep

Pieces = AsyncIterator[bytes]


def plain(pieces: Pieces, encoding: str) -> Pieces:
    """Return the plain bytes of a body in that Content-Encoding; Unsupported where it is unknown."""
    match encoding.strip().lower():
        case "" | "identity":
            return pieces
        case "gzip" | "x-gzip":
            return inflate(pieces, lambda: zlib.decompressobj(16 + zlib.MAX_WBITS))
        case "deflate":
            return inflate(pieces, zlib.decompressobj)
        case "zstd":
            return unzstd(pieces)
        case other:
            raise Unsupported(f"The encoding {other[:100]!r} is unknown; send gzip, zstd or none.")


async def inflate(pieces: Pieces, new_stream: Callable[[], Any]) -> Pieces:
    """Decompress with zlib; gzip may have several members."""
    stream = new_stream()
    async for piece in pieces:
        rest = piece
        while rest:
            if stream.eof:
                stream = new_stream()
            try:
                made = stream.decompress(rest, STEP)
            except zlib.error:
                raise broken() from None
            yield made
            # What was consumed may still have more to give than one step.
            while len(made) == STEP and not stream.eof:
                made = stream.decompress(stream.unconsumed_tail, STEP)
                yield made
            rest = stream.unused_data if stream.eof else stream.unconsumed_tail
    if not stream.eof:
        raise broken()


async def unzstd(pieces: Pieces) -> Pieces:
    """Decompress with zstd; a body may have several frames."""
    decompressor = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW)
    stream = decompressor.decompressobj()
    async for piece in pieces:
        for start in range(0, len(piece), ZSTD_SLICE):
            rest = piece[start : start + ZSTD_SLICE]
            while rest:
                if stream.eof:
                    stream = decompressor.decompressobj()
                try:
                    yield stream.decompress(rest)
                except zstandard.ZstdError:
                    raise broken() from None
                rest = stream.unused_data if stream.eof else b""
    if not stream.eof:
        raise broken()


def broken() -> Problem:
    """Say that a body is not what it claims to be."""
    return Malformed("The body is not what its Content-Encoding says, or it is not complete.")
