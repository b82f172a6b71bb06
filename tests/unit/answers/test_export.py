"""Pages of an export: where one ends, read from its last row, and how long they are."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Sequence
from typing import Any

import pytest

from service.answers import export
from service.answers.export import (
    PAGE,
    SMALL_PAGE,
    ExportFormat,
    ExportPart,
    ExportSlots,
    Page,
    PagedExport,
    after_csv,
    after_ndjson,
)
from service.errors import NotFound

NAMES = ["watch", 'quo"te', "a,b", "line\nbreak", "cr\rlf\r\n", "\u2028", "\x1c\x0b\x85", "ü 日本", "\\.", "=1+1", "'"]


@pytest.mark.parametrize("device_id", NAMES)
def test_the_key_of_a_row_is_read_as_it_was_written(device_id: str) -> None:
    timestamp = "2025-01-15T10:00:00.000001Z"
    key = {"after_ts": timestamp, "after_device_id": device_id}
    for user_id in NAMES:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerow([user_id, device_id, timestamp, 75, "", ""])
        assert after_csv(text.getvalue().encode()) == key
    row = {"user_id": "ada", "device_id": device_id, "timestamp": timestamp, "heart_rate": None}
    assert after_ndjson(json.dumps(row).encode()) == key


@pytest.mark.parametrize("count", [1, SMALL_PAGE, PAGE + SMALL_PAGE, 2 * PAGE + 2 * SMALL_PAGE + 1])
def test_pages_are_small_while_other_tenants_ask(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pages: list[int] = []

    class OfNumbers(PagedExport):
        async def fetch(
            self, part: ExportPart, parameters: dict[str, Any], most: int, patience: Sequence[float] = ()
        ) -> Page:
            first = int(parameters["after"])
            rows = [b"%d\n" % number for number in range(first, min(first + most, count))]
            pages.append(most)
            return Page([b"".join(rows)] if rows else [], len(rows), most, b"%d" % (first + len(rows)))

    monkeypatch.setattr(export, "is_beside_others", lambda: len(pages) in (1, 2))
    part = ExportPart("numbers", lambda last: {"after": int(last)})
    form = ExportFormat([part], "text/plain", "numbers")
    answer = OfNumbers(None, ExportSlots(1), form, {"after": 0}, NotFound(""), lambda _: None)  # type: ignore[arg-type]

    async def read() -> bytes:
        first = await answer.fetch(part, {"after": 0}, export.page_rows())
        return b"".join([piece async for piece in answer.pieces(first)])

    assert asyncio.run(read()).split() == [b"%d" % number for number in range(count)]
    assert pages[:3] == [PAGE, SMALL_PAGE, SMALL_PAGE][: len(pages)]
