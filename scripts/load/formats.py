"""From a file to the JSON of its readings. What a reading is, the service judges; only what is none at all stays."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec
from pydantic_core import from_json

from scripts.load.errors import CannotRead
from scripts.load.files import ending
from scripts.load.lines import LONGEST_LINE, Line, Source, lines, opened, skip
from service.errors import Problem
from service.ingest.chunker import without_mark
from service.ingest.csv_reader import BLANK, Table, breaks

ENCODER = msgspec.json.Encoder()
HEADER = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*[^\r\n]+(\r\n|\r|\n)?")
BLOCK = 256 * 1024
"""Bytes of CSV that are read at once."""


class Reading(NamedTuple):
    """A reading, or what stands in its place."""

    line: Line
    json: bytes
    problems: list[dict[str, object]]
    """Why it is none, as the service says it: problem, and perhaps at and value; none of it is sent."""


class Read(Protocol):
    """Reads a file of one format."""

    def __call__(self, source: Source, number: int, offset: int, complete: bool) -> Iterator[Reading]:
        """Yield what follows line `number`, which ends at byte `offset`; the last may not be finished.

        That one is read where the file is `complete`, and only named otherwise.
        """


class Start(NamedTuple):
    """Where the readings of a file begin, and how they are read."""

    read: Read
    number: int
    """Of the last line before them, 0 where there is none."""
    offset: int
    """Where that line ends, in bytes of the decompressed file."""


def start_of(path: Path, complete: bool) -> Start | None:
    """Look at how a file begins; None where its header is not finished, CannotRead where it cannot be used."""
    if ending(path) != ".csv":
        return Start(read_ndjson, 0, 0)
    with opened(path) as source:
        table = Table()
        header = header_of(source, complete)
        if header is None:
            return None
        with named(path):
            list(table.items(without_mark(header)))
        return Start(csv_reader(path, table), table.line - 1, len(header))


def header_of(source: Source, complete: bool) -> bytes | None:
    """Read the header, with its end and what is before it; None where it is not finished."""
    text = b""
    while block := source.plain.read(LONGEST_LINE):
        text += block
        found = HEADER.match(text)
        if found is None:
            continue
        if found[1] and found.end() < len(text):
            return found[0]
        if len(text) > 2 * LONGEST_LINE:
            raise CannotRead(f"{source.path}: its header is longer than {LONGEST_LINE} bytes.")
    found = HEADER.match(text)
    if found is None:
        raise CannotRead(f"{source.path} is empty; CSV begins with a header.")
    return found[0] if found[1] or complete else None


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Name the file where it is not CSV."""
    try:
        yield
    except Problem as problem:
        raise CannotRead(f"{path}: {problem.detail}") from None


def csv_reader(path: Path, table: Table) -> Read:
    """Make what reads the rows of a table, as the service does."""

    def read(source: Source, number: int, offset: int, complete: bool) -> Iterator[Reading]:
        offset = skip(source, offset)
        table.line = number + 1
        rest = b""
        is_all = False
        with named(path):
            while not is_all:
                block = source.plain.read(BLOCK)
                is_all = not block
                text = rest + block
                end = table.last_row(text, is_all=is_all)
                yield from rows(table, text[:end], offset, True)
                rest, offset = text[end:], offset + end
            if not rest.strip(BLANK):
                return
            if complete:
                yield from rows(table, rest, offset, False)
            else:
                yield unfinished(Line(table.line, table.line + breaks(rest), rest, offset + len(rest), True, False))

    return read


def rows(table: Table, part: bytes, offset: int, are_finished: bool) -> Iterator[Reading]:
    """Yield the rows of a part, which begins at byte `offset` of the file."""
    begin = 0
    for row in table.items(part):
        if row is None:
            continue
        text = part[begin : row.end].strip(b"\r\n")
        begin = row.end
        line = Line(row.line, row.last, text, offset + row.end, True, are_finished)
        if row.wrong is None:
            yield Reading(line, ENCODER.encode(row.item), [])
        else:
            yield Reading(line, b"", [{name: value for name, value in row.wrong.items() if name != "at" or value}])


def read_ndjson(source: Source, number: int, offset: int, complete: bool) -> Iterator[Reading]:
    """Read a reading of JSON in each line; what it means, the service judges."""
    for line in lines(source, number, offset):
        if not line.text.strip():
            continue
        if not (line.is_finished or complete):
            yield unfinished(line)
        elif wrong := problem_of(line):
            yield Reading(line, b"", [{"problem": wrong}])
        else:
            yield Reading(line, line.text, [])


def problem_of(line: Line) -> str | None:
    """Say why a line is no JSON object; None where it is one."""
    if not line.is_short:
        return f"is longer than {LONGEST_LINE} bytes"
    try:
        value = from_json(line.text, allow_inf_nan=False)
    except ValueError as error:
        return f"is not JSON: {error}"
    return None if isinstance(value, dict) else "is not a JSON object"


def unfinished(line: Line) -> Reading:
    """Say that a line has no end yet."""
    return Reading(line, b"", [{"problem": "has no end yet"}])
