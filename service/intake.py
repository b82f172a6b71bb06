"""Readings of a request on their way to the writer: judged part by part, counted, stored in pieces or all at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from itertools import islice
from typing import Any, NamedTuple

from pydantic import TypeAdapter
from pydantic_core import from_json

from service.csvs import Table
from service.decoding import decode, decode_lines
from service.fields import Bounds
from service.items import A_WHILE, judge_each
from service.parts import Pieces, elements, lines
from service.problems import Fault, Invalid, Problem, brief
from service.readings import READING, Row, to_row
from service.tally import Tally
from service.writer import Writer

MOST_WAITING = 8000  # readings of a stream


Judge = Callable[[bytes, Bounds, Tally], Awaitable[list[Row]]]


class Form(NamedTuple):
    """A form of body: how it is cut into parts, and what judges one."""

    parts: Callable[[Pieces], Pieces]
    judge: Judge


def json_form(adapter: TypeAdapter[Any] = READING, prefix: str = "readings") -> Form:
    """Take arrays, and where they have a name, envelopes around one."""

    async def judge(part: bytes, bounds: Bounds, tally: Tally) -> list[Row]:
        rows = decode(part, bounds) if adapter is READING else None
        if rows is not None:
            tally.received += len(rows)
            return rows
        try:
            items = from_json(part, allow_inf_nan=False)
        except ValueError as error:
            raise Problem(400, f"The body is not JSON: after {tally.received} readings, {error}.") from None
        first = tally.received
        return await judge_items(
            adapter, [(f"{prefix}[{first + n}]", item) for n, item in enumerate(items)], bounds, tally
        )

    return Form(lambda pieces: elements(pieces, enveloped=bool(prefix)), judge)


def line_form() -> Form:
    """Take a reading of JSON in each line."""
    line = 1

    async def judge(part: bytes, bounds: Bounds, tally: Tally) -> list[Row]:
        nonlocal line
        first, line = line, line + part.count(b"\n")
        rows = decode_lines(part, bounds)
        if rows is not None:
            tally.received += len(rows)
            return rows
        rows = []
        for number, text in enumerate(part.split(b"\n"), first):
            if number % A_WHILE == 0:
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
                rows += await judge_items(READING, [(place, item)], bounds, tally)
        return rows

    return Form(lambda pieces: lines(pieces, quoted=False), judge)


def csv_form() -> Form:
    """Take CSV with a header."""
    table = Table()

    async def judge(part: bytes, bounds: Bounds, tally: Tally) -> list[Row]:
        rows: list[Row] = []
        found = table.items(part)
        while some := list(islice(found, A_WHILE)):
            items = [(f"line {item[0]}", item[1]) for item in some if item is not None]
            rows += await judge_items(READING, items, bounds, tally)
            await asyncio.sleep(0)  # also where all these lines are empty
        return rows

    return Form(lambda pieces: lines(pieces, quoted=True), judge)


async def judge_items(
    adapter: TypeAdapter[Any], items: Sequence[tuple[str, Any]], bounds: Bounds, tally: Tally
) -> list[Row]:
    """Judge items by the model, each alone; faults stand at the items' places."""
    return [to_row(item) for item in await judge_each(adapter, items, bounds, tally)]


async def judged(form: Form, pieces: Pieces, bounds: Bounds, tally: Tally) -> AsyncIterator[list[Row]]:
    """Yield the rows of each part."""
    async for part in form.parts(pieces):
        yield await form.judge(part, bounds, tally)
        await asyncio.sleep(0)  # others have their turn between parts


async def store_in_pieces(form: Form, pieces: Pieces, bounds: Bounds, writer: Writer, tally: Tally) -> None:
    """Store parts one after the other, each by a commit, while the next ones are read and judged.

    What is judged during a commit goes together into the next.
    """
    waiting: list[Row] = []

    async def store_waiting() -> None:
        while waiting:
            rows = waiting[:]
            waiting.clear()
            tally.counts += await writer.write(rows, patiently=tally.stored > 0)

    under_way: asyncio.Task[None] | None = None
    try:
        async for rows in judged(form, pieces, bounds, tally):
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


async def store_all_or_none(
    form: Form, pieces: Pieces, bounds: Bounds, writer: Writer, tally: Tally, most: int
) -> None:
    """Store all readings in one transaction, or none where one is invalid; Problem 413 where there are too many."""
    all_rows: list[Row] = []
    async for rows in judged(form, pieces, bounds, tally):
        if not tally.rejected:
            all_rows += rows
        if len(all_rows) > most:
            raise Problem(
                413,
                f"At most {most} readings are stored all or none; send fewer, or let /v1/readings judge each alone.",
                headers={"Connection": "close"},
            )
    if tally.rejected:
        raise refused_whole(tally)
    tally.counts += await writer.write(all_rows)


def refused_whole(tally: Tally) -> Invalid:
    """Say that some are invalid, and that therefore none is stored."""
    return Invalid(f"{tally.rejected} of {tally.received} readings are invalid; nothing was stored.", tally.faults)
