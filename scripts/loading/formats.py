"""From a line of a file to the JSON of a reading. What a reading is, the service judges; only what is no JSON stays."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable

from pydantic_core import from_json

from scripts.loading.errors import CannotRead, Malformed

COLUMNS = {
    "user_id": "user_id",
    "device_id": "device_id",
    "timestamp": "timestamp",
    "ts": "timestamp",
    "heart_rate": "heart_rate",
    "steps": "steps",
    "calories": "calories",
}
"""Columns of CSV, and the fields that they are."""

NUMBERS = ("heart_rate", "steps", "calories")
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")

Reader = Callable[[bytes], bytes]
"""Turns a line into the JSON of a reading, or says that it is Malformed."""


def from_ndjson(line: bytes) -> bytes:
    """Return the line as it is, if it is a JSON object."""
    try:
        value = from_json(line, allow_inf_nan=False)
    except ValueError as error:
        raise Malformed(f"is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise Malformed("is not a JSON object")
    return line


def csv_reader(header: bytes) -> Reader:
    """Make the reader of a CSV file with that header; CannotRead names what is wrong with it."""
    try:
        names = [name.strip().lower() for name in fields_of(header)]
    except Malformed as wrong:
        raise CannotRead(f"The header {wrong}.") from None
    unknown = [name for name in names if name not in COLUMNS]
    columns = [COLUMNS[name] for name in names if name in COLUMNS]
    if unknown or len(set(columns)) < len(columns) or not {"user_id", "timestamp"} <= set(columns):
        raise CannotRead(
            f"The header is {', '.join(map(repr, names))[:200]}; it must name user_id and timestamp (or ts), and "
            "perhaps device_id, heart_rate, steps and calories, each once and nothing else."
        )
    keys = [json.dumps(column) + ":" for column in columns]
    numeric = [column in NUMBERS for column in columns]

    def read(line: bytes) -> bytes:
        fields = fields_of(line)
        if len(fields) != len(keys):
            raise Malformed(f"has {len(fields)} fields, the header {len(keys)}")
        members = [
            key + (field if is_number and NUMBER.fullmatch(field) else json.dumps(field))
            for key, field, is_number in zip(keys, fields, numeric, strict=True)
            if field
        ]
        return f"{{{','.join(members)}}}".encode()

    return read


def fields_of(line: bytes) -> list[str]:
    """Split a line of CSV; a quoted field cannot hold the end of a line."""
    try:
        text = line.decode()
    except UnicodeDecodeError:
        raise Malformed("is not UTF-8") from None
    if '"' not in text:
        return text.split(",")
    try:
        return next(csv.reader([text], strict=True))
    except csv.Error as error:
        raise Malformed(f"is not CSV: {error}") from None
