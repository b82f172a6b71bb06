"""FIT files, written by hand after the protocol of FIT: numbers and types are those of its profile."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from struct import pack
from typing import Final

EPOCH = datetime(1989, 12, 31, tzinfo=UTC)
ENUM, UINT8, SINT16, UINT16, UINT32, UINT32Z, BYTE = 0x00, 0x02, 0x83, 0x84, 0x86, 0x8C, 0x0D
CODES: Final = {ENUM: "B", UINT8: "B", SINT16: "h", UINT16: "H", UINT32: "I", UINT32Z: "I", BYTE: "B"}
INVALID: Final = {ENUM: 0xFF, UINT8: 0xFF, SINT16: 0x7FFF, UINT16: 0xFFFF, UINT32: 0xFFFFFFFF, UINT32Z: 0, BYTE: 0xFF}

TYPES: Final[Mapping[int, Mapping[int, int]]] = {
    0: {0: ENUM, 1: UINT16, 2: UINT16, 3: UINT32Z, 4: UINT32},
    18: {253: UINT32, 2: UINT32, 7: UINT32, 9: UINT32, 5: ENUM, 11: UINT16},
    20: {253: UINT32, 3: UINT8, 4: UINT8, 5: UINT32, 73: UINT32, 7: UINT16, 33: UINT16},
    21: {253: UINT32, 0: ENUM, 1: ENUM},
    30: {253: UINT32, 0: UINT16, 1: UINT16, 4: UINT16, 13: UINT16},
    51: {253: UINT32, 0: UINT16, 1: UINT16, 6: UINT8},
    55: {253: UINT32, 26: UINT16, 27: UINT8, 3: UINT32, 2: UINT32, 5: ENUM, 24: BYTE, 19: UINT16},
    103: {253: UINT32, 0: UINT32},
    211: {253: UINT32, 0: UINT8, 1: UINT8},
    227: {0: SINT16, 1: UINT32},
    269: {253: UINT32, 0: UINT8},
    297: {253: UINT32, 0: SINT16},
    371: {253: UINT32, 0: UINT16},
}
"""The base types of fields, by message and field."""


def seconds(text: str) -> int:
    """Return a moment in seconds of FIT."""
    return int((datetime.fromisoformat(text).replace(tzinfo=UTC) - EPOCH).total_seconds())


def crc(data: bytes) -> int:
    """Return the checksum of FIT, four bits at a time as its documentation has it."""
    table = (0x0000, 0xCC01, 0xD801, 0x1400, 0xF001, 0x3C00, 0x2800, 0xE401)
    table += (0xA001, 0x6C00, 0x7800, 0xB401, 0x5000, 0x9C01, 0x8801, 0x4400)
    checksum = 0
    for byte in data:
        for half in (byte & 0xF, byte >> 4):
            checksum = (checksum >> 4) & 0x0FFF ^ table[checksum & 0xF] ^ table[half]
    return checksum


def defined(local: int, number: int, fields: Mapping[int, int], order: str = "<") -> bytes:
    """Write the definition of a message of so many fields, by their base types."""
    sizes = {field: len(pack(CODES[base], 0)) for field, base in fields.items()}
    described = b"".join(bytes((field, sizes[field], base)) for field, base in fields.items())
    return bytes((0x40 | local, 0, order == ">")) + pack(f"{order}HB", number, len(fields)) + described


def data(local: int, number: int, values: Mapping[int, int], order: str = "<") -> bytes:
    """Write a message with those values, others marked invalid."""
    fields = TYPES[number]
    packed = b"".join(pack(order + CODES[base], values.get(field, INVALID[base])) for field, base in fields.items())
    return bytes((local,)) + packed


def message(number: int, values: Mapping[int, int], order: str = "<") -> bytes:
    """Write a message, and its definition before it."""
    return defined(0, number, TYPES[number], order) + data(0, number, values, order)


def fit(*parts: bytes) -> bytes:
    """Write a file of messages, with its header and checksums."""
    body = b"".join(parts)
    head = pack("<BBHI4s", 14, 0x20, 21178, len(body), b".FIT")
    whole = head + pack("<H", crc(head)) + body
    return whole + pack("<H", crc(whole))


def file_id(kind: int) -> bytes:
    """Say what a file is (4 an activity, 32 monitoring), and of which device."""
    return message(0, {0: kind, 1: 1, 2: 4536, 3: 3999999999, 4: seconds("2025-01-15T10:00:00")})


def activity() -> bytes:
    """Write a run of 5 records: 12 m in all, a pause of a minute, 3 kcal by the session."""
    start = seconds("2025-01-15T10:00:00")
    records = (
        {253: start, 3: 98, 4: 0, 5: 0, 73: 0},
        {253: start + 1, 3: 101, 4: 80, 5: 250, 73: 2500, 7: 210},
        {253: start + 2, 3: 104, 4: 82, 5: 550, 73: 3000, 7: 220},
        {253: start + 62, 5: 900},
        {253: start + 63, 3: 110, 4: 81, 5: 1200, 73: 3000, 7: 215},
    )
    return fit(
        file_id(4),
        message(21, {253: start, 0: 0, 1: 0}),
        defined(1, 20, TYPES[20]),
        *(data(1, 20, values) for values in records),
        message(18, {253: start + 63, 2: start, 7: 63_000, 9: 1200, 5: 1, 11: 3}),
    )


def monitoring() -> bytes:
    """Write what a watch in Berlin counts from midnight to the next: 1200 steps, 1.1 km on foot, 2 km by bicycle."""
    midnight = seconds("2025-01-14T23:00:00")
    walking, running, cycling = 6, 1, 2
    return fit(
        file_id(32),
        message(103, {253: midnight, 0: midnight + 3600}),
        defined(1, 55, TYPES[55]),
        data(1, 55, {253: midnight + 900, 5: walking, 3: 0, 2: 0, 19: 0}),
        data(1, 55, {26: (midnight + 960) & 0xFFFF, 27: 52}),
        data(1, 55, {26: (midnight + 1020) & 0xFFFF, 27: 0}),
        data(1, 55, {253: midnight + 28_800, 5: walking, 3: 700, 2: 50_000, 19: 20}),
        data(1, 55, {253: midnight + 28_800, 24: 2 << 5 | running, 3: 300, 2: 40_000, 19: 30}),
        data(1, 55, {253: midnight + 29_700, 5: walking, 3: 900, 2: 70_000, 19: 25}),
        data(1, 55, {253: midnight + 30_600, 5: cycling, 3: 800, 2: 200_000, 19: 60}),
        data(1, 55, {253: midnight + 86_400, 5: walking, 3: 900, 2: 70_000, 19: 25}),
        message(211, {253: midnight + 28_800, 0: 51, 1: 49}),
        message(227, {0: 25, 1: midnight + 28_800}),
        message(227, {0: -1, 1: midnight + 28_980}),
        message(269, {253: midnight + 28_800, 0: 96}),
        message(297, {253: midnight + 28_800, 0: 1350}),
        message(371, {253: midnight + 28_800, 0: 48 * 128 + 64}),
    )
