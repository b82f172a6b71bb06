"""Lists of events, in pieces of some size: a payload may have 256 kB, and a page a thousand of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
from psycopg.rows import DictRow

from service.answers.cursors import write_cursor
from service.database.pool import Source, fetch_all
from service.errors import Overloaded
from service.model.timestamps import format_timestamp

PIECE = 512 * 1024  # bytes of payloads
PATIENCE = (0.5, 1.0, 2.0, 4.0)  # seconds between tries


class EventList:
    """The first events that a query gives, up to `most`; once all are written, `next_cursor` says whether more follow.

    Each piece is queried when the client has taken those before it, so that a slow client holds no connection, and no
    more than a few pieces. Events never change, so no page is torn; a new one appears in its place.
    """

    def __init__(self, source: Source, query_name: str, most: int, /, **matching: Any) -> None:
        self.source = source
        self.query_name = query_name
        self.left = most
        self.matching = matching
        self.next_cursor: str | None = None
        self.is_over = False

    async def pieces(self, peek: bool = False) -> AsyncIterator[bytes]:
        """Yield events as JSON with commas between them; `peek` looks whether another one follows the last."""
        patience: Sequence[float] = ()
        while not self.is_over:
            piece = self.take(await self.fetch(self.left + peek, patience), peek)
            if piece:
                yield piece
            patience = PATIENCE

    async def fetch(self, most: int, patience: Sequence[float]) -> list[DictRow]:
        """Ask for what follows, again after some seconds where the database is away or busy: an answer has begun."""
        for seconds in patience:
            try:
                return await self.fetch(most, ())
            except Overloaded:
                await asyncio.sleep(seconds)
        return await fetch_all(self.source, self.query_name, **self.matching, most=most, most_bytes=PIECE)

    def take(self, rows: list[DictRow], peek: bool) -> bytes:
        """Write the events of a piece, and note how the next one begins."""
        self.is_over = len(rows) == self.left + peek or sum(row["bytes"] for row in rows) < PIECE
        shown = rows[: self.left]
        if shown:
            self.left -= len(shown)
            self.matching |= {"skipped": 0, "after_ts": shown[-1]["ts"], "after_event_id": shown[-1]["event_id"]}
        if len(rows) > len(shown):
            after_ts, after_event_id = self.matching["after_ts"], self.matching["after_event_id"]
            self.next_cursor = write_cursor(format_timestamp(after_ts), after_event_id)
        return written(shown, self.matching["tenant_id"])


def written(rows: Sequence[DictRow], tenant_id: str) -> bytes:
    """Write events as they were sent, with commas between them."""
    return msgspec.json.encode(
        [
            {
                "event_id": row["event_id"],
                "tenant_id": tenant_id,
                "source": row["source"],
                "event_type": row["event_type"],
                "timestamp": format_timestamp(row["ts"]),
                "payload": msgspec.Raw(row["payload"].encode()),
            }
            for row in rows
        ]
    )[1:-1]
