"""CSV with a header, as POST /v1/readings and the importer read it. What is taken is a table in docs/loading.md."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from math import isfinite
from typing import Any, NamedTuple

from service.errors import Fault, Invalid, Malformed, Problem
from service.ingest.chunker import LONGEST_ITEM, too_large
from service.model.quantities import units_of
from service.model.reading import COLUMNS as FIELDS
from service.model.registry import Metric
from service.model.strict_json import without_mark
from service.model.validation_errors import brief

COLUMNS = {name: name for name in FIELDS} | {"ts": "timestamp"}
REQUIRED = ("user_id", "timestamp")
WITH_UNIT = re.compile(r"([^\[]*[^\[\s])\s*\[(.+)\]")  # linear, since a name does not end with a space
TRUTH = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False, "": None}
SEPARATORS = (",", ";", "\t")
NUMBER = re.compile(r"\s*[+-]?(?:\d+(\.\d*)?|(\.\d+))([eE][+-]?\d+)?\s*", re.ASCII)
DECIMAL_COMMA = re.compile(r"\s*[+-]?\d*,\d+\s*", re.ASCII)
LONGEST_NUMBER = 50  # characters
MOST_KNOWN = 8192  # numbers that a table remembers
BLANK = b" \t\r\n"
# A field in quotation marks, which are doubled in it; one within any other field is only a character.
QUOTED = {
    separator: re.compile(rb'(?<![^%b\r\n])"[^"]*(?:""[^"]*)*("?)' % separator.encode()) for separator in SEPARATORS
}

csv.field_size_limit(LONGEST_ITEM)  # the model judges how long a value may be


class Row(NamedTuple):
    """A row of a table."""

    line: int
    """Its first line, counted from 1."""
    last: int
    """Its last line."""
    end: int
    """Bytes of the part up to its end."""
    item: dict[str, Any]
    """Its cells by the names of the fields, without the empty ones."""
    wrong: Fault | None = None
    """Why it is no reading at all; stands at one of its fields, or at none."""


class WithComma(ValueError):
    """A number has a decimal comma where a comma separates columns, or a point may be meant."""


class Numbers(dict[str, int | float | str | None]):
    """What cells mean in columns of numbers; text where it is none, which the model refuses."""

    def __init__(self, comma: bool) -> None:
        super().__init__()
        self.comma = comma

    def __missing__(self, cell: str) -> int | float | str | None:
        """Read a cell that was not met lately."""
        if len(cell) >= LONGEST_NUMBER:
            return cell
        if len(self) >= MOST_KNOWN:
            self.clear()
        self[cell] = value = number(cell, self.comma)
        return value


class Column(NamedTuple):
    """What a column holds."""

    field: str
    read: Callable[[str], Any]
    is_number: bool


class Table:
    """Reads parts of CSV; the first row of the first part is the header, whose columns and separator hold for all."""

    def __init__(self, metrics: Mapping[str, Metric] | None = None) -> None:
        self.metrics = metrics or {}
        """Those that may be columns beside the three fields."""
        self.line = 1
        """The first line that was not read yet."""
        self.separator: str | None = None
        self.columns: list[Column] | None = None

    def last_row(self, text: bytes, *, is_all: bool = False) -> int:
        """Return where the last whole row ends in a text that begins with one, 0 where none does.

        A carriage return at the very end may be half of a line end, unless the text `is_all` that there is. Problem
        400 or 413 where a row has no end within LONGEST_ITEM bytes.
        """
        if self.separator is None:
            self.separator = separator_of(text)
        end = last_break(text, len(text), is_all)
        if self.separator is not None and end and b'"' in text:
            for field in reversed(list(QUOTED[self.separator].finditer(text))):
                if field.end() < end:
                    break
                if field.start() < end:
                    end = last_break(text, field.start(), is_all)
        if len(text) - end > LONGEST_ITEM:
            raise self.endless(text[end:], self.line + breaks(text[:end]))
        return end

    def endless(self, rest: bytes, line: int) -> Problem:
        """Say what has no end: a row, or a field whose quotation mark is not closed."""
        fields = list(QUOTED[self.separator or ","].finditer(rest)) if breaks(rest) else []
        if not fields:
            return too_large(f"Line {line} has more than {LONGEST_ITEM} bytes.")
        line += breaks(rest[: fields[-1].start()])
        return Malformed(
            f"This is not CSV: in line {line} a field begins with a quotation mark, and has no end within "
            f"{LONGEST_ITEM} bytes. Close it; double the marks that are part of a value.",
            ends_connection=True,
        )

    def items(self, part: bytes) -> Iterator[Row | None]:
        """Yield the rows of a part, which holds whole ones; None for an empty line. Malformed where it is not CSV."""
        text, lines, ends = split(part)
        self.separator = self.separator or separator_of(part + b"\n") or ","
        damaged = not text.isascii() and any("\udc80" <= char <= "\udcff" for char in text)
        reader = csv.reader(lines, delimiter=self.separator, strict=True)
        done = 0
        try:
            for cells in reader:
                begun, done = done, reader.line_num
                if len(cells) < 2 and not "".join(cells).strip():
                    yield None
                elif self.columns is None:
                    self.columns = self.header_of(cells)
                else:
                    item, wrong = self.read(cells, damaged)
                    yield Row(self.line + begun, self.line + done - 1, ends[done], item, wrong)
        except csv.Error as error:
            raise Malformed(f"This is not CSV at line {self.line + done}: {error}.") from None
        self.line += done

    def read(self, cells: list[str], damaged: bool) -> tuple[dict[str, Any], Fault | None]:
        """Return the cells of a row by name, or what is wrong with it."""
        columns = self.columns
        assert columns is not None
        if damaged and any("\udc80" <= char <= "\udcff" for cell in cells for char in cell):
            return {}, Fault(at="", problem="is not UTF-8", value=None)
        if len(cells) != len(columns):
            return {}, Fault(at="", problem=f"has {len(cells)} fields, the header {len(columns)}", value=brief(cells))
        try:
            return {name: read(cell) for (name, read, _), cell in zip(columns, cells, strict=True) if cell}, None
        except WithComma as error:
            wrong = (
                (name, cell)
                for (name, _, is_number), cell in zip(columns, cells, strict=True)
                if is_number and DECIMAL_COMMA.fullmatch(cell)
            )
            name, cell = next(wrong)
            return {}, Fault(at=name, problem=str(error), value=cell)

    def has_unknown_columns(self, part: bytes) -> bool:
        """Return whether the header that a first part begins with names a column that is not known."""
        lines = split(part)[1]
        separator = self.separator or separator_of(part + b"\n") or ","
        try:
            header = next((cells for cells in csv.reader(lines, delimiter=separator) if "".join(cells).strip()), [])
        except csv.Error:
            return False
        return any(self.column_of(cell) is None for cell in header)

    def column_of(self, cell: str) -> tuple[str, str | None] | None:
        """Return the field that a cell of the header names, and the unit; None where it names none."""
        text = cell.strip()
        name = text.lower()
        if name in COLUMNS:
            return COLUMNS[name], None
        if name in self.metrics:
            return name, None
        match = WITH_UNIT.fullmatch(text)
        metric = self.metrics.get(match[1].lower()) if match else None
        if match is None or metric is None or (match[2] != metric.unit and match[2] not in metric.scales):
            return None
        return metric.name, match[2]

    def unknown(self, cell: str) -> Fault:
        """Say why a cell of the header names no column."""
        match = WITH_UNIT.fullmatch(cell.strip())
        metric = self.metrics.get(match[1].lower()) if match else None
        problem = "is not a known column" if metric is None else f"has a unit that is not {units_of(metric)}"
        return Fault(at="line 1", problem=problem, value=cell[:100])

    def header_of(self, cells: list[str]) -> list[Column]:
        """Return the columns that a header names, and what reads each; Invalid says what it must hold."""
        cells = [cell.encode(errors="surrogateescape").decode(errors="replace") for cell in cells]
        found = [self.column_of(cell) for cell in cells]
        columns = [column[0] for column in found if column is not None]
        faults = [self.unknown(cell) for cell, column in zip(cells, found, strict=True) if column is None]
        faults += [
            Fault(at="line 1", problem=f"must have the column {name}", value=None)
            for name in REQUIRED
            if name not in columns
        ]
        if len(set(columns)) < len(columns):
            faults.append(Fault(at="line 1", problem="names a column twice", value=None))
        if faults:
            shown = ", ".join(cells)[:200]
            raise Invalid(
                f"The first line must be a header of columns among {', '.join(FIELDS)}, or ts for timestamp, and "
                f"metrics, such as spo2 or body_temperature[degF], separated by commas, semicolons or tabs; it is "
                f"{shown!r}.",
                faults[:100],
            )
        read_number = Numbers(self.separator == ";").__getitem__
        readers: dict[str, Callable[[str], Any]] = {
            "user_id": str,
            "device_id": str,
            "timestamp": str.strip,
            "end": lambda cell: cell.strip() or None,
            "worn": truth,
            "daily_total": truth,
        }
        return [
            Column(
                name, readers.get(name) or (in_unit(read_number, unit) if unit else read_number), name not in readers
            )
            for name, unit in (column for column in found if column is not None)
        ]


def truth(cell: str) -> bool | str | None:
    """Read a cell as true or false, as programs write it; None where it is blank, text where it is neither."""
    return TRUTH.get(cell.strip().lower(), cell)


def in_unit(read_number: Callable[[str], Any], unit: str) -> Callable[[str], Any]:
    """Return what reads a cell as a number in a unit."""

    def read(cell: str) -> Any:
        value = read_number(cell)
        return None if value is None else {"value": value, "unit": unit}

    return read


def split(part: bytes) -> tuple[str, list[str], list[int]]:
    """Return a part as text, its lines, and where in bytes each begins; bytes that are not UTF-8 are escaped."""
    text = part.decode(errors="surrogateescape")
    lines = list(io.StringIO(text, newline=""))
    sizes = map(len, lines) if text.isascii() else (len(line.encode(errors="surrogateescape")) for line in lines)
    return text, lines, list(accumulate(sizes, initial=0))


def separator_of(text: bytes) -> str | None:
    """Return what separates the columns of the header that a text begins with; None where its line has no end yet."""
    start = len(text) - len(text.lstrip(BLANK))
    end = re.compile(rb"[\r\n]").search(text, start)
    if end is None:
        return None
    header = without_mark(text[start : end.start()]).decode(errors="replace")

    def known(separator: str) -> int:
        return sum(cell.strip(' "').lower() in COLUMNS for cell in header.split(separator))

    return max(SEPARATORS, key=known)


def last_break(text: bytes, stop: int, is_all: bool) -> int:
    """Return where the last line of a text ends that ends before `stop`; 0 where none does."""
    stop_of_cr = stop if is_all or stop < len(text) else stop - 1
    return max(text.rfind(b"\n", 0, stop), text.rfind(b"\r", 0, max(stop_of_cr, 0))) + 1


def breaks(text: bytes) -> int:
    """Count the line ends of a text."""
    return text.count(b"\n") + text.count(b"\r") - text.count(b"\r\n")


def number(cell: str, comma: bool) -> int | float | str | None:
    """Read a cell as a number: None where it is blank, text where it is none; WithComma where that cannot be known."""
    if DECIMAL_COMMA.fullmatch(cell):
        if not comma:
            raise WithComma("has a decimal comma; write a point, or separate the columns by semicolons")
        cell = cell.replace(",", ".")
    match = NUMBER.fullmatch(cell)
    if match is None:
        return cell if cell.strip() else None
    if match[1] is None and match[2] is None and match[3] is None:
        return int(cell)
    made = float(cell)
    return made if isfinite(made) else cell
