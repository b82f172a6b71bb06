"""Answers with a list that may be long: fetched, encoded and sent in pieces, so that other requests run in between."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from psycopg.rows import DictRow
from pydantic_core import to_json
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from service.database.pool import Connection, Source, statement, with_connection
from service.errors import Problem
from service.event_loop import checkpoint
from service.http.memory_budget import MemoryBudget
from service.http.streaming import Interrupted, hand_on, unless_gone

A_PIECE = 500  # items: a few milliseconds
JSON = "application/json"


class Listed(NamedTuple):
    """The items of a list as JSON with commas between them, in pieces; how many there are, and the row of the first."""

    pieces: list[bytes]
    length: int
    first: DictRow | None


async def fetch_list(
    source: Source, query_name: str, item: Callable[[DictRow], dict[str, Any]], /, **parameters: Any
) -> Listed:
    """Run sql/queries/NAME.sql and write `item` of each row; Overloaded while the database is away."""

    async def run(connection: Connection) -> Listed:
        cursor = await connection.execute(statement(query_name), parameters)
        pieces: list[bytes] = []
        count = 0
        first = None
        while rows := await cursor.fetchmany(A_PIECE):
            first = first or rows[0]
            count += len(rows)
            pieces.append(written(item(row) for row in rows))
            await checkpoint()
        return Listed(pieces, count, first)

    return await with_connection(source, run)


async def fetch_grouped_list(
    source: Source,
    query_name: str,
    group: Callable[[DictRow], Any],
    item: Callable[[list[DictRow]], dict[str, Any]],
    /,
    **parameters: Any,
) -> Listed:
    """Run a query as fetch_list does and write `item` of the rows of each `group`, which follow each other."""

    async def run(connection: Connection) -> Listed:
        cursor = await connection.execute(statement(query_name), parameters)
        pieces: list[bytes] = []
        count = 0
        first = None
        begun: list[DictRow] = []
        while rows := await cursor.fetchmany(A_PIECE):
            first = first or rows[0]
            # The last group of these rows may go on.
            *groups, begun = (list(same) for _, same in groupby(begun + rows, group))
            if groups:
                count += len(groups)
                pieces.append(written(item(whole) for whole in groups))
            await checkpoint()
        if begun:
            count += 1
            pieces.append(written([item(begun)]))
        return Listed(pieces, count, first)

    return await with_connection(source, run)


def written(items: Iterable[dict[str, Any]]) -> bytes:
    """Write items as JSON with commas between them."""
    return to_json(list(items))[1:-1]


def list_response(
    memory: MemoryBudget | None,
    before: dict[str, Any],
    name: str,
    pieces: Sequence[bytes],
    after: dict[str, Any],
    status: int = 200,
) -> Response:
    """Answer with an object whose member `name` is a list of written pieces, between members before and after it.

    A long one takes of `memory`, if any, until the client has taken it.
    """
    opening = to_json({**before, name: []})[:-2]
    if len(pieces) < 2:
        return Response(opening + b"".join(pieces) + closing(after), status, media_type=JSON)
    parts = [opening, *pieces, closing(after)]
    if memory is None:
        return StreamingResponse(in_turns(parts), status, media_type=JSON)
    return HeldListResponse(memory, parts, status)


class HeldListResponse(StreamingResponse):
    """Sends a document that is there as a whole; Overloaded where too much waits for clients already."""

    def __init__(self, memory: MemoryBudget, parts: list[bytes], status: int) -> None:
        super().__init__(in_turns(parts), status, media_type=JSON)
        self.memory = memory
        self.size = sum(map(len, parts))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, and hold its bytes until then."""
        self.memory.take(self.size)
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.memory.give(self.size)


async def streamed_list(name: str, pieces: AsyncIterator[bytes], after: Callable[[], dict[str, Any]]) -> Response:
    """Answer so with pieces that are made as the client takes them; `after` is asked for once there are no more."""
    first = b'{"%b":[' % name.encode() + await anext(pieces, b"")
    second = await anext(pieces, None)
    if second is None:
        return Response(first + closing(after()), media_type=JSON)
    return ListStream([first, b"," + second], pieces, after)


class ListStream(Response):
    """Sends a document whose first pieces have begun it. A client that goes, or takes nothing for long, ends it."""

    def __init__(self, begun: list[bytes], pieces: AsyncIterator[bytes], after: Callable[[], dict[str, Any]]) -> None:
        self.begun = begun
        self.pieces = pieces
        self.after = after
        self.status_code = 200
        self.media_type = JSON
        self.background = None
        self.init_headers()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send everything, or stop when the client leaves."""
        await unless_gone(receive, self.send_all(scope["method"] == "HEAD", send))

    async def send_all(self, only_head: bool, send: Send) -> None:
        """Send the document; what goes wrong now breaks the connection."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if only_head:
            await hand_on(send, b"", more=False)
            return
        while self.begun:
            await hand_on(send, self.begun.pop(0), more=True)
        try:
            async for piece in self.pieces:
                await hand_on(send, b"," + piece, more=True)
        except Problem as problem:
            raise Interrupted(problem.detail) from None
        await hand_on(send, closing(self.after()), more=False)


def closing(after: dict[str, Any]) -> bytes:
    """Write what stands behind a list, which is the last but for these members."""
    return b"]" + (b"," + to_json(after)[1:] if after else b"}")


async def in_turns(parts: Sequence[bytes]) -> AsyncIterator[bytes]:
    """Yield the opening of a document, its pieces, and its end: compressing one takes a while, too."""
    yield parts[0]
    for number, piece in enumerate(parts[1:-1]):
        yield b"," + piece if number else piece
        await checkpoint()
    yield parts[-1]
