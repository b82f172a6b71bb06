"""Cutting bodies: whatever the pieces, the parts hold what the body holds, in order."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import from_json

from service.errors import Malformed, Problem, TooLarge
from service.ingest import chunker
from service.ingest.csv_reader import Table
from tests.support.examples import examples

texts = st.text(st.sampled_from('a},{[]"\\:\n é'), max_size=12)
values = st.recursive(
    st.none() | st.integers(-5, 5) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
cells = st.text(st.sampled_from('ab",\n'), max_size=6)
sizes = st.integers(1, 40)
part_sizes = st.integers(20, 60)  # a part holds at least what opens an array


async def in_pieces(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


def cut(body: bytes, size: int, part: int, enveloped: bool = True) -> list[bytes]:
    async def collect() -> list[bytes]:
        return [text async for text in chunker.elements(in_pieces(body, size), "readings", enveloped=enveloped)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunker, "PART", part)
        return asyncio.run(collect())


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r", b" \n", b"\n\n"])
def test_lines_without_readings_are_not_read_for_long(end: bytes) -> None:
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield end * (65_536 // len(end))

    async def read() -> None:
        async for _ in chunker.lines(endless(), Table().last_row if end == b"\r" else chunker.last_line):
            pass

    with pytest.raises(TooLarge, match="most must be empty"):
        asyncio.run(read())
    assert taken <= 2 * chunker.PART // 65_536


def test_an_empty_line_between_two_readings_is_passed_over() -> None:
    body = b"ada,2024-01-15T10:00Z,1\r\n\r\n" * 50_000

    async def read() -> list[bytes]:
        return [part async for part in chunker.lines(in_pieces(body, 100_000))]

    assert b"".join(asyncio.run(read())) == body


@settings(max_examples=examples(150))
@given(st.lists(values, max_size=8), st.booleans(), st.sampled_from([None, 1]), sizes, part_sizes)
def test_the_elements_of_an_array_come_out(
    items: list[Any], named: bool, indent: int | None, size: int, part: int
) -> None:
    body = json.dumps({"readings": items} if named else items, indent=indent, ensure_ascii=False).encode()
    assert [item for text in cut(body, size, part) for item in json.loads(text)] == items


@settings(max_examples=examples(150))
@given(st.text(st.sampled_from('{}[],:"a1 \\'), max_size=80), sizes, part_sizes)
def test_what_is_no_array_is_not_taken_for_one(text: str, size: int, part: int) -> None:
    body = f"[{text}".encode()
    try:
        found: Any = [item for cut_text in cut(body, size, part) for item in from_json(cut_text, allow_inf_nan=False)]
    except (Problem, ValueError):
        found = None
    try:
        right = from_json(body, allow_inf_nan=False)
    except ValueError:
        right = None
    assert found == right


@settings(max_examples=examples(150))
@given(
    st.lists(values, max_size=8),
    st.sampled_from(["", '"a": "[", ', '"a": {"readings": [1]}, ']),
    st.sampled_from(["", ', "b": [{}, {"readings": []}]', ', "c": "}, {"']),
    sizes,
    st.integers(50, 90),
)
def test_an_envelope_may_hold_more(items: list[Any], before: str, after: str, size: int, part: int) -> None:
    body = f'{{{before}"readings" : {json.dumps(items)}{after}}}'.encode()
    assert [item for text in cut(body, size, part) for item in json.loads(text)] == items


@settings(max_examples=examples(150))
@given(st.text(st.sampled_from('{}[],:"a1 \\'), max_size=80), sizes, part_sizes)
def test_what_is_no_envelope_is_not_taken_for_one(text: str, size: int, part: int) -> None:
    body = f'{{"readings":[{text}'.encode()
    try:
        found: Any = [item for cut_text in cut(body, size, part) for item in from_json(cut_text, allow_inf_nan=False)]
    except (Problem, ValueError):
        found = None
    try:
        right = from_json(body, allow_inf_nan=False)["readings"]
    except ValueError:
        right = None
    assert found == right


def test_an_envelope_names_its_array_once() -> None:
    body = json.dumps({"readings": [{}] * 40}).encode()[:-1] + b', "readings": [1]}'
    with pytest.raises(Problem) as caught:
        cut(body, 20, 60)
    assert type(caught.value) is Malformed


@settings(max_examples=examples(80))
@given(st.lists(st.text(st.sampled_from('ab",\r'), max_size=9), max_size=9), st.booleans(), sizes, sizes)
def test_lines_stay_whole(rows: list[str], ends: bool, size: int, part: int) -> None:
    body = ("\n".join(rows) + "\n" * ends).encode()

    async def collect() -> list[bytes]:
        return [text async for text in chunker.lines(in_pieces(body, size))]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunker, "PART", part)
        found = asyncio.run(collect())
    assert b"".join(found) == body
    assert all(text.endswith(b"\n") for text in found[:-1])


@given(
    st.lists(st.lists(st.text(st.sampled_from('ab",\n'), max_size=6), min_size=1, max_size=3), max_size=9), sizes, sizes
)
def test_rows_of_csv_stay_whole(rows: list[list[str]], size: int, part: int) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(rows)

    async def collect() -> list[bytes]:
        return [text async for text in chunker.lines(in_pieces(text.getvalue().encode(), size), Table().last_row)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunker, "PART", part)
        found = asyncio.run(collect())
    assert [row for text in found for row in csv.reader(io.StringIO(text.decode(), newline=""))] == rows


@settings(max_examples=examples(200))
@given(st.text(st.sampled_from('ab",\n'), max_size=60), sizes, sizes)
def test_stray_quotation_marks_cut_nothing_apart(text: str, size: int, part: int) -> None:
    """Where the whole is CSV, its parts are, and hold the same."""
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error:
        return

    async def collect() -> list[bytes]:
        return [text async for text in chunker.lines(in_pieces(text.encode(), size), Table().last_row)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunker, "PART", part)
        found = asyncio.run(collect())
    assert [row for text in found for row in csv.reader(io.StringIO(text.decode(), newline=""), strict=True)] == rows


def test_a_quotation_mark_without_end_is_named() -> None:
    async def collect(body: bytes) -> None:
        table = Table()
        async for part in chunker.lines(in_pieces(b"user_id,device_id,ts,steps\n" + body, 65536), table.last_row):
            list(table.items(part))

    row = b'ada,"a 24"" wheel",2025-01-15T10:00:00Z,60\n'
    rows = row * (2 * chunker.LONGEST_ITEM // len(row))
    asyncio.run(collect(row + b'bea,a 24" wheel,2025-01-15T10:00:00Z,60\n' + rows))
    with pytest.raises(Problem) as caught:
        asyncio.run(collect(row + b'bea,"a wheel,2025-01-15T10:00:00Z,60\n' + rows.replace(b'"', b"")))
    assert type(caught.value) is Malformed
    assert "in line 3 " in caught.value.detail


def test_a_line_without_end_is_too_large() -> None:
    async def collect() -> None:
        async for _ in chunker.lines(in_pieces(b"a" * 4 * chunker.LONGEST_ITEM, 65536)):
            raise AssertionError("a line came out")

    with pytest.raises(Problem) as caught:
        asyncio.run(collect())
    assert type(caught.value) is TooLarge
