"""Cursors: where a page ended, written so that only the service reads meaning into them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field
from pydantic_core import from_json, to_json

from service.errors import Fault, Invalid
from service.model.fields import without_nul
from service.model.timestamps import format_timestamp, parse_timestamp

Cursor = Annotated[str | None, Field(max_length=2000, description="next_cursor of the answer before.")]


def cut_page(rows: Sequence[dict[str, Any]], limit: int, *order: str) -> tuple[Sequence[dict[str, Any]], str | None]:
    """Return the rows of a page, of which one more than `limit` was asked for, and the cursor of what follows.

    order: the columns that rows are ordered by, a moment or texts. The cursor is None where nothing follows.
    """
    shown = rows[:limit]
    if len(rows) <= limit:
        return shown, None
    last = [shown[-1][name] for name in order]
    return shown, write_cursor(*(format_timestamp(part) if isinstance(part, datetime) else part for part in last))


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


def after_item(cursor: str | None) -> dict[str, Any]:
    """Read a cursor of what may have an end: the parameters of a query for what follows."""
    names = ("after_ts", "after_device_id", "after_end", "after_daily_total")
    if cursor is None:
        return dict.fromkeys(names)
    moment, device_id, end, daily_total = read_cursor(cursor, len(names))
    try:
        after_end = parse_timestamp(end) if end else None
        return dict(zip(names, (parse_timestamp(moment), device_id, after_end, daily_total != ""), strict=True))
    except ValueError:
        raise no_cursor(cursor) from None


def no_cursor(cursor: str) -> Invalid:
    """Say that a cursor is of someone's own making."""
    fault = Fault(at="cursor", problem="is not the next_cursor of an earlier answer", value=cursor[:100])
    return Invalid("The request is invalid.", [fault])
