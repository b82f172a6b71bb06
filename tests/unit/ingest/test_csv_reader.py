"""CSV: what Python's csv module writes in any dialect that docs/loading.md names is read back the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.errors import Invalid, Malformed, Problem
from service.ingest import chunker
from service.ingest.body_formats import csv_format
from service.ingest.csv_reader import Row, Table, number, separator_of
from service.ingest.pipeline import validated
from service.ingest.receipt import Tally
from service.metrics.counters import Counters
from service.model.fields import Bounds
from tests.support.csv_files import AT, columns, dialects, readings, spelled, written
from tests.support.examples import examples
from tests.support.metrics import REGISTRY

BOUNDS = Bounds(datetime(1900, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC))
HEADER = "user_id,timestamp,heart_rate,steps\n"


def test_a_column_of_many_spaces_is_judged_at_once() -> None:
    table = Table(REGISTRY.by_name)
    assert table.has_unknown_columns(b"user_id,a" + b" " * 500_000 + b"b\n")


async def in_pieces(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


def read(body: bytes, size: int = 65536, part: int = chunker.PART) -> tuple[list[Any], Tally]:
    """Read a body as POST /v1/readings does, from pieces of a size."""
    tally = Tally(Counters())

    async def collect() -> list[Any]:
        return [row async for rows in validated(csv_format(), in_pieces(body, size), BOUNDS, tally) for row in rows]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunker, "PART", part)
        return asyncio.run(collect()), tally


def problems(text: str) -> list[tuple[str, str, Any]]:
    """Say what is wrong with a text."""
    _, tally = read(text.encode())
    return [(fault["at"], fault["problem"], fault["value"]) for fault in tally.faults]


@settings(max_examples=examples(150))
@given(readings, columns, dialects, spelled, st.integers(1, 40), st.integers(1, 40))
def test_what_python_writes_is_read_back(
    items: list[dict[str, Any]], order: list[str], dialect: dict[str, Any], spell: Any, size: int, part: int
) -> None:
    rows, tally = read(written(items, order, dialect, spell), size, part)
    assert not tally.faults
    assert [(row.user_id, row.device_id, row.heart_rate, row.steps) for row in rows] == [
        (item["user_id"], item["device_id"], item["heart_rate"], item["steps"]) for item in items
    ]


@settings(max_examples=examples(60))
@given(readings, columns, dialects, spelled)
def test_rows_say_where_they_end(
    items: list[dict[str, Any]], order: list[str], dialect: dict[str, Any], spell: Any
) -> None:
    body = written(items, order, dialect, spell).removeprefix(chunker.BOM)
    found = [row for row in Table().items(body) if row is not None]
    assert found[-1].end == len(body)
    table = Table()
    list(table.items(body[: body.index(dialect["lineterminator"].encode()) + len(dialect["lineterminator"])]))
    begin = table.line
    for row in found:
        assert row.line == begin
        begin = row.last + 1
        start = found[found.index(row) - 1].end if row is not found[0] else 0
        again = Table()
        again.separator, again.columns = table.separator, table.columns
        if start:
            assert [one.item for one in again.items(body[start : row.end]) if isinstance(one, Row)] == [row.item]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("72", 72), (" 72", 72), ("72 ", 72), ("+5", 5), ("-5", -5), ("007", 7), ("72.0", 72.0), ("72.", 72.0),
        (".5", 0.5), ("1e2", 100.0), ("1E+2", 100.0), ("", None), ("  ", None), ("1_000", "1_000"), ("٣", "٣"),
        ("nan", "nan"), ("1e999", "1e999"), ("1 000", "1 000"), ("0x10", "0x10"), ("NULL", "NULL"),
    ],
)  # fmt: skip
def test_numbers(cell: str, value: object) -> None:
    for comma in (False, True):
        assert number(cell, comma) == value
        assert type(number(cell, comma)) is type(value)


def test_a_decimal_comma_is_read_between_semicolons_and_named_elsewhere() -> None:
    rows, _ = read(f"user_id;timestamp;heart_rate;steps\nada;{AT};72,5;3,0\nada;{AT};72.5;3\n".encode())
    assert [(row.heart_rate, row.steps) for row in rows] == [(72.5, 3), (72.5, 3)]
    assert problems(f'{HEADER}ada,{AT},"72,5",\n') == [
        ("line 2.heart_rate", "has a decimal comma; write a point, or separate the columns by semicolons", "72,5")
    ]
    assert problems(HEADER.replace(",", "\t") + f"ada\t{AT}\t72\t1,0\n")[0][0] == "line 2.steps"
    assert problems(HEADER.replace(",", ";") + f"ada;{AT};1.234,5;\n") == [
        ("line 2.heart_rate", "must be a number", "1.234,5")
    ]


def test_what_is_wrong_with_a_row_stands_at_its_first_line() -> None:
    text = HEADER + f'"a\nb",{AT},,1.5\n\n"a\nb",{AT},,1,2\nada,{AT}\nada,{AT},60,1\r'
    assert problems(text) == [
        ("line 2.steps", "must be a whole number", 1.5),
        ("line 5", "has 5 fields, the header 4", ["a\nb", AT, "", "1", "2"]),
        ("line 7", "has 2 fields, the header 4", ["ada", AT]),
    ]


def test_a_row_that_is_not_utf_8_is_one_row() -> None:
    rows, tally = read(
        HEADER.encode() + f"zo\xeb,{AT},60,\nzoë,{AT},60,\n".encode("latin-1") + f"zoë,{AT},61,".encode()
    )
    assert [row.heart_rate for row in rows] == [61]
    assert [(fault["at"], fault["problem"]) for fault in tally.faults] == [
        ("line 2", "is not UTF-8"),
        ("line 3", "is not UTF-8"),
    ]


def test_a_row_that_is_no_csv_ends_the_reading() -> None:
    for row in ('"a"b', '"a'):
        with pytest.raises(Problem, match="This is not CSV at line 3") as caught:
            read(f"{HEADER}ada,{AT},60,\n{row},{AT},60,\n".encode())
        assert type(caught.value) is Malformed


@pytest.mark.parametrize("header", ["user_id,timestamp", '"user_id";"ts"', "\n\n User_Id\tTS \n", "steps;user_id;ts"])
def test_the_header_tells_the_separator(header: str) -> None:
    assert separator_of(header.encode()) == (None if not header.endswith("\n") else "\t")
    assert separator_of(f"{header}\n".encode()) in header


def columns_of(header: str, cells: str) -> dict[str, Any]:
    table = Table(REGISTRY.by_name)
    (row,) = (row for row in table.items(f"{header}\n{cells}\n".encode()) if row is not None)
    return row.item


def test_any_metric_is_a_column() -> None:
    assert columns_of("user_id,ts,spo2,Lactate", f"ada,{AT},97,") == {"user_id": "ada", "timestamp": AT, "spo2": 97}
    fahrenheit = {"value": 98.6, "unit": "degF"}
    assert columns_of("user_id;ts; Body_temperature[degF] ", f"ada;{AT};98,6")["body_temperature"] == fahrenheit
    assert columns_of("user_id,ts,body_temperature [[degF]]", f"ada,{AT},98.6")["body_temperature"] == {
        "value": 98.6,
        "unit": "[degF]",
    }
    assert columns_of("user_id,ts,calories[kJ],steps[{steps}]", f"ada,{AT},4, ") == {
        "user_id": "ada",
        "timestamp": AT,
        "calories": {"value": 4, "unit": "kJ"},
        "steps": None,
    }


@pytest.mark.parametrize(
    ("cell", "problem"),
    [
        ("body_temperature[F]", "has a unit that is not one of Cel, degF, [degF]"),
        ("heart_rate[Hz]", "has a unit that is not /min"),
        ("sp02", "is not a known column"),
        ("ends", "is not a known column"),
        ("metrics", "is not a known column"),
        ("spo2[]", "is not a known column"),
    ],
)
def test_a_column_that_is_no_metric_is_named(cell: str, problem: str) -> None:
    with pytest.raises(Invalid) as caught:
        columns_of(f"user_id,ts,{cell}", f"ada,{AT},1")
    assert [(one["at"], one["problem"], one["value"]) for one in caught.value.faults] == [("line 1", problem, cell)]


def test_a_metric_in_two_units_is_a_column_twice() -> None:
    with pytest.raises(Invalid) as caught:
        columns_of("user_id,ts,spo2,spo2[fraction]", f"ada,{AT},1,1")
    assert [one["problem"] for one in caught.value.faults] == ["names a column twice"]


def test_a_decimal_comma_of_any_metric_is_named() -> None:
    table = Table(REGISTRY.by_name)
    (row,) = (row for row in table.items(f'user_id,ts,spo2\nada,{AT},"97,5"\n'.encode()) if row is not None)
    assert row.wrong is not None
    assert row.wrong["at"] == "spo2"


def test_the_columns_of_intervals_are_read_as_programs_write_them() -> None:
    cells = ["true", "True", "t", "1", "false", "F", "0", "", "  ", "yes"]
    read_cells = [
        columns_of("user_id,ts,end,worn,daily_total", f"ada,{AT},{end},{cell},")
        for cell, end in zip(cells, ["", "  ", f" {AT} ", *[""] * 7], strict=True)
    ]
    assert [item.get("worn") for item in read_cells] == [True] * 4 + [False] * 3 + [None, None, "yes"]
    assert [item.get("end") for item in read_cells] == [None, None, AT, *[None] * 7]
    assert all("daily_total" not in item for item in read_cells)
