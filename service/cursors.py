"""Cursors: where a page ended, written so that only the service reads meaning into them."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any

from pydantic import Field
from pydantic_core import from_json, to_json

from service.fields import without_nul
from service.problems import Fault, Invalid
from service.times import parse_timestamp

Cursor = Annotated[str | None, Field(max_length=2000, description="next_cursor of the answer before.")]


def write_cursor(*parts: str) -> str:
    """Write the texts that the last row of a page is ordered by."""
    return base64.urlsafe_b64encode(to_json(parts)).decode()


def read_cursor(cursor: str, count: int) -> list[str]:
    """Read so many texts; Invalid where that is no cursor of this path."""
    try:
        parts = from_json(base64.b64decode(cursor, altchars=b"-_", validate=True))
        if isinstance(parts, list) and len(parts) == count and all(isinstance(part, str) for part in parts):
            return [without_nul(part) for part in parts]
    except (ValueError, binascii.Error):
        pass
    raise no_cursor(cursor)


def after_moment(cursor: str | None, count: int) -> list[Any]:
    """Read a cursor of a moment and then texts; as many times None without one."""
    if cursor is None:
        return [None] * count
    moment, *texts = read_cursor(cursor, count)
    try:
        return [parse_timestamp(moment), *texts]
    except ValueError:
        raise no_cursor(cursor) from None


def no_cursor(cursor: str) -> Invalid:
    """Say that a cursor is of someone's own making."""
    fault = Fault(at="cursor", problem="is not the next_cursor of an earlier answer", value=cursor[:100])
    return Invalid("The request is invalid.", [fault])
