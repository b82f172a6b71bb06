"""The pieces in which a file is sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from scripts.loading.errors import CannotRead, Malformed
from scripts.loading.formats import Reader, csv_reader, from_ndjson
from scripts.loading.lines import LONGEST_LINE, Line, Source, ending, lines, opened

MOST_BYTES = 4 * 1024 * 1024
"""Of a piece; the service takes eight times as many."""


class Start(NamedTuple):
    """Where the readings of a file begin, and how they are read."""

    read: Reader
    number: int
    """Of the last line before them, 0 where there is none."""
    offset: int
    """Where that line ends, in bytes of the decompressed file."""


class Item(NamedTuple):
    """A reading on its way."""

    line: Line
    json: bytes


class Reject(NamedTuple):
    """A line that is not stored."""

    line: Line
    problems: list[dict[str, object]]
    """What is wrong, as the service says it: problem, and perhaps at and value."""


@dataclass(slots=True)
class Piece:
    """Lines that go together."""

    number: int
    """Of its last line."""
    offset: int
    """Where that line ends, in bytes of the decompressed file."""
    items: list[Item] = field(default_factory=list)
    malformed: list[Reject] = field(default_factory=list)
    size: int = 0
    """Bytes of the readings."""


def start_of(path: Path) -> Start:
    """Look at how a file begins; CannotRead where it has no header that can be used."""
    if ending(path) != ".csv":
        return Start(from_ndjson, 0, 0)
    with opened(path) as source:
        header = next(lines(source, 0, 0), None)
        if header is None:
            raise CannotRead(f"{path} is empty; CSV begins with a header.")
        try:
            return Start(csv_reader(header.text), header.number, header.end)
        except CannotRead as wrong:
            raise CannotRead(f"{path}: {wrong}") from None


def pieces(source: Source, read: Reader, number: int, offset: int, most: int) -> Iterator[Piece]:
    """Yield what follows line `number`, at most so many readings at a time, to the end of the file."""
    piece = Piece(number, offset)
    for line in lines(source, number, offset):
        piece.number, piece.offset = line.number, line.end
        if line.text.strip():
            take(piece, line, read)
        if len(piece.items) + len(piece.malformed) >= most or piece.size >= MOST_BYTES:
            yield piece
            piece = Piece(line.number, line.end)
    if piece.items or piece.malformed:
        yield piece


def take(piece: Piece, line: Line, read: Reader) -> None:
    """Put a line where it belongs."""
    try:
        if not line.is_whole:
            raise Malformed(f"is longer than {LONGEST_LINE} bytes")
        item = Item(line, read(line.text))
    except Malformed as wrong:
        piece.malformed.append(Reject(line, [{"problem": str(wrong)}]))
        return
    piece.items.append(item)
    piece.size += len(item.json)
