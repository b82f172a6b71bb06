"""The formats of bodies of readings and events: JSON, lines of JSON, CSV."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import groupby, islice
from typing import Any, NamedTuple, TypeAlias

from pydantic import TypeAdapter
from pydantic_core import from_json

from service.errors import Fault, Malformed
from service.event_loop import checkpoint
from service.ingest.chunker import ANY_LINES, PART, Pieces, elements, lines, too_large
from service.ingest.csv_reader import Row, Table
from service.ingest.fast_decoder import decode, decode_items, decode_lines
from service.ingest.receipt import Tally
from service.ingest.validation import KINDS, items_of, validate_each, with_places
from service.model.fields import Bounds
from service.model.reading import READING
from service.model.strict_json import parse_json
from service.model.validation_errors import brief

SMALL_PART = PART // 4  # where the model alone validates: parsed within some milliseconds
SOME = 500  # lines: a few milliseconds, after which the event loop runs other work

Rows: TypeAlias = list[Any]  # what KINDS makes of items
Validate = Callable[[bytes, Bounds, Tally], Awaitable[Rows]]


class BodyFormat(NamedTuple):
    """How a body is cut into parts, and what validates a part, or a document that is there as a whole."""

    parts: Callable[[Pieces], Pieces]
    validate: Validate
    validate_document: Validate | None = None


def json_format(
    adapter: TypeAdapter[Any] = READING, *, bare: bool = True, enveloped: bool = True, most: int | None = None
) -> BodyFormat:
    """Return the format of a `bare` array, or an `enveloped` one; beyond `most` items, they are only counted."""
    name = KINDS[adapter].name

    async def validate(part: bytes, bounds: Bounds, tally: Tally) -> Rows:
        rows = decode(part, bounds) if adapter is READING else None
        if rows is not None:
            tally.received += len(rows)
            return rows
        first = tally.received
        try:
            items = from_json(part, allow_inf_nan=False)
        except ValueError as error:
            raise Malformed(f"The body is not JSON: after {first} {name}, {error}.") from None
        if most is not None and first + len(items) > most:
            tally.received += len(items)
            return []
        return await validate_each(adapter, with_places(items, name if enveloped else "", first), bounds, tally)

    async def validate_document(body: bytes, bounds: Bounds, tally: Tally) -> Rows:
        rows = decode(body, bounds) if adapter is READING else None
        if rows is not None:
            tally.received = len(rows)
            return rows
        items, prefix = items_of(parse_json(body), name)
        return await validate_each(adapter, with_places(items, prefix), bounds, tally)

    return BodyFormat(
        lambda pieces: elements(pieces, name, bare, enveloped, None if adapter is READING else SMALL_PART),
        validate,
        validate_document,
    )


def ndjson_format() -> BodyFormat:
    """Return the format of a reading as JSON in each line."""
    line = 1

    async def validate(part: bytes, bounds: Bounds, tally: Tally) -> Rows:
        nonlocal line
        require_items(line, tally)
        first, line = line, line + part.count(b"\n")
        rows = decode_lines(part, bounds)
        if rows is not None:
            tally.received += len(rows)
            return rows
        rows = []
        for number, text in enumerate(part.split(b"\n"), first):
            if number % SOME == 0:
                await checkpoint()
            if not text.strip():
                continue
            if usual := decode_lines(text, bounds):
                tally.received += len(usual)
                rows += usual
                continue
            place = f"line {number}"
            try:
                item = from_json(text, allow_inf_nan=False)
            except ValueError as error:
                tally.received += 1
                shown = brief(text.decode(errors="replace"))
                tally.reject([Fault(at=place, problem=f"is not JSON: {error}", value=shown)])
            else:
                rows += await validate_each(READING, [(place, item)], bounds, tally)
        return rows

    return BodyFormat(lambda pieces: lines(pieces), validate)


def csv_format() -> BodyFormat:
    """Return the format of CSV with a header."""
    table = Table()
    rows_found = 0

    async def validate(part: bytes, bounds: Bounds, tally: Tally) -> Rows:
        nonlocal rows_found
        rows: Rows = []
        if table.columns is None:
            table.metrics = bounds.registry.by_name
            if table.has_unknown_columns(part) and await bounds.registry.renew(patiently=True):
                table.metrics = bounds.registry.by_name
        found = table.items(part)
        has_nul = b"\0" in part
        while some := list(islice(found, SOME)):
            require_items(rows_found, tally)
            rows_found += len(some)
            usual = None if has_nul else decode_items([row.item for row in some if row is not None], bounds)
            if usual is not None:
                tally.received += len(usual)
            rows += await validate_rows(some, bounds, tally) if usual is None else usual
            await checkpoint()  # also where all these lines are empty
        return rows

    return BodyFormat(lambda pieces: lines(pieces, table.last_row), validate)


def require_items(lines: int, tally: Tally) -> None:
    """Refuse to go on where most of the lines so far were empty."""
    if lines > ANY_LINES + 2 * tally.received:
        raise too_large(f"Of the first {lines} lines, only {tally.received} hold a reading; leave empty ones out.")


async def validate_rows(some: list[Row | None], bounds: Bounds, tally: Tally) -> Rows:
    """Validate rows of CSV; what is wrong stands at their lines."""
    rows: Rows = []
    for is_wrong, group in groupby((row for row in some if row is not None), lambda row: row.wrong is not None):
        if not is_wrong:
            rows += await validate_each(READING, [(f"line {row.line}", row.item) for row in group], bounds, tally)
            continue
        for row in group:
            assert row.wrong is not None
            tally.received += 1
            tally.reject([{**row.wrong, "at": f"line {row.line}.{row.wrong['at']}".rstrip(".")}])
    return rows
