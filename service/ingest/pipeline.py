"""Items of a request on their way to the database: judged part by part, counted, stored in pieces or all at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import groupby, islice
from typing import Any, NamedTuple, Protocol, TypeAlias

from pydantic import TypeAdapter
from pydantic_core import from_json

from service.errors import Fault, Invalid, Problem, brief
from service.ingest.chunker import PART, Pieces, elements, lines
from service.ingest.csv_reader import Row, Table
from service.ingest.fast_decoder import decode, decode_items, decode_lines
from service.ingest.receipt import Tally
from service.ingest.timestamp_window import AcceptedTimes
from service.ingest.validation import KINDS, judge_each, placed, refused_whole, require_count, require_list
from service.model.fields import Bounds
from service.model.reading import READING
from service.routes.request_body import parse_json

MOST_WAITING = 8000  # items of a stream
SMALL_PART = PART // 4  # where there is only the model to judge: parsed within some milliseconds
SOME = 500  # lines: a few milliseconds, after which others have a turn

Rows: TypeAlias = list[Any]  # what KINDS makes of items
Judge = Callable[[bytes, Bounds, Tally], Awaitable[Rows]]


class Store(Protocol):
    """Stores rows and counts them by what became of them."""

    async def __call__(self, rows: Rows, /, *, patiently: bool = False) -> Counter[str]:
        """Problem 503 where too much waits already, or, patiently, a wait."""


class Form(NamedTuple):
    """A form of body: how it is cut into parts, and what judges one."""

    parts: Callable[[Pieces], Pieces]
    judge: Judge


def json_form(
    adapter: TypeAdapter[Any] = READING, *, bare: bool = True, enveloped: bool = True, most: int | None = None
) -> Form:
    """Take a `bare` array, or an `enveloped` one; of more than `most` items, the others are only counted."""
    name = KINDS[adapter].name

    async def judge(part: bytes, bounds: Bounds, tally: Tally) -> Rows:
        rows = decode(part, bounds) if adapter is READING else None
        if rows is not None:
            tally.received += len(rows)
            return rows
        first = tally.received
        try:
            items = from_json(part, allow_inf_nan=False)
        except ValueError as error:
            raise Problem(400, f"The body is not JSON: after {first} {name}, {error}.") from None
        if most is not None and first + len(items) > most:
            tally.received += len(items)
            return []
        return await judge_each(adapter, placed(items, name if enveloped else "", first), bounds, tally)

    return Form(
        lambda pieces: elements(pieces, name, bare, enveloped, None if adapter is READING else SMALL_PART), judge
    )


def line_form() -> Form:
    """Take a reading of JSON in each line."""
    line = 1

    async def judge(part: bytes, bounds: Bounds, tally: Tally) -> Rows:
        nonlocal line
        first, line = line, line + part.count(b"\n")
        rows = decode_lines(part, bounds)
        if rows is not None:
            tally.received += len(rows)
            return rows
        rows = []
        for number, text in enumerate(part.split(b"\n"), first):
            if number % SOME == 0:
                await asyncio.sleep(0)
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
                rows += await judge_each(READING, [(place, item)], bounds, tally)
        return rows

    return Form(lambda pieces: lines(pieces), judge)


def csv_form() -> Form:
    """Take CSV with a header."""
    table = Table()

    async def judge(part: bytes, bounds: Bounds, tally: Tally) -> Rows:
        rows: Rows = []
        found = table.items(part)
        has_nul = b"\0" in part
        while some := list(islice(found, SOME)):
            usual = None if has_nul else decode_items([row.item for row in some if row is not None], bounds)
            if usual is not None:
                tally.received += len(usual)
            rows += await judge_rows(some, bounds, tally) if usual is None else usual
            await asyncio.sleep(0)  # also where all these lines are empty
        return rows

    return Form(lambda pieces: lines(pieces, table.last_row), judge)


async def judge_rows(some: list[Row | None], bounds: Bounds, tally: Tally) -> Rows:
    """Judge rows of CSV; what is wrong stands at their lines."""
    rows: Rows = []
    for is_wrong, group in groupby((row for row in some if row is not None), lambda row: row.wrong is not None):
        if not is_wrong:
            rows += await judge_each(READING, [(f"line {row.line}", row.item) for row in group], bounds, tally)
            continue
        for row in group:
            assert row.wrong is not None
            tally.received += 1
            tally.reject([{**row.wrong, "at": f"line {row.line}.{row.wrong['at']}".rstrip(".")}])
    return rows


async def judged(form: Form, pieces: Pieces, bounds: Bounds, tally: Tally) -> AsyncIterator[Rows]:
    """Yield the rows of each part."""
    async for part in form.parts(pieces):
        yield await form.judge(part, bounds, tally)
        await asyncio.sleep(0)  # others have their turn between parts


async def judge_list(
    adapter: TypeAdapter[Any], start: bytes, rest: Pieces | None, accepted: AcceptedTimes, most: int, tally: Tally
) -> Rows:
    """Judge the items of the envelope that read_document gave, each alone; Invalid where it has none, or too many."""
    name = KINDS[adapter].name
    if rest is None:
        items = require_list(parse_json(start), name, most)
        return await judge_each(adapter, placed(items, name), await accepted.now(), tally)
    parts = judged(json_form(adapter, bare=False, most=most), rest, await accepted.now(), tally)
    rows = [row async for some in parts for row in some]
    require_count(name, tally.received, most)
    return rows


async def store_in_pieces(form: Form, pieces: Pieces, bounds: Bounds, store: Store, tally: Tally) -> None:
    """Store parts one after the other, each by a commit, while the next ones are read and judged.

    What is judged during a commit goes together into the next. A Problem also says what is stored all the same.
    """
    try:
        await store_parts(judged(form, pieces, bounds, tally), store, tally)
    except Problem as problem:
        if tally.stored:
            problem.detail += f" {tally.stored} {tally.kind} from before are stored; sending all again is safe."
        raise
    if not tally.received:
        raise Invalid(f"There are no {tally.kind} in the request.")


async def store_parts(parts: AsyncIterator[Rows], store: Store, tally: Tally) -> None:
    """Store rows while the next ones are judged."""
    waiting: Rows = []

    async def store_waiting() -> None:
        while waiting:
            rows = waiting[:]
            waiting.clear()
            tally.counts += await store(rows, patiently=tally.stored > 0)

    under_way: asyncio.Task[None] | None = None
    try:
        async for rows in parts:
            if under_way is not None and (under_way.done() or len(waiting) + len(rows) > MOST_WAITING):
                await finished(under_way)
                under_way = None
            waiting += rows
            del rows
            if under_way is None:
                under_way = asyncio.create_task(store_waiting())
    finally:
        if under_way is not None and not under_way.cancelled():
            await finished(under_way)


async def finished(task: asyncio.Task[None]) -> None:
    """Wait for a write; when nobody waits any longer for the answer, it goes on all the same."""
    await asyncio.shield(task)


async def store_all_or_none(form: Form, pieces: Pieces, bounds: Bounds, store: Store, tally: Tally, most: int) -> None:
    """Store all readings in one transaction, or none where one is invalid; Problem 413 where there are too many."""
    all_rows: Rows = []
    async for rows in judged(form, pieces, bounds, tally):
        if not tally.rejected:
            all_rows += rows
        if len(all_rows) > most:
            raise Problem(
                413,
                f"At most {most} readings are stored all or none; send fewer, or let /v1/readings judge each alone.",
                headers={"Connection": "close"},
            )
    if not tally.received:
        raise Invalid("There are no readings in the request.")
    if tally.rejected:
        raise refused_whole(tally)
    tally.counts += await store(all_rows)
