"""Streams of JSON: the values at paths, whatever the pieces, and the place from which nothing can be read."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.errors import Malformed
from service.imports import json_stream
from service.imports.adapter import Damaged
from service.imports.json_stream import ANY, Pattern, place, values_at
from tests.support.examples import examples

texts = st.text(st.sampled_from('a},{[]"\\:\n é'), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-500, 500) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", 'c"']), inner, max_size=3),
    max_leaves=12,
)
patterns = st.lists(st.lists(st.sampled_from(["a", "b", ANY]), min_size=1, max_size=3).map(tuple), max_size=2)


def expected(value: Any, path: tuple[Any, ...], wanted: list[Pattern]) -> list[tuple[Any, Any]]:
    if path and not all(wanted):
        return [(path, value)]
    found = []
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in members:
        is_array = isinstance(value, list)
        rest = [one[1:] for one in wanted if one and (one[0] is ANY or (one[0] == key and not is_array))]
        if rest:
            found += expected(inner, (*path, key), rest)
    return found


@settings(max_examples=examples(400))
@given(values, patterns, st.integers(1, 9), st.sampled_from([None, 1]), st.sampled_from([(64, 8), (1, 0), (1, 8)]))
def test_what_is_found_is_what_the_document_has_there(
    value: Any, wanted: list[Pattern], piece: int, indent: int | None, ways: tuple[int, int]
) -> None:
    body = json.dumps(value, ensure_ascii=False, indent=indent).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "PIECE", piece)
        patch.setattr(json_stream, "DEEP", ways[0])
        patch.setattr(json_stream, "MOST_FRUITLESS", ways[1])
        assert list(values_at(io.BytesIO(body), *wanted)) == expected(value, (), wanted)


@settings(max_examples=examples(200))
@given(st.lists(values, max_size=4), st.data())
def test_a_document_that_is_cut_gives_what_was_complete(items: list[Any], data: st.DataObject) -> None:
    body = json.dumps({"skipped": items, "data": items}).encode()
    cut = data.draw(st.integers(0, len(body) - 1))
    found: list[Any] = []
    with pytest.raises(Damaged):
        found.extend(value for _, value in values_at(io.BytesIO(body[:cut]), ("data", ANY)))
    assert found == items[: len(found)]


def test_a_place_is_written_as_those_of_faults_are() -> None:
    [(path, _)] = values_at(io.BytesIO(b'{"data": {"metrics": [{"qty": 1}]}}'), ("data", "metrics", ANY, "qty"))
    assert place(path) == "data.metrics[0].qty"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b'{"data": [1, x]}', "data[1]: is no JSON: Expecting value"),
        (b'{"data": [1 2]}', "data[1]: is no JSON: , or ] is missing"),
        (b'{"data": [NaN]}', "data[0]: is no JSON: NaN is no number"),
        (b'{"data": ["\xe9"]}', "the document: is not UTF-8: invalid continuation byte"),
        (b'{"data": [' + b"[" * 100_000 + b"]" * 100_000 + b"]}", "data[0]: is nested too deeply"),
        (b'{"data": [1.5, 1.', "data[1]: is no JSON: a number is not complete"),
        (b'{"data": [1.5, 15', "data[1]: is no JSON: a number is not complete"),
        (b'{"data": []} x', "the document: something follows the document"),
        (b"", "the document: is not complete: the file ends within it"),
    ],
)
def test_damage_is_named_with_its_place(body: bytes, problem: str) -> None:
    with pytest.raises(Damaged) as damaged:
        list(values_at(io.BytesIO(body), ("data", ANY)))
    assert str(damaged.value) == problem


def test_a_wide_encoding_is_named() -> None:
    with pytest.raises(Malformed, match="UTF-16"):
        list(values_at(io.BytesIO("[1]".encode("utf-16")), (ANY,)))


RECORD = json.dumps({"date": "2024-01-15 10:00:00 +0100", "qty": 71.5, "places": [{"lat": 52.1, "of": ["a", "b"]}]})


@pytest.mark.parametrize(
    "skipped",
    [
        "[" + ", ".join([RECORD] * 20_000) + "]",
        "[" * 200_000 + "]" * 200_000,
        '{"a":' * 200_000 + "1" + "}" * 200_000,
        ('[{"a":"' + "]" * 40 + '"},') * 50_000 + "1" + "]" * 50_000,
        "[" * 200_000 + RECORD + ("," + RECORD) * 5_000 + "]" * 200_000,
        '"' + "\\" * 200_000 + '"',
    ],
    ids=["records", "arrays", "objects", "arrays of strings", "records deep inside", "backslashes"],
)
def test_what_is_skipped_is_not_looked_at_piece_by_piece(monkeypatch: pytest.MonkeyPatch, skipped: str) -> None:
    steps = 0

    def counted(function: Any) -> Any:
        def count(*arguments: Any) -> Any:
            nonlocal steps
            steps += 1
            return function(*arguments)

        return count

    for name in ("search", "skip_held", "skip_string", "more"):
        monkeypatch.setattr(json_stream.Text, name, counted(getattr(json_stream.Text, name)))
    body = f'{{"skipped": {skipped}, "data": [1]}}'.encode()
    assert [value for _, value in values_at(io.BytesIO(body), ("data", ANY))] == [1]
    assert steps < len(body) / 20


def test_a_value_is_bounded_and_what_is_skipped_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "MOST_VALUE", 1000)
    monkeypatch.setattr(json_stream, "PIECE", 100)
    body = json.dumps({"skipped": ["x" * 5000], "data": [1, "x" * 5000]}).encode()
    found = []
    with pytest.raises(Damaged, match=r"data\[1\]: .* more than 1000 characters"):
        found.extend(value for _, value in values_at(io.BytesIO(body), ("data", ANY)))
    assert found == [1]
