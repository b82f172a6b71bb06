"""The fast decoder against the model: what it takes, the model takes, and the rows are the same."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from service.errors import Problem
from service.ingest import single_values
from service.ingest.fast_decoder import decode, decode_lines
from service.ingest.single_values import Kinds, SingleValue
from service.ingest.validation import items_of
from service.model.fields import Bounds
from service.model.reading import READING, Row, to_row
from service.model.registry import NO_METRICS
from service.model.strict_json import parse_json
from tests.support.examples import examples
from tests.support.metrics import REGISTRY

BOUNDS = Bounds(datetime(1900, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC), REGISTRY)


def by_the_model(body: bytes) -> list[Row] | None:
    """Read a body as the model does; None where it refuses anything."""
    try:
        items, _ = items_of(parse_json(body), "readings")
        return [to_row(READING.validate_python(item, context=BOUNDS)) for item in items]
    except (ValueError, ValidationError, Problem):
        return None


def fields(row: Any) -> tuple[Any, ...]:
    """Say all of a row, -0.0 and the kinds of its values included."""
    values = (
        row.user_id,
        row.device_id,
        row.timestamp,
        row.heart_rate,
        row.steps,
        row.calories,
        row.samples,
        *row.intervals,
    )
    return tuple((type(value), repr(value)) for value in values)


def agree(body: bytes) -> bool:
    """Hold both against each other; return whether the fast one took the body."""
    fast, right = decode(body, BOUNDS), by_the_model(body)
    if fast is None:
        return False
    assert right is not None, body
    assert [fields(row) for row in fast] == [fields(row) for row in right]
    return True


# fmt: off
awkward = st.sampled_from([
    None, True, False, 0, -0.0, 1.0, 1e2, 30, 29.999999999999996, 220, 220.00000000000003, 100_000, 100_001, 0.5,
    10_000, 10_000.000000000002, -1, 2**63, 2**64, 10**30, 10**400, -(10**130), "", "7", "x" * 128, "x" * 129,
    "é" * 128, "é" * 129, "\x00", "a\x00b", "\ud800", "\U0001f600", "a/b", [], {}, ["x"], {"a": 1}, " ", "\x7f",
])
# fmt: on
clocks = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(["2025-01-15", "1899-12-31", "1900-01-01", "2030-01-01", "2024-02-29", "2025-02-29", "2025-1-5"]),
    st.sampled_from(["T", "t", " ", ""]),
    st.sampled_from(["00:00:00", "23:59:59", "12:34", "24:00:00", "12:60:00", "12:00:60", "1:2:3", "12:34:56"]),
    st.sampled_from(["", ".5", ".123456", ".1234567", ".123456789", ".1234567891", ",5", ".", ".x"]),
    st.sampled_from(
        ["Z", "z", "", "+02:00", "-0330", "+02", " 02:00", " Z", "+24:00", "+23:59", "ZZ", "+2:00", "\x00"]
    ),
)
quantities = st.fixed_dictionaries(
    {
        "value": awkward | st.floats(-500, 500),
        "unit": st.sampled_from(["Cel", "degF", "[degF]", "%", "", None, 1, ["%"]]),
    },
    optional={"more": awkward},
)
moments = st.datetimes(datetime(1890, 1, 1), datetime(2040, 1, 1)).map(lambda at: at.isoformat() + "Z")
good = st.fixed_dictionaries(
    {"user_id": st.sampled_from(["ada", "日本"]) | st.integers(-5, 10**12), "timestamp": moments},
    optional={
        "device_id": st.sampled_from(["watch", "device_a", None]),
        "heart_rate": st.none() | st.floats(30, 220) | st.integers(30, 220),
        "steps": st.none() | st.integers(0, 100_000) | st.integers(0, 100_000).map(float),
        "calories": st.none() | st.floats(0, 10_000),
    },
)
sampled = st.tuples(
    good,
    st.fixed_dictionaries(
        {},
        optional={
            "spo2": st.none() | st.floats(50, 100) | st.integers(50, 100),
            "warmth": st.floats(-10, 10)
            | st.builds(lambda value: {"value": value, "unit": "degF"}, st.floats(14, 50) | st.integers(14, 50)),
        },
    ),
).map(lambda two: two[0] | two[1])
lengths = st.sampled_from([-1, 0, 1, 60, 600, 3600, 82_799, 82_800, 86_400, 86_401, 90_000, 90_001])
with_end = st.tuples(
    sampled,
    lengths,
    st.fixed_dictionaries(
        {},
        optional={
            "worn": st.booleans() | st.none(),
            "daily_total": st.booleans() | st.none(),
            "distance": st.integers(0, 2000) | st.builds(lambda km: {"value": km, "unit": "km"}, st.floats(0, 2)),
            "floors": st.integers(0, 5).map(float) | st.floats(0, 5),
            "exercise_time": st.floats(0, 20),
        },
    ),
).map(lambda three: three[0] | three[2] | {"end": end_of(three[0]["timestamp"], three[1])})
together = st.tuples(sampled | with_end, st.sampled_from(["spo2", "steps", "distance", "heart_rate", "calories"])).map(
    lambda two: (
        two[0] | {"metrics": {name: value for name, value in two[0].items() if name >= two[1] and name in METRIC_NAMES}}
    )
)


def end_of(timestamp: str, seconds: int) -> str:
    """The moment so many seconds after a timestamp."""
    return (datetime.fromisoformat(timestamp) + timedelta(seconds=seconds)).isoformat()


METRIC_NAMES = frozenset(REGISTRY.by_name)
names = st.sampled_from(
    [
        "user_id",
        "device_id",
        "timestamp",
        "heart_rate",
        "steps",
        "calories",
        "other",
        "readings",
        "end",
        "worn",
        "daily_total",
        "metrics",
        "spo2",
        "warmth",
        "distance",
    ]
)
spoiled = st.tuples(
    good | sampled | with_end,
    st.dictionaries(
        names,
        awkward | clocks | moments | quantities | st.dictionaries(names, awkward | quantities, max_size=2),
        max_size=3,
    ),
).map(lambda two: two[0] | two[1])
readings = good | sampled | with_end | together | spoiled
bodies = (
    readings
    | st.lists(readings, max_size=3)
    | st.lists(readings, max_size=3).map(lambda items: {"readings": items})
    | st.tuples(good, awkward).map(list)
    | awkward
)


@settings(max_examples=examples(300))
@given(bodies, st.booleans())
def test_what_the_fast_one_takes_the_model_takes_alike(body: Any, ascii_only: bool) -> None:
    agree(json.dumps(body, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass"))


@settings(max_examples=examples(80))
@given(
    st.lists(
        (good | sampled | with_end | together).filter(
            lambda one: one.keys() & {"heart_rate", "steps", "calories", "spo2", "warmth"}
        ),
        min_size=1,
        max_size=3,
    )
)
def test_what_is_usual_is_read_fast(items: list[dict[str, Any]]) -> None:
    body = json.dumps(items).encode()
    if by_the_model(body) is not None:
        assert agree(body)
        assert agree(json.dumps({"readings": items}).encode())
        lines = b"\n".join(json.dumps(item).encode() for item in items)
        rows = decode_lines(lines, BOUNDS)
        assert rows is not None
        assert [fields(row) for row in rows] == [fields(row) for row in by_the_model(body) or []]


REST = ',"timestamp":"2025-01-15T10:00:00Z","steps":1}'


@settings(max_examples=examples(300))
@given(st.text(st.sampled_from('{}[]",:0123456789eE+-.nulltruefalse \n\t\x00\x01\ufeff\\u'), max_size=30))
@example('"user_id":"a","user_id":7')
@example('"user_id":7,"user_id":null')
@example('"user_id":-0')
@example('"user_id":007')
@example('"user_id":1e2')
@example('"user_id":"a\\u0000"')
@example('"user_id":"a\x01"')
@example('"user_id":"\\ud83d\\ude00"')
@example('"user_id":"\\ud83d"')
@example('"user_id":"a","steps":1.0')
@example('"user_id":"a","heart_rate":1e999')
@example('"user_id":"a","heart_rate":NaN')
@example('"user_id":"a","calories":1E-400')
@example('"user_id":"a","warmth":-0')
@example('"user_id":"a","warmth":-0.0')
@example('"user_id":"a","spo2":97,"spo2":98')
@example('"user_id":"a","spo2":1e400')
@example('"user_id":"a","spo\\u0032":97')
@example('"user_id":"a","spo2":{"value":97,"unit":"%","unit":"fraction"}')
@example('"user_id":"a","calories":0.1000000000000000055511151231257827021181583404541015625')
def test_texts_that_are_nearly_json(text: str) -> None:
    agree(("{" + text + REST).encode())
    agree(f"[{text}]".encode())
    agree(f'{{"user_id":"a","calories":{text}{REST}'.encode())
    agree(f'{{"user_id":"a","warmth":{text}{REST}'.encode())


@pytest.mark.parametrize(
    "text",
    [
        '[{"user_id":"a","device_id":null,"steps":72.0,"timestamp":"2025-01-15T10:00:00Z"}]',
        '{"user_id":"a","steps":1e2,"timestamp":"2025-01-15T10:00:00Z"}',
        '{"readings":[{"user_id":"a","device_id":null,"calories":1,"timestamp":"2025-01-15T10:00:00Z"}]}',
    ],
)
def test_what_tools_write_that_know_no_gaps_is_read_fast(text: str) -> None:
    assert agree(text.encode())
    assert agree(b"\xef\xbb\xbf" + text.encode())


@pytest.mark.parametrize("damage", [b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\x00"])
def test_what_is_not_utf_8_is_left_to_the_model(damage: bytes) -> None:
    body = b'{"user_id":"a' + damage + b'"' + REST.encode()
    agree(body)
    agree(damage + b'{"user_id":"a"' + REST.encode())
    agree(b'{"user_id":"a"' + REST.encode() + damage)


@given(st.datetimes(datetime(1990, 1, 1), datetime(2029, 1, 1)), st.integers(-14 * 60, 14 * 60))
def test_a_moment_is_the_same_at_every_offset(moment: datetime, minutes: int) -> None:
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    there = (moment + timedelta(minutes=minutes)).isoformat()
    body = f'{{"user_id":"a","steps":1,"timestamp":"{there}{sign}{hours:02}:{rest:02}"}}'.encode()
    assert agree(body) == (by_the_model(body) is not None)


METRICS = ["null", "72", "900", "72.0", '"72"', "0"]


@pytest.mark.parametrize("name", ["user_id", "timestamp", "device_id", "heart_rate", "steps"])
@pytest.mark.parametrize("values", [(one, other) for one in METRICS for other in METRICS])
def test_of_a_key_that_is_there_twice_the_last_value_counts(name: str, values: tuple[str, str]) -> None:
    """One way or the other, since a check that reads the first and a store that takes the last may be fooled."""
    begun = '{"user_id": "ada", "timestamp": "2025-01-15T10:00:00Z", "calories": 1'
    once = f'{begun}, "{name}": {values[1]}}}'.encode()
    twice = f'{begun}, "{name}": {values[0]}, "{name}": {values[1]}}}'.encode()
    agree(twice)
    assert by_the_model(twice) == by_the_model(once)


def test_of_two_envelopes_the_last_counts() -> None:
    reading = '{"user_id": "ada", "timestamp": "2025-01-15T10:00:00Z", "steps": 1}'
    for first, last in (("", reading), (reading, ""), (reading, reading.replace("1}", "2}"))):
        body = f'{{"readings": [{first}], "readings": [{last}]}}'.encode()
        assert by_the_model(body) == by_the_model(f'{{"readings": [{last}]}}'.encode())
        agree(body)


@pytest.mark.parametrize(
    ("value", "is_taken"),
    [
        ("50", True), ("49.99999999999999", False), ("100.0", True), ("100.00000000000001", False), ("null", False),
        ("true", False), ('"97"', False), ('{"value":0.5,"unit":"fraction"}', True), ("[97]", False), ("{}", False),
        ('{"value":0.49,"unit":"fraction"}', False), ('{"value":97,"unit":"kg"}', False), ('{"value":97}', False),
        ('{"value":null,"unit":"%"}', False), ('{"value":"97","unit":"%"}', False), ("1e400", False),
    ],
)  # fmt: skip
def test_values_of_other_metrics_are_judged_fast(value: str, is_taken: bool) -> None:
    text = f'{{"user_id":"a","timestamp":"2025-01-15T10:00:00Z","spo2":{value}}}'
    assert agree(text.encode()) is is_taken
    assert agree(f"[{text},{text}]".encode()) is is_taken
    assert (decode_lines(f"{text}\n{text}\n".encode(), BOUNDS) is not None) is is_taken


@pytest.mark.parametrize(
    ("fields", "is_taken"),
    [
        ('"steps":300', True), ('"steps":301', False), ('"steps":7.0,"worn":true', True), ('"worn":true', True),
        ('"worn":null,"steps":7', True), ('"worn":1,"steps":7', False), ('"daily_total":true,"steps":7', True),
        ('"daily_total":true,"spo2":97', False), ('"spo2":97', True), ('"heart_rate":60', True),
        ('"worn":false', False),
        ('"metrics":{"steps":7,"spo2":null}', True), ('"metrics":{"steps":7},"steps":7.0', True),
        ('"metrics":{"steps":7},"steps":8', False), ('"metrics":{"distance":{"value":0.5,"unit":"km"}}', True),
        ('"metrics":{"distance":{"value":1,"unit":"km"}}', False), ('"metrics":null,"steps":1', True),
        ('"metrics":7,"steps":1', False), ('"floors":1.5', False), ('"exercise_time":1', True),
    ],
)  # fmt: skip
def test_intervals_are_read_fast(fields: str, is_taken: bool) -> None:
    text = f'{{"user_id":"a","timestamp":"2025-01-15T10:00:00Z","end":"2025-01-15T10:01:00Z",{fields}}}'
    assert agree(text.encode()) is is_taken
    assert (by_the_model(text.encode()) is not None) is is_taken
    assert (decode_lines(f"{text}\n{text}\n".encode(), BOUNDS) is not None) is is_taken


SINGLE = [
    '"spo2":97', '"warmth":-0', '"warmth":-0.0', '"warmth":-9.5', '"end":"2025-01-15T10:01:00Z","steps":300',
    '"end":"2025-01-15T10:01:00Z","steps":7.0', '"end":"2025-01-15T10:01:00+00:00","distance":-0',
    '"end":"2025-01-16T08:59:59Z","steps":7', '"end":"2025-01-15T10:00:02Z","steps":50',
]  # fmt: skip


@pytest.mark.parametrize("fields", SINGLE)
@pytest.mark.parametrize("user", ['"ada"', "7"])
def test_a_single_value_is_its_own_row(fields: str, user: str) -> None:
    text = f'{{"user_id":{user},"device_id":"watch","timestamp":"2025-01-15T10:00:00Z",{fields}}}'
    for body in (text, f"[{text},{text}]", f'{{"readings":[{text}]}}'):
        assert agree(body.encode())
        rows = decode(body.encode(), BOUNDS)
        assert rows is not None
        assert {isinstance(row, SingleValue) for row in rows} == {True}


@pytest.mark.parametrize(
    "fields",
    [
        '"spo2":97,"warmth":1', '"spo2":97,"steps":1', '"spo2":null', '"steps":1', '"heart_rate":60',
        '"end":"2025-01-15T10:01:00Z","spo2":97', '"end":"2025-01-15T10:01:00Z","steps":301',
        '"end":"2025-01-15T10:01:00Z","steps":1.5', '"end":"2025-01-16T09:00:00Z","steps":7',
        '"end":"2025-01-15T10:00:00Z","steps":7', '"end":null,"distance":1', '"end":"2099-01-01T00:00:00Z","steps":7',
        '"end":"2025-01-15T10:01:00Z","steps":7,"worn":true', '"spo2":101', '"end":"2025-01-15T10:00:02Z","steps":51',
    ],
)  # fmt: skip
def test_what_is_no_single_value_is_none(fields: str) -> None:
    text = f'{{"user_id":"ada","timestamp":"2025-01-15T10:00:00Z",{fields}}}'
    for body in (text, f"[{text},{text}]"):
        agree(body.encode())
        assert not any(isinstance(row, SingleValue) for row in decode(body.encode(), BOUNDS) or ())


def test_readings_of_different_fields_keep_their_order() -> None:
    texts = [
        f'{{"user_id":"u{place}","timestamp":"2025-01-15T10:00:00Z",{fields}}}'
        for place, fields in enumerate(
            2 * [*SINGLE, '"heart_rate":60', '"spo2":97,"steps":1', '"steps":null,"spo2":97']
        )
    ]
    assert agree(f"[{','.join(texts)}]".encode())
    assert decode_lines("\n".join(texts).encode(), BOUNDS) is not None


def test_a_registry_that_was_not_read_is_asked_by_the_model() -> None:
    body = b'{"user_id":"a","timestamp":"2025-01-15T10:00:00Z","spo2":97}'
    assert decode(body, BOUNDS) is not None
    assert decode(body, BOUNDS._replace(registry=NO_METRICS)) is None


def test_kinds_beyond_those_that_are_kept_are_read_without_a_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(single_values, "KINDS", kinds := Kinds())
    monkeypatch.setattr(single_values, "MOST_KINDS", 2)
    monkeypatch.setattr(single_values, "PAUSE_SECONDS", float("inf"))

    def is_class(fields: str) -> bool:
        body = f'{{"user_id": "ada", "timestamp": "2025-01-15T10:00:00Z", {fields}}}'.encode()
        assert agree(body)
        rows = decode(body, BOUNDS)
        assert rows is not None
        return not isinstance(rows[0], Row)

    sample, other, interval = '"spo2": 90', '"warmth": 5', '"end": "2025-01-15T11:00:00Z", "floors": 7'
    assert [is_class(fields) for fields in (sample, interval, sample)] == [True, True, True]
    # One takes the place of the one that was used longest ago, and then none for a while.
    assert [is_class(fields) for fields in (other, interval, sample, other)] == [True, False, True, True]
    assert len(kinds.made) == 2
