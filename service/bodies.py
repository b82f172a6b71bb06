"""Request bodies: read within bounds, decompressed within bounds, parsed strictly."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable
from typing import Any

import zstandard
from pydantic_core import from_json
from starlette.requests import ClientDisconnect, Request

from service.problems import Problem

ZSTD_SLICE = 1024
JSON_TYPES = ("application/json", "text/json")


async def read_json(request: Request, limit: int, idle_seconds: int) -> Any:
    """Return the JSON value of a request's body; Problem 400, 408, 413 or 415 where there is none."""
    require_json(request)
    return parse_json(await read_body(request, limit, idle_seconds))


def require_json(request: Request) -> None:
    """Refuse a body that is announced as anything but JSON."""
    announced = request.headers.get("content-type", JSON_TYPES[0]).split(";")[0].strip().lower()
    if announced not in JSON_TYPES and not announced.endswith("+json"):
        raise Problem(415, f"The body is announced as {announced[:100]!r}; send application/json.")


def parse_json(body: bytes) -> Any:
    """Parse strict JSON: no NaN, no lone surrogates, at most some 200 levels deep."""
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise Problem(400, f"The body is not JSON: {error}.") from None


async def read_body(request: Request, limit: int, idle_seconds: int) -> bytes:
    """Return a body of at most `limit` bytes, counted after decompression."""
    decompress = decompressor(request.headers.get("content-encoding", "identity"), limit)
    pieces: list[bytes] = []
    size = 0
    async for piece in chunks(request, idle_seconds):
        pieces.append(decompress(piece))
        size += len(pieces[-1])
        if size > limit:
            raise Problem(413, f"The body has more than {limit} bytes; send it in smaller pieces.")
    return b"".join(pieces)


async def chunks(request: Request, idle_seconds: int) -> Any:
    """Yield a body as it arrives; give up on a client that sends nothing for too long."""
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout(idle_seconds):
                yield await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise Problem(
                408, f"Nothing of the body arrived for {idle_seconds} seconds.", headers={"Connection": "close"}
            ) from None
        except ClientDisconnect:
            raise Problem(400, "The body ended before it was complete.") from None


def decompressor(encoding: str, limit: int) -> Callable[[bytes], bytes]:
    """Return what turns pieces of a body into plain bytes, never more than `limit` + 1 at a time."""
    match encoding.strip().lower():
        case "" | "identity":
            return bytes
        case "gzip" | "x-gzip":
            return bounded(zlib.decompressobj(16 + zlib.MAX_WBITS), limit)
        case "deflate":
            return bounded(zlib.decompressobj(), limit)
        case "zstd":
            return bounded_zstd(limit)
        case other:
            raise Problem(415, f"The encoding {other[:100]!r} is unknown; send gzip, zstd or none.")


def bounded(stream: Any, limit: int) -> Callable[[bytes], bytes]:
    """Decompress with zlib, stopping just past the limit."""

    def decompress(piece: bytes) -> bytes:
        try:
            return bytes(stream.decompress(piece, limit + 1))
        except zlib.error as error:
            raise Problem(400, f"The body is not what its Content-Encoding says: {error}.") from None

    return decompress


def bounded_zstd(limit: int) -> Callable[[bytes], bytes]:
    """Decompress with zstd, stopping soon past the limit; a window over 8 MiB is refused."""
    stream = zstandard.ZstdDecompressor(max_window_size=8 * 1024 * 1024).decompressobj()

    def decompress(piece: bytes) -> bytes:
        plain = bytearray()
        try:
            # Four bytes can stand for 128 KiB, so a whole piece must not be handed over at once.
            for start in range(0, len(piece), ZSTD_SLICE):
                plain += stream.decompress(piece[start : start + ZSTD_SLICE])
                if len(plain) > limit:
                    break
        except zstandard.ZstdError as error:
            raise Problem(400, f"The body is not what its Content-Encoding says: {error}.") from None
        return bytes(plain)

    return decompress
