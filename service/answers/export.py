"""Answers as long as a table: page after page by COPY, each when the client has taken those before it."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.answers.event_pages import PATIENCE
from service.database.copy_out import copy_out
from service.database.pool import Connection, Source, statement, with_connection
from service.database.turns import Turns
from service.errors import Overloaded, Problem
from service.http.streaming import Interrupted, hand_on, unless_gone
from service.precedence import is_beside_others, take_long
from service.shares import PARTY, Shares

PAGE = 5000  # rows: half a megabyte, and some hundredths of a second of the database
SMALL_PAGE = 1000  # while other tenants ask, too
PIECE = 64 * 1024  # bytes
AFTER = ("after_ts", "after_device_id", "after_metric", "after_end", "after_daily_total", "after_kind")
MOST_READING = 2  # pages that are read at once


class ExportPart(NamedTuple):
    """A query of sql/queries that writes a page of at most `limit` rows, or all of its rows, which are few."""

    query_name: str
    after: Callable[[bytes], dict[str, Any]] | None = None
    """Returns the parameters of the query for the page after a row; None where there is one page."""
    columns: Sequence[str] = ()
    """The names of members of `samples`, each of which is a column where the query says `/* columns */`."""

    @property
    def query(self) -> bytes:
        """The text of the query."""
        members = (f", p.samples ->> (%(columns)s::text[])[{place + 1}]" for place in range(len(self.columns)))
        return statement(self.query_name).replace(b"/* columns */", "".join(members).encode())


class ExportFormat(NamedTuple):
    """What is exported, part after part, and what the stream of it is called."""

    parts: Sequence[ExportPart]
    media_type: str
    filename: str
    header: bytes = b""


def after_csv(row: bytes) -> dict[str, Any]:
    """Read a row of readings_csv, which may have several lines."""
    _, device_id, timestamp, *_ = next(csv.reader(io.StringIO(row.decode(), newline="")))
    return {"after_ts": timestamp, "after_device_id": device_id}


def after_csv_with_ends(row: bytes) -> dict[str, Any]:
    """Read a row of measurements_csv whose last columns are `end`, `worn` and `daily_total`."""
    *_, end, _, daily_total = next(csv.reader(io.StringIO(row.decode(), newline="")))
    return after_csv(row) | {"after_end": end or None, "after_daily_total": bool(daily_total)}


def after_ndjson(row: bytes) -> dict[str, Any]:
    """Read a row that is a reading as a line of JSON."""
    reading = json.loads(row)
    return {"after_ts": reading["timestamp"], "after_device_id": reading["device_id"]}


def after_sample(row: bytes) -> dict[str, Any]:
    """Read a row that is a sample as a line of JSON."""
    return after_ndjson(row) | {"after_metric": json.loads(row)["metric"]}


def after_item(row: bytes) -> dict[str, Any]:
    """Read a row of measurements_ndjson, which may have an end."""
    item = json.loads(row)
    return after_ndjson(row) | {"after_end": item.get("end"), "after_daily_total": "daily_total" in item}


def after_interval(row: bytes) -> dict[str, Any]:
    """Read a row that is an interval, a worn window or a daily total as a line of JSON."""
    item = json.loads(row)
    return after_ndjson(row) | {"after_kind": item["kind"], "after_metric": item.get("metric", "")}


def after_start(row: bytes) -> dict[str, Any]:
    """Read a row that is a bucket as a line of JSON, of a device or a metric or of none."""
    bucket = json.loads(row)
    return {
        "after_ts": bucket["start"],
        "after_device_id": bucket.get("device_id"),
        "after_metric": bucket.get("metric"),
    }


class ExportSlots:
    """How many exports there may be, of which tenants have shares, and how many of them read at once."""

    def __init__(self, most: int) -> None:
        self.exports = Shares(most)
        self.reading = Turns(MOST_READING)


class Page(NamedTuple):
    """Rows as they are sent, in pieces."""

    pieces: list[bytes]
    length: int
    most: int
    """How many rows it might have had."""
    last: bytes


class PagedExport(Response):
    """Answers with all rows of all parts of an export; `nothing` is raised where the first part has none.

    Between two pages it holds no connection, however slow the client is. A page begins after the last row of the one
    before: a row that is written meanwhile is in the answer or not, and none is in it twice.
    """

    def __init__(
        self,
        source: Source,
        slots: ExportSlots,
        export_format: ExportFormat,
        parameters: dict[str, Any],
        nothing: Problem,
        charge: Callable[[int], None],
    ) -> None:
        """`charge` is called with the number of rows of each page that was read."""
        self.source = source
        self.charge = charge
        self.slots = slots
        self.format = export_format
        self.parameters = {**dict.fromkeys(AFTER), **parameters}
        self.nothing = nothing
        self.status_code = 200
        self.media_type = export_format.media_type
        self.background = None
        disposition = f'attachment; filename="{export_format.filename}"'
        self.init_headers({"Vary": "Accept", "Content-Disposition": disposition})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send everything, or stop when the client leaves."""
        take_long()
        party = PARTY.get()
        if not self.slots.exports.fits(party):
            raise Overloaded("As many streams as are allowed are under way; try again.", retry_after=5)
        self.slots.exports.take(party)
        try:
            await unless_gone(receive, self.send_all(scope["method"] == "HEAD", send))
        finally:
            self.slots.exports.give(party)

    async def send_all(self, only_head: bool, send: Send) -> None:
        """Send the answer; what goes wrong after it began breaks the connection."""
        page = await self.fetch(self.format.parts[0], self.parameters, 1 if only_head else page_rows())
        if not page.length:
            raise self.nothing
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if not only_head:
            page.pieces[0] = self.format.header + page.pieces[0]
            try:
                async for piece in self.pieces(page):
                    await hand_on(send, piece, more=True)
            except Problem as problem:
                raise Interrupted(problem.detail) from None
        await hand_on(send, b"", more=False)

    async def pieces(self, page: Page) -> AsyncIterator[bytes]:
        """Yield the pieces of the first page, and of those that follow it."""
        for part in self.format.parts:
            if part is not self.format.parts[0]:
                page = await self.fetch(part, self.parameters, page_rows(), PATIENCE)
            while True:
                while page.pieces:
                    yield page.pieces.pop(0)
                if part.after is None or page.length < page.most:
                    break
                page = await self.fetch(part, self.parameters | part.after(page.last), page_rows(), PATIENCE)

    async def fetch(
        self, part: ExportPart, parameters: dict[str, Any], most: int, patience: Sequence[float] = ()
    ) -> Page:
        """Read a page, again after some seconds where the database is away or busy."""
        for seconds in patience:
            try:
                return await self.fetch(part, parameters, most)
            except Overloaded:
                await asyncio.sleep(seconds)
        query = part.query
        given = {**parameters, "columns": list(part.columns), "limit": most}
        party = PARTY.get()
        await self.slots.reading.enter(party)
        try:
            page = await with_connection(self.source, lambda connection: copy_page(connection, query, given))
        finally:
            self.slots.reading.leave(party)
        self.charge(page.length)
        return page


async def copy_page(connection: Connection, query: bytes, parameters: dict[str, Any]) -> Page:
    """Read a page."""
    pieces: list[bytes] = []
    piece = bytearray()
    count = 0
    last = b""
    async with aclosing(copy_out(connection, query, parameters)) as copied:
        async for rows in copied:
            count += len(rows)
            last = rows[-1]
            for row in rows:
                piece += row
                if len(piece) >= PIECE:
                    pieces.append(bytes(piece))
                    piece.clear()
    return Page([*pieces, bytes(piece)] if piece else pieces, count, parameters["limit"], last)


def page_rows() -> int:
    """Return how many rows a page is to have."""
    return SMALL_PAGE if is_beside_others() else PAGE
