"""Line protocol: what points become, and what of a damaged file is read."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest

from service.errors import Malformed
from service.imports.adapter import Found, ImportContext, Item, Rejected, Sample, Skipped
from service.imports.line_protocol import LineProtocol

ADAPTER = LineProtocol()

FILE = Path(__file__).parents[2] / "files/line-protocol/watch.lp"
LINE = b"heart_rate value=62 1736935200000000000\n"


def read(text: bytes, context: ImportContext | None = None) -> list[Item]:
    return list(ADAPTER.read(io.BytesIO(text), context or ImportContext()))


def readings(text: bytes, context: ImportContext | None = None) -> list[dict]:
    return [item.reading for item in read(text, context) if isinstance(item, Found)]


def rejected(text: bytes) -> list[tuple[str, str]]:
    return [(item.at, item.problem) for item in read(text) if isinstance(item, Rejected)]


def test_the_file_written_by_hand():
    found = [item for item in read(FILE.read_bytes()) if isinstance(item, Found)]
    assert [(item.kind, item.at) for item in found] == [
        ("heart_rate", "line 2"),
        ("heart_rate", "line 3"),
        ("steps", "line 4"),
        ("steps", "line 5"),
        ("vitals", "line 6"),
        ("vitals.spo2", "line 6"),
        ("vitals.battery", "line 6"),
        ("body_temperature", "line 7"),
        ("body_weight", "line 8"),
    ]
    scanner = {"device_id": "Scanner 2, left", "timestamp": "2025-01-15T10:02:00.123456Z"}
    assert [item.reading for item in found] == [
        {"device_id": "watch", "timestamp": "2025-01-15T10:00:00Z", "heart_rate": 62.5},
        {"device_id": "watch", "timestamp": "2025-01-15T10:01:00Z", "heart_rate": 71},
        {"device_id": "watch", "timestamp": "2025-01-15T10:00:00Z", "steps": 12},
        {"device_id": "watch", "timestamp": "2025-01-15T10:01:00Z", "steps": 0},
        scanner | {"heart_rate": 64, "steps": 5},
        scanner | {"spo2": 97.5},
        scanner | {"battery": 80},
        {
            "device_id": "thermometer",
            "timestamp": "2025-01-15T11:00:00Z",
            "body_temperature": {"value": 98.6, "unit": "degF"},
        },
        {"timestamp": "2025-01-15T12:00:00Z", "body_weight": 72.5},
    ]
    assert sum(item.reading.get("steps", 0) for item in found) == 17


def test_what_is_no_number_is_skipped_by_its_field():
    assert [item for item in read(FILE.read_bytes()) if isinstance(item, Skipped)] == [
        Skipped("vitals.worn", "a boolean is no value"),
        Skipped("vitals.note", "a text is no value"),
    ]


@pytest.mark.parametrize(
    ("precision", "moment"),
    [("s", b"1736935200"), ("ms", b"1736935200000"), ("us", b"1736935200000000"), ("ns", b"1736935200000000000")],
)
def test_a_precision_counts_what_it_says(precision, moment):
    line = b"heart_rate value=62 " + moment
    assert readings(line, ImportContext(precision=precision))[0]["timestamp"] == "2025-01-15T10:00:00Z"


def test_the_device_that_was_given_is_that_of_points_without_one():
    context = ImportContext(device_id="ring")
    assert readings(LINE, context)[0]["device_id"] == "ring"
    assert readings(b"heart_rate,device=watch value=62 1736935200000000000", context)[0]["device_id"] == "watch"


def test_a_moment_before_1970_is_one():
    assert readings(b"body_weight value=4 -1")[0]["timestamp"] == "1969-12-31T23:59:59.999999Z"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"heart_rate value=62", "has no timestamp"),
        (b"heart_rate value=62 now", "is no point of line protocol"),
        (b"heart_rate value= 1", "is no point of line protocol"),
        (b"heart_rate", "is no point of line protocol"),
        (b'heart_rate note="open 1', "is no point of line protocol"),
        (b"heart_rate value=NaN 1", "has no number in its field value"),
        (b"heart_rate value=Infinity 1", "has no number in its field value"),
        (b"heart_rate value=1e999 1", "has no number in its field value"),
        (b"heart_rate value=99999999999999999999i 1", "has no number in its field value"),
        (b"heart_rate value=\xd9\xa1 1", "has no number in its field value"),
        (b"vitals timestamp=3i 1", "has a field timestamp, which is no metric"),
        (b"heart_rate value=62 99999999999999999999", "is no point of line protocol"),
        (b"heart_rate value=6\xff2 1", "is not UTF-8"),
        (b"x" * 70_000, "has more than 65536 bytes"),
    ],
)
def test_a_broken_line_is_named_and_ends_nothing_else(line, problem):
    text = LINE + line + b"\n" + LINE
    assert rejected(text) == [("line 2", problem)]
    assert len(readings(text)) == 2


def test_a_moment_outside_the_calendar_is_named():
    items = list(ADAPTER.read(io.BytesIO(b"heart_rate value=62 9223372036854775807"), ImportContext(precision="s")))
    assert [item.problem for item in items] == ["is not a moment of the calendar"]


@pytest.mark.parametrize("cut", range(1, len(LINE)))
def test_a_file_cut_within_a_line_has_the_lines_before(cut):
    text = (LINE * 3)[:-cut]
    whole = cut == 1  # without its line end
    assert readings(text) == readings(LINE) * (3 if whole else 2)
    assert len(rejected(text)) == (0 if whole else 1)


def test_points_of_another_person_are_refused():
    text = b"heart_rate,user=ada value=62 1736935200000000000\nheart_rate,user=bob value=63 1736935200000000000\n"
    assert len(readings(text)) == 1
    assert rejected(text) == [("line 2", "is of another person than the first record of the file, which is of ada")]


@pytest.mark.parametrize(
    ("written", "device"),
    [
        (rb"two\ words", r"two words"),
        (rb"two\\ words", "two\\ words"),
        (rb"C:\watch\\,\ left", "C:\\watch\\, left"),
    ],
)
def test_a_backslash_escapes_what_separates_and_nothing_else(written, device):
    assert [
        reading["device_id"]
        for reading in readings(b"heart_rate,device=" + written + b" value=62 1736935200000000000\n")
    ] == [device]


def test_utf_16_is_refused_by_its_mark():
    with pytest.raises(Malformed, match="UTF-16"):
        read(LINE.decode().encode("utf-16"))


def test_a_byte_order_mark_is_no_part_of_a_name():
    assert readings(b"\xef\xbb\xbf" + LINE) == readings(LINE)


@pytest.mark.parametrize(
    "line",
    [
        b"a" + b",a=b" * 16_000,
        b"a " + b"a=1," * 16_000,
        b"\\" * 64_000,
        b'a b="' + b"\\" * 64_000,
        b"a,b=c" + rb"\,b=c" * 12_000,
    ],
)
def test_no_line_takes_long(line):
    started = time.process_time()
    assert len(rejected(line)) == 1
    assert time.process_time() - started < 1


def test_it_is_recognized_by_a_point():
    assert ADAPTER.sniffs(Sample(FILE.read_bytes()))
    assert ADAPTER.sniffs(Sample(b"heart_rate value=62"))
    for other in (
        b"",
        b"# heart_rate value=62",
        b'{"a": 1}',
        b"user_id,timestamp,heart_rate\na,b,1\n",
        b"\x0e\x10\x00",
    ):
        assert not ADAPTER.sniffs(Sample(other))
