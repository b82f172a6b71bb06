"""Files of lines, read one line at a time, of which none may be very long."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from service.errors import Malformed
from service.model.strict_json import BOM, WIDE

MOST_LINE = 1024 * 1024  # bytes


class Line(NamedTuple):
    """A line that is not empty: its number from 1, and its text, or what is wrong with it."""

    number: int
    text: str
    problem: str | None = None
    is_ended: bool = True
    """Whether a line end follows: a last line without one may be cut."""

    @property
    def at(self) -> str:
        """Its place, as those of faults are written."""
        return f"line {self.number}"


def text_lines(source: BinaryIO, longest: int = MOST_LINE) -> Iterator[Line]:
    """Yield the lines that are not empty, without the spaces around them; Malformed for UTF-16."""
    number = 0
    while piece := source.readline(longest + 1):
        if number == 0:
            if piece.startswith(WIDE):
                raise Malformed("The file is UTF-16, by its byte order mark; UTF-8 is read.")
            piece = piece.removeprefix(BOM)
        number += 1
        if len(piece) > longest and not piece.endswith(b"\n"):
            skip_line(source, longest)
            yield Line(number, "", f"has more than {longest} bytes")
            continue
        try:
            text = piece.decode().strip(" \t\r\n")
        except UnicodeDecodeError:
            yield Line(number, "", "is not UTF-8")
            continue
        if text:
            yield Line(number, text, is_ended=piece.endswith(b"\n"))


def skip_line(source: BinaryIO, piece: int) -> None:
    """Read on to the end of a line."""
    while True:
        read = source.readline(piece)
        if not read or read.endswith(b"\n"):
            return
