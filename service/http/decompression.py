"""Compressed request bodies, turned into plain bytes piece by piece, so that a bomb is noticed before it goes off.

The ratio tells a bomb: 32 KiB of zstd can stand for 1 GiB, which takes seconds to read. Readings of a day, a second
apart, were compressed 225 times at most: steps alone, all of them 0, of a user with a name of 128 letters.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import zstandard

from service.errors import Malformed, Problem, TooLarge, Unsupported
from service.event_loop import FairGate

STEP = 256 * 1024  # bytes: the most that one step may give
ZSTD_SLICE = 32  # bytes: four of them can stand for 128 KiB
ALWAYS = 8 * 1024 * 1024  # plain bytes that any body may have
PADDING = 1024 * 1024  # compressed bytes that any body may have, and stand for nothing
ZSTD_WINDOW = 8 * 1024 * 1024  # bytes: what a decoder must keep

Pieces = AsyncIterator[bytes]


def plain(pieces: Pieces, encoding: str, most_ratio: int, gate: FairGate) -> Pieces:
    """Return the plain bytes of a body in that Content-Encoding; Unsupported where it is unknown.

    TooLarge is raised where there are more than `most_ratio` for each byte of the body, or hardly any. Each step, and
    what becomes of its bytes before the next is asked for, passes the gate: a dozen bombs at once take the event loop
    no longer than one does.
    """
    ratio = Ratio(most_ratio)
    match encoding.strip().lower():
        case "" | "identity":
            return pieces
        case "gzip" | "x-gzip":
            return ratio.checked(inflate(ratio.counted(pieces), lambda: zlib.decompressobj(16 + zlib.MAX_WBITS), gate))
        case "deflate":
            return ratio.checked(inflate(ratio.counted(pieces), zlib.decompressobj, gate))
        case "zstd":
            return ratio.checked(unzstd(ratio.counted(pieces), gate))
        case other:
            raise Unsupported(f"The encoding {other[:100]!r} is unknown; send gzip, zstd or none.")


class Ratio:
    """Compares how many bytes a body has with how many it stands for."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.compressed = 0
        self.plain = 0

    async def counted(self, pieces: Pieces) -> Pieces:
        """Count compressed bytes; what goes on and stands for nothing is refused."""
        async for piece in pieces:
            if self.compressed > PADDING + 2 * self.plain:
                raise self.refusal("nearly nothing")
            self.compressed += len(piece)
            yield piece

    async def checked(self, pieces: Pieces) -> Pieces:
        """Count plain bytes, and refuse too many of them."""
        async for piece in pieces:
            self.plain += len(piece)
            if self.plain > ALWAYS + self.most * self.compressed:
                raise self.refusal(f"more than {self.most} times as many")
            yield piece

    def refusal(self, what: str) -> Problem:
        """Say what the bytes of the body stand for."""
        return TooLarge(
            f"The first {self.compressed} bytes of the body stand for {what}; send it uncompressed.",
            ends_connection=True,
        )


class Steps:
    """Passes a gate before a body is decompressed further by about a STEP."""

    def __init__(self, gate: FairGate) -> None:
        self.gate = gate
        self.left = 0

    async def begin(self) -> None:
        """Wait for a turn, unless the last one has bytes left."""
        if self.left <= 0:
            await self.gate.enter()
            self.left = STEP

    def counted(self, made: bytes) -> bytes:
        """Count what was made."""
        self.left -= len(made)
        return made


async def inflate(pieces: Pieces, new_stream: Callable[[], Any], gate: FairGate) -> Pieces:
    """Decompress with zlib; gzip may have several members."""
    stream = new_stream()
    async for piece in pieces:
        steps = Steps(gate)
        rest = piece
        while rest:
            if stream.eof:
                stream = new_stream()
            await steps.begin()
            try:
                made = steps.counted(stream.decompress(rest, STEP))
            except zlib.error:
                raise broken() from None
            yield made
            # What was consumed may still have more to give than one step.
            while len(made) == STEP and not stream.eof:
                await steps.begin()
                made = steps.counted(stream.decompress(stream.unconsumed_tail, STEP))
                yield made
            rest = stream.unused_data if stream.eof else stream.unconsumed_tail
    if not stream.eof:
        raise broken()


async def unzstd(pieces: Pieces, gate: FairGate) -> Pieces:
    """Decompress with zstd; a body may have several frames."""
    decompressor = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW)
    stream = decompressor.decompressobj()
    async for piece in pieces:
        steps = Steps(gate)
        for start in range(0, len(piece), ZSTD_SLICE):
            rest = piece[start : start + ZSTD_SLICE]
            while rest:
                if stream.eof:
                    stream = decompressor.decompressobj()
                await steps.begin()
                try:
                    yield steps.counted(stream.decompress(rest))
                except zstandard.ZstdError:
                    raise broken() from None
                rest = stream.unused_data if stream.eof else b""
    if not stream.eof:
        raise broken()


def broken() -> Problem:
    """Say that a body is not what it claims to be."""
    return Malformed("The body is not what its Content-Encoding says, or it is not complete.")
