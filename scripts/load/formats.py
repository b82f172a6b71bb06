"""Read the readings of a file as JSON. The service validates them; only lines that are no reading at all stay here."""

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
from service.ingest.csv_reader import BLANK, Table, breaks
from service.model.registry import NO_METRICS, Registry
from service.model.strict_json import without_mark

ENCODER = msgspec.json.Encoder()
HEADER = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*[^\r\n]+(\r\n|\r|\n)?")
BLOCK = 256 * 1024
"""Bytes of CSV that are read at a time."""


class Reading(NamedTuple):
    """A reading, or a malformed line."""

    line: Line
    json: bytes
    problems: list[dict[str, object]]
    """Why the line is no reading, as in the service's errors; such a line is not sent."""


class Read(Protocol):
    """Reads a file of one format."""

    def __call__(self, source: Source, number: int, offset: int, complete: bool) -> Iterator[Reading]:
        """Yield the readings after line `number`, which ends at byte `offset`.

        An unfinished last line is read if the file is `complete`, and otherwise marked as unfinished.
        """


class Start(NamedTuple):
    """Where the readings of a file begin, and the reader of its format."""

    read: Read
    number: int
    """Number of the last line before them, 0 for none."""
    offset: int
    """End of that line, in bytes of the decompressed file."""


def start_of(path: Path, complete: bool, registry: Registry = NO_METRICS) -> Start | None:
    """Return the start of a file; None if its header is unfinished, CannotRead if it cannot be used."""
    if ending(path) != ".csv":
        return Start(read_ndjson, 0, 0)
    with opened(path) as source:
        table = Table()
        header = header_of(source, complete)
        if header is None:
            return None
        with named(path):
            header_text = without_mark(header)
            if table.has_unknown_columns(header_text):
                table.metrics = registry.by_name
            list(table.items(header_text))
        return Start(csv_reader(path, table), table.line - 1, len(header))


def header_of(source: Source, complete: bool) -> bytes | None:
    """Return the header with its line end and any blank lines before it; None if it is unfinished."""
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
    """Add the name of the file to errors of its CSV."""
    try:
        yield
    except Problem as problem:
        raise CannotRead(f"{path}: {problem.detail}") from None


def csv_reader(path: Path, table: Table) -> Read:
    """Return a reader of a table's rows that reads as the service does."""

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
    """Yield the rows of a part that begins at byte `offset` of the file."""
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
    """Yield a reading for each line of NDJSON, which the service validates."""
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
    """Return why a line is no JSON object; None if it is one."""
    if not line.is_short:
        return f"is longer than {LONGEST_LINE} bytes"
    try:
        value = from_json(line.text, allow_inf_nan=False)
    except ValueError as error:
        return f"is not JSON: {error}"
    return None if isinstance(value, dict) else "is not a JSON object"


def unfinished(line: Line) -> Reading:
    """Return an unfinished line."""
    return Reading(line, b"", [{"problem": "has no end yet"}])
