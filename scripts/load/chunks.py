"""The pieces in which a file is sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from scripts.load.errors import CannotRead
from scripts.load.formats import Read, Reading
from scripts.load.lines import Line, Source

MOST_BYTES = 4 * 1024 * 1024
"""Of a piece; the service takes eight times as many."""


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
    """Of its last line that is finished."""
    offset: int
    """Where that line ends, in bytes of the decompressed file."""
    items: list[Item] = field(default_factory=list)
    malformed: list[Reject] = field(default_factory=list)
    size: int = 0
    """Bytes of the readings."""
    waits: Line | None = None
    """The last line of the file, which has no end yet and is not in the piece."""

    @property
    def count(self) -> int:
        """How many readings are in it, good or not."""
        return len(self.items) + len(self.malformed)


def pieces(source: Source, read: Read, number: int, offset: int, most: int, complete: bool) -> Iterator[Piece]:
    """Yield what follows line `number`, at most so many readings at a time, to the end of the file.

    A last line without an end is not passed, since more of it may come; it is sent where the file is `complete`.
    """
    piece = Piece(number, offset)
    try:
        for reading in read(source, number, offset, complete):
            if reading.line.is_finished:
                piece.number, piece.offset = reading.line.last, reading.line.end
            elif not complete:
                piece.waits = reading.line
                break
            take(piece, reading)
            if piece.count >= most or piece.size >= MOST_BYTES:
                yield piece
                piece = Piece(piece.number, piece.offset)
    except CannotRead:
        if piece.count:
            yield piece
        raise
    if piece.count or piece.waits:
        yield piece


def take(piece: Piece, reading: Reading) -> None:
    """Put a reading where it belongs."""
    if reading.problems:
        piece.malformed.append(Reject(reading.line, reading.problems))
        return
    piece.items.append(Item(reading.line, reading.json))
    piece.size += len(reading.json)
