"""Answers as long as a table: streamed by COPY as fast as the client takes them, in constant memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.database.pool import Connection, Pool, statement, with_connection
from service.errors import Overloaded, Problem
from service.http.streaming import Interrupted, hand_on, unless_gone

PIECE = 64 * 1024  # bytes


class Enough(Exception):
    """The client wants no row."""


class CopyStream(Response):
    """Answers with what a COPY … TO STDOUT of sql/queries gives, after a header; `nothing` is raised where it is empty.

    Each stream has a connection of the pool for as long as it takes, so `slots` bounds how many there are at once. A
    client that goes away, or takes nothing for half a minute, gives its connection back.
    """

    def __init__(
        self,
        pool: Pool,
        slots: asyncio.Semaphore,
        query_name: str,
        parameters: dict[str, Any],
        *,
        media_type: str,
        header: bytes,
        nothing: Problem,
        headers: dict[str, str],
    ) -> None:
        self.pool = pool
        self.slots = slots
        self.query_name = query_name
        self.parameters = parameters
        self.header = header
        self.nothing = nothing
        self.status_code = 200
        self.media_type = media_type
        self.background = None
        self.begun = False
        self.init_headers(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send everything, or stop when the client leaves."""
        if self.slots.locked():
            raise Overloaded("As many streams as are allowed are under way; try again.", retry_after=5)
        async with self.slots:
            await unless_gone(receive, self.send_all(scope["method"] == "HEAD", send))

    async def send_all(self, only_head: bool, send: Send) -> None:
        """Send the answer from a connection of the pool; a failure before it begins is tried again."""

        async def copy_out(connection: Connection) -> bytes:
            try:
                async with without_hurry(connection):
                    return await self.copy(connection, only_head, send)
            except Enough:
                return b""
            except psycopg.Error as error:
                if self.begun:
                    raise Interrupted(str(error)) from None
                raise

        last = await with_connection(self.pool, copy_out)
        # Only now, since a client that has everything leaves, and that must not meet a connection in use.
        await self.begin(send)
        await hand_on(send, last, more=False)

    async def copy(self, connection: Connection, only_head: bool, send: Send) -> bytes:
        """Hand the rows on in pieces and return the last; awaiting the client holds the database back."""
        cursor = psycopg.AsyncClientCursor(connection)
        async with cursor.copy(statement(self.query_name), self.parameters) as rows:
            first = await rows.read()
            if not first:
                raise self.nothing
            if only_head:
                raise Enough
            piece = bytearray(self.header + first)
            async for row in rows:
                piece += row
                if len(piece) >= PIECE:
                    await self.begin(send)
                    await hand_on(send, bytes(piece), more=True)
                    piece.clear()
        return bytes(piece)

    async def begin(self, send: Send) -> None:
        """Send the head of the answer, once."""
        if not self.begun:
            self.begun = True
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})


@asynccontextmanager
async def without_hurry(connection: Connection) -> AsyncIterator[None]:
    """Let a statement take as long as its client; without a transaction, which would keep a single backend busy."""
    await connection.execute("SET statement_timeout = 0")
    try:
        yield
    finally:
        await connection.execute("RESET statement_timeout")
