"""Records of JSON: an array of them, an object that is or holds some, or a line for each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import isfinite
from typing import Any, BinaryIO, NamedTuple

from service.imports.adapter import Rejected
from service.imports.json_stream import ANY, Path, Pattern, place, refuse, values_at
from service.imports.text_lines import text_lines
from service.model.strict_json import BOM

HEAD = 64 * 1024  # bytes
LONGEST_SHOWN = 100


class Record(NamedTuple):
    """A value of the file, and its place."""

    at: str
    path: Path
    value: Any


def records(source: BinaryIO, *of_object: Pattern) -> Iterator[Record | Rejected]:
    """Yield the elements of an array, the objects of lines, or what lies in an object at the patterns."""
    if is_of_lines(source):
        yield from line_records(source)
    else:
        for path, value in values_at(source, (ANY,) if begins_array(source) else (), *of_object):
            yield Record(place(path), path, value)


def is_of_lines(source: BinaryIO) -> bool:
    """Return whether the second line that is not empty begins an object, too: no other JSON is written like that."""
    lines = [line.strip() for line in head(source).splitlines()]
    begins = [line[:1] for line in lines if line]
    return begins[:2] == [b"{", b"{"]


def begins_array(source: BinaryIO) -> bool:
    """Return whether a file begins as an array does."""
    return head(source).lstrip()[:1] == b"["


def head(source: BinaryIO) -> bytes:
    """Read how a file begins, and go back."""
    source.seek(0)
    begins = source.read(HEAD)
    source.seek(0)
    return begins.removeprefix(BOM)


def line_records(source: BinaryIO) -> Iterator[Record | Rejected]:
    """Yield the values of lines."""
    for line in text_lines(source):
        problem = line.problem
        if problem is None:
            try:
                yield Record(line.at, (), json.loads(line.text, parse_constant=refuse))
                continue
            except RecursionError:
                problem = "is nested too deeply"
            except ValueError as error:
                problem = f"is no JSON: {getattr(error, 'msg', error)}"
        yield Rejected("line", line.at, problem, line.text[:LONGEST_SHOWN] or None)


def amount(value: object) -> int | float:
    """Return a number; ValueError for what is none, or is too large for one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number")
    try:
        if isfinite(value):
            return value
    except OverflowError:
        pass
    raise ValueError("is too large for a number")


def member(value: object, *names: str) -> Any:
    """Return what lies in an object at members that lie in each other; None where there is nothing."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def shown(value: object) -> Any:
    """Return a value as a fault shows it: short."""
    return value if value is None or isinstance(value, bool | float) else str(value)[:LONGEST_SHOWN]
