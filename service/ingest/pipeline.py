"""An upload on its way to the database: cut into parts, validated, counted, and stored in pieces or all at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, NamedTuple, Protocol

from pydantic import TypeAdapter

from service.errors import Invalid, Problem, TooLarge
from service.event_loop import checkpoint
from service.ingest.body_formats import BodyFormat, Rows, json_format
from service.ingest.chunker import Pieces
from service.ingest.receipt import Tally
from service.ingest.timestamp_window import TimestampWindow
from service.ingest.validation import (
    KINDS,
    all_refused,
    require_count,
    require_list,
    validate_each,
    with_places,
)
from service.ingest.writer import Writer
from service.model.fields import Bounds
from service.model.reading import SAMPLES_OF_A_READING, count_samples, weight_of
from service.model.strict_json import parse_json
from service.precedence import give_way

MOST_WAITING = 8000  # items of a stream, by their weight
SLICE = 128 * 1024  # bytes: of what was read at once, so that parts are cut at their usual size


class Store(Protocol):
    """Stores rows, and counts them by outcome."""

    async def __call__(self, rows: Rows, /, *, patiently: bool = False) -> Counter[str]:
        """Raise Overloaded where too much waits already, or, `patiently`, wait for room."""


class Upload(NamedTuple):
    """A body of items: its first bytes, and the pieces that follow; None where the first bytes are all."""

    start: bytes
    rest: Pieces | None

    async def pieces(self) -> Pieces:
        """Yield the whole body."""
        for first in range(0, len(self.start), SLICE):
            yield self.start[first : first + SLICE]
        if self.rest is not None:
            async for piece in self.rest:
                yield piece


async def store_upload(
    upload: Upload,
    body_format: BodyFormat,
    writer: Writer,
    tenant_id: str,
    bounds: Bounds,
    tally: Tally,
    most_atomic: int | None = None,
) -> None:
    """Store the readings of a tenant's upload; `most_atomic` stores at most so many, all or none.

    A document that is there as a whole is one transaction; what is larger, or comes in lines, is stored as it arrives.
    """
    store = partial(writer.write, tenant_id)
    if upload.rest is None and body_format.validate_document is not None:
        rows = await body_format.validate_document(upload.start, bounds, tally)
        if most_atomic is not None and tally.rejected:
            raise all_refused(tally)
        tally.counts += await store(rows)
    elif most_atomic is not None:
        await store_all_or_none(body_format, upload.pieces(), bounds, store, tally, most_atomic)
    else:
        await store_in_pieces(body_format, paced(upload.pieces(), writer, tally), bounds, store, tally)


async def paced(pieces: Pieces, writer: Writer, tally: Tally) -> Pieces:
    """Yield pieces of a body; once some of it is stored, no faster than the queue has room."""
    async for piece in pieces:
        if tally.stored:
            await writer.wait_for_room()
        yield piece


async def validated(body_format: BodyFormat, pieces: Pieces, bounds: Bounds, tally: Tally) -> AsyncIterator[Rows]:
    """Yield the rows of each part."""
    async for part in body_format.parts(pieces):
        yield await body_format.validate(part, bounds, tally)
        await checkpoint()  # the event loop runs other work between parts
        await give_way()


async def validate_list(
    adapter: TypeAdapter[Any], upload: Upload, window: TimestampWindow, most: int, tally: Tally
) -> Rows:
    """Validate the items of an envelope, each alone; Invalid where it has none, or too many."""
    name = KINDS[adapter].name
    if upload.rest is None:
        items = require_list(parse_json(upload.start), name, most)
        return await validate_each(adapter, with_places(items, name), await window.now(), tally)
    body_format = json_format(adapter, bare=False, most=most)
    parts = validated(body_format, upload.pieces(), await window.now(), tally)
    rows = [row async for some in parts for row in some]
    require_count(name, tally.received, most)
    return rows


async def store_in_pieces(body_format: BodyFormat, pieces: Pieces, bounds: Bounds, store: Store, tally: Tally) -> None:
    """Store parts one after the other, each by a commit, while the next ones are read and validated.

    What is validated during a commit goes together into the next. A Problem also says how many are stored all the same.
    """
    try:
        await store_parts(validated(body_format, pieces, bounds, tally), store, tally)
    except Problem as problem:
        if tally.stored:
            problem.detail += f" {tally.stored} {tally.kind} from before are stored; sending all again is safe."
        raise
    if not tally.received:
        raise Invalid(f"There are no {tally.kind} in the request.")


async def store_parts(parts: AsyncIterator[Rows], store: Store, tally: Tally) -> None:
    """Store rows while the next ones are validated."""
    waiting: Rows = []

    async def store_waiting() -> None:
        while waiting:
            rows = waiting[:]
            waiting.clear()
            tally.counts += await store(rows, patiently=tally.stored > 0)

    under_way: asyncio.Task[None] | None = None
    try:
        async for rows in parts:
            if under_way is not None and (under_way.done() or weight(waiting) + weight(rows) > MOST_WAITING):
                await finished(under_way)
                under_way = None
            waiting += rows
            del rows
            if under_way is None:
                under_way = asyncio.create_task(store_waiting())
    finally:
        if under_way is not None and not under_way.cancelled():
            await finished(under_way)


def weight(rows: Rows) -> int:
    """Return the weight of readings, or of events, which have no samples."""
    return weight_of(len(rows), count_samples(rows)) if rows and hasattr(rows[0], "value_count") else len(rows)


async def finished(task: asyncio.Task[None]) -> None:
    """Wait for a write, which is not cancelled with the request that waits for it."""
    await asyncio.shield(task)


async def store_all_or_none(
    body_format: BodyFormat, pieces: Pieces, bounds: Bounds, store: Store, tally: Tally, most: int
) -> None:
    """Store all readings in one transaction, or none where one is invalid; TooLarge where there are too many."""
    all_rows: Rows = []
    samples = 0
    async for rows in validated(body_format, pieces, bounds, tally):
        if not tally.rejected:
            all_rows += rows
            samples += count_samples(rows)
        if len(all_rows) > most or samples > most * SAMPLES_OF_A_READING:
            raise TooLarge(
                f"At most {most} readings with {most * SAMPLES_OF_A_READING} values of other metrics or intervals are "
                "stored all or none; send fewer, or let /v1/readings judge each alone.",
                ends_connection=True,
            )
    if not tally.received:
        raise Invalid("There are no readings in the request.")
    if tally.rejected:
        raise all_refused(tally)
    tally.counts += await store(all_rows)
