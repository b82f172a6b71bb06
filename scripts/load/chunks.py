"""Split a file into the chunks that are sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from scripts.load.errors import CannotRead
from scripts.load.formats import Read, Reading
from scripts.load.lines import Line, Source

MOST_BYTES = 4 * 1024 * 1024
"""Of a chunk; the service accepts eight times as many."""


class Item(NamedTuple):
    """A reading to send."""

    line: Line
    json: bytes


class Reject(NamedTuple):
    """A line that is not stored."""

    line: Line
    problems: list[dict[str, object]]
    """What is wrong, as in the service's errors: problem, and optionally at and value."""


@dataclass(slots=True)
class Chunk:
    """Lines that are sent together."""

    number: int
    """Number of its last finished line."""
    offset: int
    """End of that line, in bytes of the decompressed file."""
    items: list[Item] = field(default_factory=list)
    malformed: list[Reject] = field(default_factory=list)
    size: int = 0
    """Bytes of the readings."""
    waits: Line | None = None
    """The last line of the file, if it is unfinished; it is not in the chunk."""

    @property
    def count(self) -> int:
        """Return the number of its readings, malformed ones included."""
        return len(self.items) + len(self.malformed)


def chunks(source: Source, read: Read, number: int, offset: int, most: int, complete: bool) -> Iterator[Chunk]:
    """Yield chunks of at most `most` readings, from the line after `number` to the end of the file.

    An unfinished last line is left out, since it may grow, unless the file is `complete`.
    """
    chunk = Chunk(number, offset)
    try:
        for reading in read(source, number, offset, complete):
            if reading.line.is_finished:
                chunk.number, chunk.offset = reading.line.last, reading.line.end
            elif not complete:
                chunk.waits = reading.line
                break
            take(chunk, reading)
            if chunk.count >= most or chunk.size >= MOST_BYTES:
                yield chunk
                chunk = Chunk(chunk.number, chunk.offset)
    except CannotRead:
        if chunk.count:
            yield chunk
        raise
    if chunk.count or chunk.waits:
        yield chunk


def take(chunk: Chunk, reading: Reading) -> None:
    """Add a reading to the items or the malformed lines of a chunk."""
    if reading.problems:
        chunk.malformed.append(Reject(reading.line, reading.problems))
        return
    chunk.items.append(Item(reading.line, reading.json))
    chunk.size += len(reading.json)
