"""Request bodies: read within bounds, decompressed within bounds, parsed strictly."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request

from service.errors import Malformed, Problem, TooLarge, Unsupported
from service.http.arrivals import too_late
from service.http.decompression import plain
from service.ingest.pipeline import Upload
from service.live.connections import protocol_of
from service.model.strict_json import parse_json
from service.state import state_of

Piece = TypeVar("Piece")

JSON_TYPES = ("application/json", "text/json")
WHOLE = 2 * 1024 * 1024  # bytes: JSON up to here is parsed at once, what is larger in parts
FIRST = 64 * 1024  # bytes of lines that are read at once
STREAM = 2 * 1024 * 1024  # bytes that a stream of lines may hold
HELD = "hyperpulse.held"  # bytes, in the scope of a request


async def read_json(request: Request, most: int = WHOLE) -> Any:
    """Return the JSON value of a body that holds one thing, of at most so many bytes.

    Malformed, BodyTimeout, TooLarge or Unsupported where there is none.
    """
    require_json(request)
    settings = state_of(request).settings
    limit = min(most, settings.max_body_bytes)
    refuse_announced(request, limit)
    body, whole = await read_start(request, body_pieces(request), limit)
    if not whole:
        raise too_large(limit)
    return parse_json(body)


async def read_document(request: Request) -> Upload:
    """Return a body of JSON, which is bounded; more than WHOLE bytes of it are read as they are taken.

    Malformed, BodyTimeout, TooLarge or Unsupported where there is none.
    """
    require_json(request)
    settings = state_of(request).settings
    limit = settings.max_body_bytes
    refuse_announced(request, limit)
    pieces = body_pieces(request)
    start, whole = await read_start(request, pieces, WHOLE)
    if len(start) > limit:
        raise too_large(limit)
    return Upload(start, None if whole else held_within(request, pieces, limit - len(start), limit))


async def open_upload(request: Request, is_document: bool = True) -> Upload:
    """Return a body of any size, whose rest is read as it is taken.

    Of a document up to WHOLE bytes are read at once; of lines only FIRST, so that a slow sender holds no more. Of the
    memory for bodies, all streams of lines together may hold one half.
    """
    state = state_of(request)
    pieces = body_pieces(request)
    start, whole = await read_start(request, pieces, WHOLE if is_document else FIRST)
    if not whole and not is_document:
        let_go(request)
        hold(request, STREAM, state.body_memory.most // 2)
    return Upload(start, None if whole else unless_left(request, pieces))


def announced_type(request: Request) -> str:
    """Return the media type that a body is announced as; application/json where it is not, or is a kind of JSON."""
    announced = request.headers.get("content-type", JSON_TYPES[0]).split(";")[0].strip().lower()
    return JSON_TYPES[0] if announced in JSON_TYPES or announced.endswith("+json") else announced


def require_json(request: Request) -> None:
    """Refuse a body that is announced as anything but JSON."""
    announced = announced_type(request)
    if announced != JSON_TYPES[0]:
        raise Unsupported(f"The body is announced as {announced[:100]!r}; send application/json.")


def refuse_announced(request: Request, limit: int) -> None:
    """Refuse a body that is announced as one of more than `limit` bytes."""
    if announced_length(request) > limit:
        raise too_large(limit)


def announced_length(request: Request) -> int:
    """Return how many bytes a body is announced to have; 0 where that is not said."""
    return parse_length(request.headers.get("content-length", "").encode("latin-1")) or 0


def parse_length(value: bytes) -> int | None:
    """Return the number of a Content-Length; None where it is none."""
    return int(value) if value.isdigit() and len(value) < 20 else None


def body_pieces(request: Request) -> AsyncIterator[bytes]:
    """Yield a body as it arrives, decompressed."""
    encoding = request.headers.get("content-encoding", "")
    state = state_of(request)
    return plain(chunks(request), encoding, state.settings.max_compression_ratio, state.decode_gate)


async def in_time(request: Request, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield pieces, which the process holds until the last is there; BodyTimeout where that takes too long."""
    seconds = state_of(request).settings.max_body_seconds
    end = time.monotonic() + seconds
    async for piece in pieces:
        if time.monotonic() > end:
            raise too_late(seconds)
        yield piece


async def unless_left(request: Request, pieces: AsyncIterator[Piece]) -> AsyncIterator[Piece]:
    """Yield pieces for as long as the client is there: a few compressed bytes may stand for many of them."""
    transport = protocol_of(request.scope).transport
    async for piece in pieces:
        if transport.is_closing():
            raise left()
        yield piece


async def read_start(request: Request, pieces: AsyncIterator[bytes], limit: int) -> tuple[bytes, bool]:
    """Return a body, and that it is whole; or the first bytes of one that has more than `limit`."""
    read: list[bytes] = []
    size = 0
    async for piece in in_time(request, pieces):
        hold(request, len(piece))
        size += len(piece)
        read.append(piece)
        if size > limit:
            return b"".join(read), False
    return b"".join(read), True


def hold(request: Request, size: int, most: int | None = None) -> None:
    """Count bytes that a request holds until it is answered; Overloaded where the process holds more than `most`."""
    state_of(request).body_memory.take(size, most)
    request.scope[HELD] = request.scope.get(HELD, 0) + size


def let_go(request: Request) -> None:
    """Count out what a request held."""
    state_of(request).body_memory.give(request.scope.pop(HELD, 0))


async def held_within(request: Request, pieces: AsyncIterator[bytes], most: int, limit: int) -> AsyncIterator[bytes]:
    """Yield at most so many bytes of a body, and hold them; TooLarge, with the limit of all of it, beyond."""
    async for piece in in_time(request, unless_left(request, pieces)):
        hold(request, len(piece))
        most -= len(piece)
        if most < 0:
            raise too_large(limit)
        yield piece


def too_large(limit: int) -> Problem:
    """Say how large a body may be; what is still on its way is not read."""
    return TooLarge(f"The body has more than {limit} bytes; send it in smaller pieces.", ends_connection=True)


async def chunks(request: Request) -> AsyncIterator[bytes]:
    """Yield a body as it arrives; service/server/request_cycle.py gives up on one that is too slow."""
    try:
        async for piece in request.stream():
            yield piece
    except ClientDisconnect:
        raise left() from None


def left() -> Problem:
    """Say that the client closed the connection within the body."""
    return Malformed("The body ended before it was complete.")
