"""Arrays in PostgreSQL's binary format, and the adapters that hand them to the database as they are."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Dumper
from psycopg.pq import Format

NULL = b"\xff\xff\xff\xff"
DOUBLE = struct.Struct(">id").pack
INT = struct.Struct(">ii").pack
SMALLINT = struct.Struct(">ih").pack


class Ints(bytes):
    """An int[] in binary."""


class Smallints(bytes):
    """A smallint[] in binary."""


class Moments(bytes):
    """A timestamptz[] in binary."""


class Doubles(bytes):
    """A double precision[] in binary."""


class Texts(NamedTuple):
    """A text[] in binary. It holds bytes and is none, since that would take a copy, and these may be many."""

    array: bytes


class ArrayDumper(Dumper):
    """Hands an array that is binary already to the database as it is."""

    format = Format.BINARY

    def dump(self, obj: Any) -> Buffer:
        """Return the array."""
        array: bytes = obj
        return array


class TextsDumper(ArrayDumper):
    """Does so for texts."""

    oid = psycopg.adapters.types["text"].array_oid

    def dump(self, obj: Any) -> Buffer:
        """Return the array."""
        texts: Texts = obj
        return texts.array


psycopg.adapters.register_dumper(Texts, TextsDumper)
for kind, name in ((Ints, "int4"), (Smallints, "int2"), (Moments, "timestamptz"), (Doubles, "float8")):
    oid = psycopg.adapters.types[name].array_oid
    psycopg.adapters.register_dumper(kind, type(f"{kind.__name__}Dumper", (ArrayDumper,), {"oid": oid}))


def array(element: str, count: int, body: bytes, has_null: bool = False) -> bytes:
    """Put the header of a one-dimensional array before its elements, each of which stands behind its length."""
    return array_header(element, count, has_null) + body


def array_header(element: str, count: int, has_null: bool = False) -> bytes:
    """Write what stands before the elements of an array."""
    oid = psycopg.adapters.types[element].oid
    return struct.pack(">iIIii", 1, has_null, oid, count, 1) if count else struct.pack(">iII", 0, 0, oid)


def ints(values: Sequence[int | None]) -> Ints:
    """Write an int[]."""
    body = b"".join([NULL if value is None else INT(4, value) for value in values])
    return Ints(array("int4", len(values), body, has_null=len(body) < 8 * len(values)))


def smallints(values: Sequence[int]) -> Smallints:
    """Write a smallint[]."""
    return Smallints(array("int2", len(values), b"".join([SMALLINT(2, value) for value in values])))


def keys(packed: Sequence[bytes]) -> Ints:
    """Write an int[] of packed keys."""
    return Ints(array("int4", len(packed), b"".join(packed)))


def doubles(values: Sequence[float | None]) -> Doubles:
    """Write a double precision[]."""
    body = b"".join([NULL if value is None else DOUBLE(8, value) for value in values])
    return Doubles(array("float8", len(values), body, has_null=len(body) < 12 * len(values)))


def texts(values: Sequence[bytes]) -> Texts:
    """Write a text[] of texts in UTF-8."""
    pack_length = struct.Struct(">i").pack
    elements = [part for value in values for part in (pack_length(len(value)), value)]
    return Texts(b"".join([array_header("text", len(values)), *elements]))


def moments(values: Sequence[int]) -> Moments:
    """Write a timestamptz[] of moments in microseconds."""
    pack_moment = struct.Struct(">iq").pack
    return Moments(array("timestamptz", len(values), b"".join([pack_moment(8, value) for value in values])))
