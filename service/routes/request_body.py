"""Request bodies: read within bounds, decompressed within bounds, parsed strictly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.types import Scope

from service.errors import BodyTimeout, Malformed, Problem, TooLarge, Unsupported
from service.http.decompression import plain
from service.ingest.chunker import PART
from service.model.strict_json import parse_json
from service.state import State, state_of

JSON_TYPES = ("application/json", "text/json")
WHOLE = 2 * 1024 * 1024  # bytes: JSON up to here is parsed at once, what is larger in parts
SLICE = 128 * 1024  # bytes: of what was read at once, to be cut into parts of their size
READING_BYTES = 250  # of a reading as JSON; hardly any has more
HELD = "hyperpulse.held"  # bytes, in the scope of a request


async def read_json(request: Request) -> Any:
    """Return the JSON value of a body that holds one thing.

    Malformed, BodyTimeout, TooLarge or Unsupported where there is none.
    """
    require_json(request)
    settings = state_of(request).settings
    limit = min(WHOLE, settings.max_body_bytes)
    refuse_announced(request, limit)
    body, whole = await read_start(request, body_pieces(request, settings.body_idle_seconds), limit)
    if not whole:
        raise too_large(limit)
    return parse_json(body)


async def read_document(request: Request) -> tuple[bytes, AsyncIterator[bytes] | None]:
    """Return a body of JSON, or where it has more than WHOLE bytes, its first ones, and the pieces of all of it.

    Malformed, BodyTimeout, TooLarge or Unsupported where there is none.
    """
    require_json(request)
    settings = state_of(request).settings
    refuse_announced(request, settings.max_body_bytes)
    pieces = body_pieces(request, settings.body_idle_seconds)
    start, whole = await read_start(request, pieces, WHOLE)
    if whole and len(start) <= settings.max_body_bytes:
        return start, None
    return start, within(request, start, pieces, settings.max_body_bytes)


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
    announced = request.headers.get("content-length", "")
    return int(announced) if announced.isdigit() and len(announced) < 20 else 0


def refuse_unread(request: Request, whole: int = WHOLE) -> None:
    """Overloaded where a body of readings would be refused once it is read, by a low guess of how many it has.

    So what is too much takes neither memory nor time. Of more than `whole` bytes, a first part must find room.
    """
    if stays_open(request.scope):
        length = announced_length(request)
        require_room(state_of(request), length if length <= whole else PART)


def require_room(state: State, length: int) -> None:
    """Overloaded where there is no room for the readings that so many bytes hold at least."""
    state.writer.require_room(1 + length // READING_BYTES)


def stays_open(scope: Scope) -> bool:
    """Tell whether a connection stays open after the answer: with bytes unread, closing it may lose the answer."""
    closing = any(name == b"connection" and b"close" in value.lower() for name, value in scope["headers"])
    return bool(scope["http_version"] == "1.1") and not closing


def body_pieces(request: Request, idle_seconds: int) -> AsyncIterator[bytes]:
    """Yield a body as it arrives, decompressed."""
    return plain(chunks(request, idle_seconds), request.headers.get("content-encoding", ""))


async def read_start(request: Request, pieces: AsyncIterator[bytes], limit: int) -> tuple[bytes, bool]:
    """Return a body, and that it is whole; or the first bytes of one that has more than `limit`."""
    read: list[bytes] = []
    size = 0
    async for piece in pieces:
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


async def continued(start: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield what was read of a body already, then the rest."""
    for first in range(0, len(start), SLICE):
        yield start[first : first + SLICE]
    async for piece in pieces:
        yield piece


async def within(request: Request, start: bytes, pieces: AsyncIterator[bytes], limit: int) -> AsyncIterator[bytes]:
    """Yield a body of at most `limit` bytes, of which `start` was read already, and hold it; TooLarge beyond."""
    size = len(start)
    if size > limit:
        raise too_large(limit)
    for first in range(0, size, SLICE):
        yield start[first : first + SLICE]
    async for piece in pieces:
        hold(request, len(piece))
        size += len(piece)
        if size > limit:
            raise too_large(limit)
        yield piece


def too_large(limit: int) -> Problem:
    """Say how large a body may be; what is still on its way is not read."""
    return TooLarge(f"The body has more than {limit} bytes; send it in smaller pieces.", ends_connection=True)


async def chunks(request: Request, idle_seconds: int) -> AsyncIterator[bytes]:
    """Yield a body as it arrives; give up on a client that sends nothing for too long."""
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout(idle_seconds):
                piece = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise BodyTimeout(
                f"Nothing of the body arrived for {idle_seconds} seconds.", ends_connection=True
            ) from None
        except ClientDisconnect:
            raise Malformed("The body ended before it was complete.") from None
        # Not within the timeout, which would go on, and cancel whoever takes long to store the piece.
        yield piece
