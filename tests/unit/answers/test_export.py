"""Where a page of an export ends, read from its last row."""

from __future__ import annotations

import csv
import io
import json

import pytest

from service.answers.export import after_csv, after_ndjson

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
