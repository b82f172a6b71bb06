"""JSON as the service reads it: strict, in UTF-8, with or without a byte order mark."""

from __future__ import annotations

from typing import Any

from pydantic_core import from_json

from service.errors import Malformed

BOM = b"\xef\xbb\xbf"
WIDE = (b"\xff\xfe", b"\xfe\xff")  # the same mark in UTF-16, of either order


def without_mark(text: bytes) -> bytes:
    """Take the byte order mark away that may begin a text; Malformed for one of UTF-16, which Windows also writes."""
    if text.startswith(WIDE):
        raise Malformed("This is UTF-16, by its byte order mark; send UTF-8.", ends_connection=True)
    return text.removeprefix(BOM)


def parse_json(body: bytes) -> Any:
    """Parse strict JSON: no NaN, no lone surrogates, at most some 200 levels deep."""
    try:
        return from_json(without_mark(body), allow_inf_nan=False)
    except ValueError as error:
        raise Malformed(f"The body is not JSON: {error}.") from None
