"""CSV with a header: the fields of a reading in any order, an empty cell for what was not measured."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

from service.problems import Fault, Invalid, Problem
from service.readings import ReadingFields

COLUMNS = tuple(ReadingFields.__annotations__)
NUMBERS = ("heart_rate", "steps", "calories")
REQUIRED = ("user_id", "timestamp")
NUMBER = re.compile(r"[+-]?(\d+)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


class Table:
    """Reads parts of a CSV body; the first row of the first part is the header."""

    def __init__(self) -> None:
        self.header: list[str] | None = None
        self.line = 1

    def items(self, part: bytes) -> Iterator[tuple[int, Any] | None]:
        """Yield each row's first line, counted from 1, and its cells by name; None for one without.

        Problem 400 where it is not CSV.
        """
        try:
            text = part.decode()
        except UnicodeDecodeError:
            raise Problem(400, f"The body is not UTF-8, at line {self.line} or after it.") from None
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        begun = 0
        try:
            for cells in reader:
                line, begun = self.line + begun, reader.line_num
                if not cells:
                    yield None
                elif self.header is None:
                    self.header = header_of(cells)
                else:
                    yield line, named(self.header, cells)
        except csv.Error as error:
            raise Problem(400, f"The body is not CSV at line {self.line + begun}: {error}.") from None
        self.line += begun


def header_of(cells: list[str]) -> list[str]:
    """Check a header; Invalid says what it must hold."""
    header = [cell.strip() for cell in cells]
    unknown = [name for name in header if name not in COLUMNS]
    missing = [name for name in REQUIRED if name not in header]
    faults = [Fault(at="line 1", problem="is not a known column", value=name[:100]) for name in unknown]
    faults += [Fault(at="line 1", problem=f"must have the column {name}", value=None) for name in missing]
    if len(set(header)) < len(header):
        faults.append(Fault(at="line 1", problem="names a column twice", value=None))
    if faults:
        raise Invalid(f"The first line must be a header of columns among {', '.join(COLUMNS)}.", faults[:100])
    return header


def named(header: list[str], cells: list[str]) -> Any:
    """Put the cells of a row under their names; a row of another length is left as the list that it is."""
    if len(cells) != len(header):
        return cells
    return {name: value(name, cell) for name, cell in zip(header, cells, strict=True) if cell != ""}


def value(name: str, cell: str) -> Any:
    """Read a cell; what should be a number and is none stays text, which the model refuses."""
    match = NUMBER.fullmatch(cell) if name in NUMBERS and len(cell) < 50 else None
    if match is None:
        return cell
    return int(cell) if match[2] is None and match[3] is None else float(cell)
