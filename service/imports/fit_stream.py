"""The protocol of FIT: messages of a binary file that defines them itself, read one after the other.

What messages mean is no part of it. Values that are marked invalid are absent, scales are not applied.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from struct import Struct
from typing import BinaryIO, Final, NamedTuple, TypeAlias

from service.errors import Malformed
from service.imports.adapter import Damaged

MAGIC = b".FIT"
HEADER = Struct("<BBHI4s")
TIMESTAMP = 253  # the number of this field in every message
OF_DEVICE = 0x10000000  # smaller timestamps count from when the device was switched on

COMPRESSED, DEFINITION, DEVELOPER = 0x80, 0x40, 0x20
BASE: Final[Mapping[int, tuple[str, int]]] = {
    0x00: ("B", 0xFF),
    0x01: ("b", 0x7F),
    0x02: ("B", 0xFF),
    0x83: ("h", 0x7FFF),
    0x84: ("H", 0xFFFF),
    0x85: ("i", 0x7FFFFFFF),
    0x86: ("I", 0xFFFFFFFF),
    0x0A: ("B", 0x00),
    0x8B: ("H", 0x0000),
    0x8C: ("I", 0x00000000),
    0x0D: ("B", 0xFF),
    0x8E: ("q", 0x7FFFFFFFFFFFFFFF),
    0x8F: ("Q", 0xFFFFFFFFFFFFFFFF),
    0x90: ("Q", 0x0000000000000000),
}
"""Types of whole numbers: how they are unpacked, and the value that says that there is none."""

Wanted: TypeAlias = Mapping[int, frozenset[int]]
"""The fields that are read, by the numbers of their messages."""


class Field(NamedTuple):
    """A field that is read: its number, how it is unpacked, where, and its invalid value."""

    number: int
    struct: Struct
    offset: int
    invalid: int


class Definition(NamedTuple):
    """What a message of a local number is: its global number, the fields that are read, and its bytes."""

    number: int
    fields: tuple[Field, ...]
    size: int
    has_developer_fields: bool


class Message(NamedTuple):
    """A message: its number, its values by the numbers of their fields, and where it begins."""

    number: int
    values: dict[int, int]
    at: int
    has_developer_fields: bool


def messages(source: BinaryIO, wanted: Wanted) -> Iterator[Message]:
    """Yield the messages of a file, or of several that follow each other; those not wanted without values.

    Malformed where it is no FIT, Damaged where it cannot be read on, and at the end where a checksum does not match.
    """
    reader = Reader(source)
    is_first = True
    while head := source.read(HEADER.size):
        if len(head) < HEADER.size or head[8:12] != MAGIC or head[0] < HEADER.size:
            if is_first:
                raise Malformed("The file is no FIT: its header is missing.")
            raise Damaged(f"byte {reader.at}", "what follows the file is no FIT")
        reader.begin(head)
        yield from file_messages(reader, HEADER.unpack(head)[3], wanted)
        is_first = False
    if is_first:
        raise Malformed("The file is no FIT: it is empty.")


def file_messages(reader: Reader, size: int, wanted: Wanted) -> Iterator[Message]:
    """Yield the messages of one file, of so many bytes."""
    definitions: dict[int, Definition] = {}
    timestamp = 0
    end = reader.at + size
    while reader.at < end:
        at = reader.at
        (header,) = reader.take(1)
        if header & COMPRESSED:
            local = header >> 5 & 3
        elif header & DEFINITION:
            definitions[header & 15] = definition(reader, bool(header & DEVELOPER), wanted)
            continue
        else:
            local = header & 15
        defined = definitions.get(local)
        if defined is None:
            raise Damaged(f"byte {at}", "has a message that is not defined")
        content = reader.take(defined.size)
        values = {
            field.number: value
            for field in defined.fields
            if (value := field.struct.unpack_from(content, field.offset)[0]) != field.invalid
        }
        if header & COMPRESSED:
            timestamp = (timestamp + ((header - timestamp) & 31)) & 0xFFFFFFFF
            values[TIMESTAMP] = timestamp
        else:
            timestamp = values.get(TIMESTAMP, timestamp)
        yield Message(defined.number, values, at, defined.has_developer_fields)
    reader.check()


def definition(reader: Reader, has_developer_fields: bool, wanted: Wanted) -> Definition:
    """Read what messages of a local number are from now on."""
    _, is_big, *number_bytes, count = reader.take(5)
    order = ">" if is_big else "<"
    number = int.from_bytes(bytes(number_bytes), "big" if is_big else "little")
    read = wanted.get(number, frozenset())
    described = reader.take(3 * count)
    fields: list[Field] = []
    size = 0
    for index in range(0, 3 * count, 3):
        field, length, base = described[index : index + 3]
        if (field in read or field == TIMESTAMP) and base in BASE:
            code, invalid = BASE[base]
            struct = Struct(order + code)
            if struct.size == length:  # an array is none of the values that are read
                fields.append(Field(field, struct, size, invalid))
        size += length
    if has_developer_fields:
        (count,) = reader.take(1)
        size += sum(reader.take(3 * count)[1::3])
    return Definition(number, tuple(fields), size, has_developer_fields)


class Reader:
    """Takes bytes of a file, and reckons its checksum."""

    def __init__(self, source: BinaryIO) -> None:
        self.source = source
        self.at = 0
        self.sum = 0

    def begin(self, head: bytes) -> None:
        """Begin a file, with what its header begins with."""
        self.at += len(head)
        self.sum = added_to(0, head)
        self.take(head[0] - len(head))

    def take(self, size: int) -> bytes:
        """Take so many bytes; Damaged where the file has fewer."""
        piece = self.source.read(size) if size else b""
        if len(piece) < size:
            raise Damaged(f"byte {self.at}", "is not complete: the file ends within it")
        self.at += size
        self.sum = added_to(self.sum, piece)
        return piece

    def check(self) -> None:
        """Take the checksum that ends a file; Damaged where it is another than that of the bytes taken."""
        reckoned = self.sum
        if int.from_bytes(self.take(2), "little") != reckoned:
            raise Damaged(f"byte {self.at - 2}", "has another checksum: a byte before it is wrong")


def checksum_of(byte: int) -> int:
    """Return the checksum of one byte: CRC-16 of the polynomial 0x8005, bits reflected."""
    for _ in range(8):
        byte = byte >> 1 ^ (0xA001 if byte & 1 else 0)
    return byte


CHECKSUMS = tuple(map(checksum_of, range(256)))


def added_to(checksum: int, piece: bytes) -> int:
    """Return the checksum of what has one, and of a piece behind it."""
    for byte in piece:
        checksum = checksum >> 8 ^ CHECKSUMS[(checksum ^ byte) & 0xFF]
    return checksum
