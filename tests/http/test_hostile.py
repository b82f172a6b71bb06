"""Hostile input: never the server's fault, never a hang, and afterwards everything works as before.

What is plainly wrong must be refused; what is merely strange may be accepted or refused, but calmly.
"""

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest

from tests.http.wire import (
    PATIENCE,
    WRITES,
    dial,
    event,
    everything_from,
    in_path,
    item_of,
    item_with,
    moment,
    raw_request,
    reading,
    refused,
    send,
    statuses_in,
    stays_calm,
    summary,
    with_item,
    write_examples,
)

DEEP = 10_000
MEGABYTES = 10 * 2**20

NOT_JSON = {
    "empty": b"",
    "blank": b" \r\n\t ",
    "open-object": b"{",
    "open-array": b"[",
    "open-string": b'{"user_id": "ad',
    "no-value": b'{"user_id": ',
    "half-a-word": b"nul",
    "capital": b"True",
    "single-quotes": b"{'user_id': 1}",
    "comment": b'{} // "user_id"',
    "trailing-comma": b'{"user_id": 1,}',
    "two-documents": b"{}{}",
    "leading-zero": b'{"user_id": 0303}',
    "plus": b'{"user_id": +1}',
    "hexadecimal": b'{"user_id": 0x1F}',
    "bare-point": b'{"heart_rate": 75.}',
    "raw-newline-in-string": b'{"user_id": "a\nb"}',
    "bad-escape": rb'{"user_id": "\x41"}',
    "half-an-escape": rb'{"user_id": "\u00"}',
    "binary": bytes(range(256)),
    "latin-1": '{"user_id": "ü"}'.encode("latin-1"),
    "overlong": b'{"user_id": "\xc0\xaf"}',
    "encoded-surrogate": b'{"user_id": "\xed\xa0\x80"}',
    "utf-16": '{"user_id": "a"}'.encode("utf-16"),
    "utf-32": '{"user_id": "a"}'.encode("utf-32"),
    "arrays-without-end": b"[" * DEEP,
    "objects-without-end": b'{"a":' * DEEP,
    "nul": b"\x00",
    "csv": b"user_id,timestamp,heart_rate\nada,2024-01-15T10:00:00Z,75\n",
    "form": b"user_id=303&heart_rate=88",
    "xml": b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "a">]><x>&a;</x>',
    "number-without-end": b'{"user_id": ' + b"9" * 100_000,
}
NOT_OURS = {
    "null": b"null",
    "true": b"true",
    "number": b"42",
    "text": b'"just text"',
    "array-of-null": b"[null]",
    "array-of-arrays": b"[[[]]]",
    "array-of-numbers": b"[1, 2]",
    "object": b"{}",
    "null-readings": b'{"readings": null, "events": null}',
    "object-readings": b'{"readings": {}, "events": {}}',
    "text-readings": b'{"readings": "[]", "events": "[]"}',
    "readings-of-readings": b'{"readings": [{"readings": []}], "events": [{"events": []}]}',
    "numeric-keys": b'{"0": {"user_id": 1}}',
    "prototype": b'{"__proto__": {"user_id": 1}, "__class__": "x"}',
}
STRANGE = {
    "empty-array": b"[]",
    "empty-readings": b'{"readings": [], "events": []}',
    "deep-arrays": b"[" * DEEP + b"]" * DEEP,
    "deep-objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep-readings": b'{"readings": ' * DEEP + b"[]" + b"}" * DEEP,
    "deeper-still": b"[" * 20 * DEEP + b"]" * 20 * DEEP,
    "not-a-number": b"NaN",
    "array-of-nan": b"[NaN, Infinity, -Infinity]",
    "infinity": b"-Infinity",
    "huge-float": b"1e400",
    "huge-integer": b"9" * 5000,
    "byte-order-mark": b"\xef\xbb\xbf{}",
    "many-keys": ("{" + ",".join(f'"k{n}": {n}' for n in range(50_000)) + "}").encode(),
    "many-same-keys": ("{" + ",".join('"user_id": 1' for _ in range(50_000)) + "}").encode(),
    "long-key": b'{"' + b"k" * MEGABYTES + b'": 1}',
    "many-nulls": b"[" + b"null," * 50_000 + b"null]",
    "many-empty-objects": b'{"readings": [' + b"{}," * 6000 + b'{}], "events": [{}]}',
}

WORDS = ("user_id", "device_id", "event_id", "tenant_id", "source", "event_type")
PLAINLY_WRONG = {
    "text": ["true", "[]", "{}", '["x"]', '{"a": 1}', "1.5", "NaN", "-Infinity"],
    "timestamp": [
        "null",
        "true",
        "0",
        "1705312800",
        "1e400",
        "[]",
        "{}",
        '""',
        '"now"',
        '"1705312800"',
        '"2024-01-15"',
        '"2024-01-15T10:00:00"',
        '"2024-01-15T10:00:00 Europe/Berlin"',
        '"2024-13-01T00:00:00Z"',
        '"2024-02-30T00:00:00Z"',
        '"2024-01-15T25:00:00Z"',
        '"2024-01-15T10:60:00Z"',
        '"2024-01-15T10:00:00+25:00"',
        '"0000-01-01T00:00:00Z"',
        '"10000-01-01T00:00:00Z"',
        '"-2024-01-15T10:00:00Z"',
        '"2024-01-15T10:00:00Z\\u0000"',
        '"\\ud800"',
        '"infinity"',
        '"' + "2" * 100_000 + '"',
    ],
    "heart_rate": [
        '"75"',
        "true",
        "false",
        "[]",
        "{}",
        "[75]",
        "29",
        "221",
        "-75",
        "0",
        "1e400",
        "-1e400",
        "NaN",
        "Infinity",
    ],
    "steps": [
        '"7"',
        "true",
        "[]",
        "{}",
        "-1",
        "100001",
        "0.5",
        "1e400",
        "NaN",
        "Infinity",
        "9" * 5000,
        "-" + "9" * 5000,
    ],
    "calories": ['"7"', "false", "[]", "{}", "-1", "10001", "1e400", "NaN", "-Infinity", "9" * 5000],
    "payload": ["7", '"text"', "true", "[[]]", "NaN"],
}
MERELY_STRANGE = {
    "text": [
        '""',
        '" "',
        "null",
        "0",
        "-1",
        "1e400",
        "9" * 128,
        "9" * 129,
        "9" * 5000,
        "-" + "9" * 5000,
        "1E+2",
        '"\\u0000"',
        '"a\\u0000b"',
        '"\\ud800"',
        '"\\udfff\\ud800"',
        '"a\\ud800b"',
        '"\\uffff\\ufffe"',
        '"\\u202e\\u200b\\ufeff"',
        '"\\u0001\\u001f\\u007f\\u0085"',
        '"\\r\\n\\t\\b"',
        '"%s%n%(x)s{0}${x}"',
        '"\'; DROP TABLE core.reading; --"',
        '"../../etc/passwd"',
        '"NaN"',
        '"\\\\N"',
        '"' + "x" * 129 + '"',
        '"' + "é" * 100_000 + '"',
    ],
    "timestamp": [
        '"0001-01-01T00:00:00Z"',
        '"0001-01-01T00:00:00+14:00"',
        '"0001-01-01T00:00:00-14:00"',
        '"9999-12-31T23:59:59.999999Z"',
        '"9999-12-31T23:59:59.999999-14:00"',
        '"9999-12-31T23:59:59.999999+14:00"',
        '"1582-10-10T00:00:00Z"',
        '"1900-02-28T00:00:00Z"',
        '"2016-12-31T23:59:60Z"',
        '"2024-01-15T24:00:00Z"',
        '"2024-01-15T10:00:00.123456789Z"',
        '"2024-01-15T10:00:00.' + "1" * 5000 + 'Z"',
        '"2024-01-15T10:00:00+23:59"',
        '"2024-01-15T10:00:00+01:02:03.000004"',
        '"20240115T100000Z"',
        '"2024-W03-1T10:00:00Z"',
        '"2024-015T10:00:00Z"',
        '" 2024-01-15T10:00:00Z "',
        '"2024-01-15t10:00:00z"',
        '"٢٠٢٤-٠١-١٥T10:00:00Z"',
        '"2024-01-15T10:00:00−02:00"',
        "-62135596800",
        "9" * 400,
    ],
    "heart_rate": [
        "75.0",
        "75." + "0" * 5000 + "1",
        "7500e-2",
        "1e-400",
        "null",
        "9" * 5000,
        "30.000000000000001",
    ],
    "steps": ["7.0", "1e2", "-0", "-0.0", "1e-400", "null", "100000.0"],
    "calories": ["-0.0", "1e-400", "5e-324", "9999.999999999999", "null", "0." + "1" * 5000],
    "payload": [
        "null",
        "{}",
        "[" * DEEP + "]" * DEEP,
        '{"a": ' + "[" * DEEP + "]" * DEEP + "}",
        '{"a":' * DEEP + "1" + "}" * DEEP,
        '{"a": [' + '{"a": [' * 2000 + "]}" * 2000 + "]}",
        '{"a": 1e400}',
        '{"a": -1e400}',
        '{"a": 1e-400}',
        '{"a": 1e131071}',
        '{"a": 1e200000}',
        '{"a": ' + "9" * 5000 + "}",
        '{"a": 0.' + "1" * 20_000 + "}",
        '{"a": NaN}',
        '{"a": "\\u0000"}',
        '{"\\u0000": 1}',
        '{"a": "\\ud800"}',
        '{"\\ud800": 1}',
        '{"a": 1, "a": 2}',
        '{"": {"": {"": 1}}}',
        '{"' + "k" * 100_000 + '": 1}',
        "{" + ",".join(f'"k{n}": null' for n in range(20_000)) + "}",
    ],
}

QUERIES = {
    "/metrics": {"user_id": "303", "start_date": moment("00:00:00"), "end_date": moment("23:59:59")},
    "/metrics#tenant": {
        "tenant_id": "tenant_1",
        "bucket_size": "hour",
        "source": "web",
        "event_type": "click",
        "start": moment("00:00:00"),
        "end": moment("23:59:59"),
    },
    "/metrics/heart-rate": {
        "user_id": "ada",
        "start": moment("00:00:00"),
        "end": moment("23:59:59"),
        "device_id": "default",
    },
    "/events": {
        "tenant_id": "tenant_1",
        "source": "web",
        "event_type": "click",
        "start": moment("00:00:00"),
        "end": moment("23:59:59"),
        "page": "1",
        "page_size": "100",
    },
    "/v1/users/ada/summary": {"start": moment("00:00:00"), "end": moment("23:59:59"), "device_id": "default"},
    "/v1/users/ada/latest": {"nothing": "x"},
    "/v1/users": {"limit": "10", "cursor": "x"},
    "/v1/users/ada/readings": {
        "start": moment("00:00:00"),
        "end": moment("23:59:59"),
        "device_id": "default",
        "limit": "10",
        "cursor": "x",
    },
    "/v1/events": {
        "tenant_id": "tenant_1",
        "source": "web",
        "event_type": "click",
        "start": moment("00:00:00"),
        "end": moment("23:59:59"),
        "limit": "10",
        "cursor": "x",
    },
    "/v1/events/metrics": {
        "tenant_id": "tenant_1",
        "bucket_size": "hour",
        "source": "web",
        "event_type": "click",
        "start": moment("00:00:00"),
        "end": moment("23:59:59"),
        "limit": "10",
        "cursor": "x",
    },
}
ODD_ARGUMENTS = [
    "",
    "+",
    "%20",
    "%00",
    "a%00b",
    "%ff",
    "%c0%af",
    "%ed%a0%80",
    "%",
    "%zz",
    "%u0041",
    "x" * 129,
    "x" * 20_000,
    "%C3%A9" * 1000,
    "NaN",
    "Infinity",
    "-1",
    "0",
    "1e400",
    "1.5",
    "9" * 19,
    "9" * 129,
    "9" * 5000,
    "-" + "9" * 5000,
    "-9223372036854775809",
    "%D9%A3%D9%A0%D9%A3",
    "1_000",
    "0x10",
    "[]",
    "{}",
    "null",
    "true",
    "%27;%20DROP%20TABLE%20core.reading;--",
    "%27%20OR%201=1--",
    "%2525s%25n",
    "..%2F..%2Fetc%2Fpasswd",
    "%F0%9F%91%A9%E2%80%8D%E2%9A%95",
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00%2B14:00",
    "0001-01-01T00:00:00-14:00",
    "0000-00-00T00:00:00Z",
    "9999-12-31T23:59:59.999999Z",
    "9999-12-31T23:59:59.999999-14:00",
    "10000-01-01T00:00:00Z",
    "2016-12-31T23:59:60Z",
    "2024-01-15T24:00:00Z",
    "2024-01-15T10:00:00+25:00",
    "2024-01-15T10:00:00%2B02:00%2B02:00",
    "now",
    "infinity",
    "-infinity",
    "epoch",
]


@pytest.fixture(autouse=True)
def everything_works_afterwards(visitor: httpx.Client) -> Iterator[None]:
    """Whatever a test did, the service is healthy and takes and answers a reading."""
    yield
    assert visitor.get("/health").status_code == 200
    assert visitor.post("/v1/readings", json=reading(user_id="afterwards", steps=7)).status_code == 200
    assert summary(visitor, "afterwards")["steps"] == 7


@pytest.fixture
def line(base_url: str) -> Iterator[socket.socket]:
    with dial(base_url) as opened:
        yield opened


def kind_of(field: str) -> str:
    return "text" if field in WORDS else field


def fields_of(path: str) -> list[str]:
    return [*item_of(path)] + (["device_id", "steps", "calories"] if path == "/v1/readings" else [])


FIELDS = [(path, field) for path in WRITES for field in fields_of(path)]


def reads_calmly(client: httpx.Client) -> None:
    """Whatever was stored can be told."""
    for query in ({"tenant_id": "tenant_1"}, {"tenant_id": "tenant_1", "bucket_size": "day"}):
        stays_calm(client.get("/metrics" if "bucket_size" in query else "/events", params=query, timeout=PATIENCE))
    ages = {"start": "0001-01-01T00:00:00Z", "end": "9999-12-31T23:59:59.999999Z"}
    stays_calm(client.get("/v1/events", params={"tenant_id": "tenant_1"} | ages, timeout=PATIENCE))
    for user_id in ("ada", "303", "user_123"):
        stays_calm(client.get(f"/v1/users/{user_id}/summary", params=ages, timeout=PATIENCE))
        stays_calm(client.get(f"/v1/users/{user_id}/latest", timeout=PATIENCE))
        for accept in ("application/json", "text/csv", "application/x-ndjson"):
            answer = client.get(f"/v1/users/{user_id}/readings", params=ages, headers={"accept": accept})
            stays_calm(answer)
    stays_calm(client.get("/v1/users", timeout=PATIENCE))


# Bodies -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", WRITES)
def test_what_is_not_json_is_refused(visitor: httpx.Client, path: str) -> None:
    for name, body in NOT_JSON.items():
        answer = stays_calm(send(visitor, path, body))
        assert answer.status_code in (400, 422), (name, answer.status_code, answer.text[:500])
        refused(answer, 400, 422)


@pytest.mark.parametrize("path", WRITES)
def test_json_that_means_nothing_here_is_refused(visitor: httpx.Client, path: str) -> None:
    for name, body in NOT_OURS.items():
        answer = stays_calm(send(visitor, path, body))
        assert answer.status_code == (400 if "heart-rate" in path else 422), (
            name,
            answer.status_code,
            answer.text[:500],
        )


@pytest.mark.parametrize("path", WRITES)
def test_strange_json_is_met_calmly(visitor: httpx.Client, path: str) -> None:
    for body in STRANGE.values():
        stays_calm(send(visitor, path, body))


@pytest.mark.parametrize("path", WRITES)
def test_every_beginning_of_a_good_body_is_refused(visitor: httpx.Client, path: str) -> None:
    body = json.dumps(write_examples()[path]).encode()
    for length in range(0, len(body), 3):
        refused(send(visitor, path, body[:length]), 400)


@pytest.mark.parametrize("path", WRITES)
@pytest.mark.parametrize(
    "kind",
    ["", "text/csv", "application/x-ndjson", "application/x-www-form-urlencoded", ";;;", "a" * 5000, "é"],
)
def test_an_odd_content_type_is_met_calmly(visitor: httpx.Client, path: str, kind: str) -> None:
    body = json.dumps(write_examples()[path]).encode()
    announced = {"content-type": kind.encode()} if kind else {}
    stays_calm(visitor.post(path, content=body, headers=announced, timeout=PATIENCE))
    stays_calm(visitor.post(path, content=b"\x00\xff" * 100, headers=announced, timeout=PATIENCE))
    stays_calm(visitor.post(path, content=b"", headers=announced, timeout=PATIENCE))


@pytest.mark.parametrize("path", WRITES)
def test_ten_megabytes_of_blanks_before_a_good_body_are_met_calmly(visitor: httpx.Client, path: str) -> None:
    stays_calm(send(visitor, path, b" " * MEGABYTES + json.dumps(write_examples()[path]).encode()))


@pytest.mark.parametrize("path", WRITES)
def test_unknown_fields_are_met_calmly(client: httpx.Client, path: str) -> None:
    for more in (
        '"x": ' + "[" * 500 + "]" * 500,
        '"\\u0000": 1',
        '"x": "\\ud800"',
        '"x": 1e400',
        '"x": NaN',
        '"": null',
    ):
        stays_calm(send(client, path, with_item(path, json.dumps(item_of(path))[:-1] + f", {more}}}")))


# Fields -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "field"), FIELDS)
def test_a_plainly_wrong_value_is_refused(client: httpx.Client, path: str, field: str) -> None:
    for raw in PLAINLY_WRONG[kind_of(field)]:
        answer = stays_calm(send(client, path, with_item(path, item_with(path, field, raw))))
        assert answer.status_code in (400, 413, 422), (raw[:200], answer.status_code, answer.text[:500])
    assert not client.get("/events", params={"tenant_id": "tenant_1"}).json()["total"]


@pytest.mark.parametrize(("path", "field"), FIELDS)
def test_a_strange_value_is_met_calmly(client: httpx.Client, path: str, field: str) -> None:
    for raw in MERELY_STRANGE[kind_of(field)]:
        stays_calm(send(client, path, with_item(path, item_with(path, field, raw))))
        if field == "payload":
            reads_calmly(client)
    reads_calmly(client)


@pytest.mark.parametrize(("path", "field"), FIELDS)
def test_ten_megabytes_in_a_field_are_refused(client: httpx.Client, path: str, field: str) -> None:
    long = '"' + "x" * MEGABYTES + '"'
    raw = f'{{"page": {long}}}' if field == "payload" else long
    answer = stays_calm(send(client, path, with_item(path, item_with(path, field, raw))))
    if field != "payload":
        assert answer.status_code in (400, 413, 422), (answer.status_code, answer.text[:500])


@pytest.mark.parametrize(("path", "field"), FIELDS)
def test_a_field_said_twice_is_met_calmly(client: httpx.Client, path: str, field: str) -> None:
    item = json.dumps(item_of(path))
    for raw in ("null", "[]", '"x"', "1", json.dumps(item_of(path).get(field))):
        stays_calm(send(client, path, with_item(path, f'{item[:-1]}, "{field}": {raw}}}')))
        stays_calm(send(client, path, with_item(path, f'{{"{field}": {raw}, {item[1:]}')))
    reads_calmly(client)


def test_a_nul_or_half_a_character_never_becomes_an_id(visitor: httpx.Client) -> None:
    for raw in ('"a\\u0000b"', '"\\ud800"', '"a\\udfff"'):
        for field in ("user_id", "device_id"):
            answer = send(visitor, "/v1/readings", with_item("/v1/readings", item_with("/v1/readings", field, raw)))
            assert answer.status_code in (400, 422), (field, raw, answer.text)
        for field in ("event_id", "tenant_id", "source", "event_type"):
            answer = send(visitor, "/events", item_with("/events", field, raw).encode())
            assert answer.status_code in (400, 422), (field, raw, answer.text)


def test_one_hostile_reading_does_not_take_the_others_along(client: httpx.Client) -> None:
    good = json.dumps(reading(steps=3))
    for number, (field, raw) in enumerate(
        (
            ("user_id", '"\\u0000"'),
            ("user_id", "9" * 5000),
            ("heart_rate", "1e400"),
            ("steps", "9" * 5000),
            ("timestamp", '"0001-01-01T00:00:00+14:00"'),
            ("timestamp", '"9999-12-31T23:59:59-14:00"'),
        )
    ):
        bad = item_with("/v1/readings", field, raw)
        answer = stays_calm(send(client, "/v1/readings", f'{{"readings": [{bad}, {good}, {bad}]}}'.encode()))
        if answer.status_code != 400:  # a number beyond measure may make the whole body unreadable
            assert answer.status_code == 200, (raw[:100], answer.text[:500])
            assert (answer.json()["received"], answer.json()["rejected"]) == (3, 2), (
                number,
                answer.text[:500],
            )


# Arguments and paths ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", QUERIES)
def test_an_odd_argument_is_met_calmly(client: httpx.Client, path: str) -> None:
    client.post("/v1/readings", json=[reading(), reading(user_id=303)])
    client.post("/events", json=event())
    good = {name: value.replace("+", "%2B") for name, value in QUERIES[path].items()}
    for name in good:
        for odd in ODD_ARGUMENTS:
            query = "&".join(f"{key}={value}" for key, value in (good | {name: odd}).items())
            stays_calm(client.get(f"{path.partition('#')[0]}?{query}", timeout=PATIENCE))


@pytest.mark.parametrize("path", QUERIES)
def test_arguments_repeated_missing_and_invented_are_met_calmly(client: httpx.Client, path: str) -> None:
    good = QUERIES[path]
    path = path.partition("#")[0]
    for name, value in good.items():
        stays_calm(client.get(path, params=[*good.items(), (name, value)]))
        stays_calm(client.get(path, params=[*good.items(), (name, "other")]))
        stays_calm(client.get(path, params={key: value for key, value in good.items() if key != name}))
        stays_calm(client.get(path, params={name: value}))
        stays_calm(client.get(path, params={f"{key}[]": value for key, value in good.items()}))
    stays_calm(client.get(path, params=good | {f"x{n}": str(n) for n in range(2000)}))
    for query in ("", "&&&", "=", "=&=", "%00=%00", "&".join(["start"] * 1000), ";", "?", "start", "%ff=%ff"):
        stays_calm(client.get(f"{path}?{query}", timeout=PATIENCE))


@pytest.mark.parametrize("edge", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000001Z", "9999-12-31T23:59:59.999999Z"])
def test_the_ends_of_time_are_met_calmly(client: httpx.Client, edge: str) -> None:
    client.post("/v1/readings", json=reading())
    for path, asked in QUERIES.items():
        names = [name for name in asked if name.startswith(("start", "end"))]
        for name in names:
            alone = {key: value for key, value in asked.items() if key not in names}
            stays_calm(client.get(path.partition("#")[0], params=alone | {name: edge}, timeout=PATIENCE))
        stays_calm(client.get(path.partition("#")[0], params=asked | dict.fromkeys(names, edge), timeout=PATIENCE))


@pytest.mark.parametrize("answer", ["summary", "latest", "readings"])
def test_an_odd_user_in_the_path_is_met_calmly(visitor: httpx.Client, answer: str) -> None:
    for odd in [*ODD_ARGUMENTS, in_path("\x00"), in_path("\r\nX: y"), "%2e%2e", "%2f", "%5c", ";", ":", "@", "*"]:
        stays_calm(visitor.get(f"/v1/users/{odd}/{answer}", timeout=PATIENCE))


def test_an_odd_user_to_erase_is_met_calmly(client: httpx.Client) -> None:
    client.post("/v1/readings", json=reading())
    for odd in [*ODD_ARGUMENTS, in_path("\x00"), in_path("\r\nX: y"), "%2e%2e", "%2f", "%5c", ";", ":", "@", "*"]:
        stays_calm(client.delete(f"/v1/users/{odd}", timeout=PATIENCE))
    assert summary(client)["heart_rate"]["count"] == 1


@pytest.mark.parametrize(
    "odd", [b"\xff", b"\x80/*", b"*" * 5000, b"text/csv;q=" + b"9" * 5000, b"a/b," * 2000, b";q=1"]
)
def test_an_odd_accept_header_is_met_calmly(client: httpx.Client, odd: bytes) -> None:
    client.post("/v1/readings", json=reading())
    stays_calm(client.get("/v1/users/ada/readings", headers={b"accept": odd}, timeout=PATIENCE))


# Slow, lying and broken connections -------------------------------------------------------------------------


@pytest.mark.parametrize("path", WRITES)
def test_a_body_that_trickles_in_is_heard_out(line: socket.socket, path: str) -> None:
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in raw_request(path, json.dumps(write_examples()[path]).encode(), Connection="close"):
        line.send(bytes([byte]))
    (status,) = statuses_in(everything_from(line))
    assert 200 <= status < 300


@pytest.mark.parametrize("path", WRITES)
def test_stalled_bodies_hold_nobody_up(client: httpx.Client, base_url: str, path: str) -> None:
    """Forty senders stop in the middle of their bodies; everyone else is served meanwhile."""
    body = json.dumps(write_examples()[path]).encode()
    with ExitStack() as stalled:
        for _ in range(40):
            stalled.enter_context(dial(base_url)).sendall(raw_request(path, body)[: -len(body) // 2])
        for second in range(5):
            assert client.post("/v1/readings", json=reading(f"10:00:0{second}"), timeout=PATIENCE).status_code == 200
        assert summary(client)["heart_rate"]["count"] == 5


def test_stalled_headers_hold_nobody_up(client: httpx.Client, base_url: str) -> None:
    with ExitStack() as stalled:
        for _ in range(40):
            stalled.enter_context(dial(base_url)).sendall(b"POST /v1/readings HTTP/1.1\r\nHost: te")
        assert client.post("/v1/readings", json=reading(), timeout=PATIENCE).status_code == 200


@pytest.mark.parametrize("path", WRITES)
def test_a_body_cut_short_stores_nothing_and_ends(client: httpx.Client, line: socket.socket, path: str) -> None:
    body = json.dumps(write_examples()[path]).encode()
    line.sendall(raw_request(path, body, Content_Length=str(len(body) + 100)))
    line.shutdown(socket.SHUT_WR)
    assert all(400 <= status < 500 for status in statuses_in(everything_from(line)))
    assert client.get("/events", params={"tenant_id": "tenant_1"}).json()["total"] == 0
    assert client.get("/v1/users/ada/latest").status_code == 404


@pytest.mark.parametrize("path", WRITES)
def test_a_sender_that_vanishes_harms_nobody(base_url: str, path: str) -> None:
    body = json.dumps(write_examples()[path]).encode()
    for cut in (10, len(raw_request(path)), -5, -1):
        with dial(base_url) as line:
            line.sendall(raw_request(path, body)[:cut])


@pytest.mark.parametrize("path", WRITES)
def test_a_length_too_short_is_truncated_json(line: socket.socket, path: str) -> None:
    """The rest of the body then reads as a next request, and a bad one."""
    body = json.dumps(write_examples()[path]).encode()
    line.sendall(raw_request(path, body, Content_Length=str(len(body) // 2)))
    line.shutdown(socket.SHUT_WR)
    statuses = statuses_in(everything_from(line))
    assert statuses
    assert all(400 <= status < 500 for status in statuses)


@pytest.mark.parametrize(
    "lie",
    [
        "Content-Length: -1",
        "Content-Length: x",
        "Content-Length: 5x",
        "Content-Length: +5",
        "Content-Length: 0x5",
        "Content-Length: 1e3",
        "Content-Length: ",
        "Content-Length: 99999999999999999999999999",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5, 6",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: chunked, gzip",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    ],
)
def test_a_lie_about_the_length_ends_in_a_refusal(line: socket.socket, lie: str) -> None:
    head = f"POST /v1/readings HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n{lie}\r\n\r\n"
    line.sendall(head.encode() + b"0\r\n\r\n")
    line.shutdown(socket.SHUT_WR)
    assert all(400 <= status < 500 for status in statuses_in(everything_from(line)))


def chunked(*chunks: bytes) -> bytes:
    head = raw_request("/v1/readings", Content_Length="", Transfer_Encoding="chunked", Connection="close")
    return head + b"".join(chunks)


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


GOOD = json.dumps(reading()).encode()


@pytest.mark.parametrize(
    "chunks",
    [
        [chunk(GOOD), b"0\r\n\r\n"],
        [*(chunk(GOOD[i : i + 1]) for i in range(len(GOOD))), b"0\r\n\r\n"],
        [b"%X\r\n%s\r\n" % (len(GOOD), GOOD), b"0\r\n\r\n"],
        [b"%08x\r\n%s\r\n" % (len(GOOD), GOOD), b"000\r\n\r\n"],
        [b"%x;name=value\r\n%s\r\n" % (len(GOOD), GOOD), b"0\r\n\r\n"],
        [chunk(GOOD), b"0\r\nX-Trailer: 1\r\n\r\n"],
    ],
    ids=["one", "single-bytes", "capital-size", "padded-size", "extension", "trailer"],
)
def test_chunks_of_every_lawful_kind_are_understood(
    client: httpx.Client, line: socket.socket, chunks: list[bytes]
) -> None:
    line.sendall(chunked(*chunks))
    assert statuses_in(everything_from(line)) == [200]
    assert summary(client)["heart_rate"]["count"] == 1


@pytest.mark.parametrize(
    "chunks",
    [
        [chunk(GOOD)],
        [chunk(GOOD[:9]), b"0\r\n\r\n"],
        [b"0\r\n\r\n"],
        [b"zz\r\nxx\r\n0\r\n\r\n"],
        [b"-5\r\nhello\r\n0\r\n\r\n"],
        [b"\r\n\r\n"],
        [b"5\r\nhello!!\r\n0\r\n\r\n"],
        [b"ffffffffffffffff\r\nx\r\n0\r\n\r\n"],
        [b"fffffffffffffffffffffffff\r\nx\r\n0\r\n\r\n"],
        [b"0" * 100_000],
        [b"5;" + b"x" * 1_000_000 + b"\r\nhello\r\n0\r\n\r\n"],
        [chunk(b"x"), b"0\r\n" + b"X-Trailer: y\r\n" * 20_000 + b"\r\n"],
        [b"\x00\x00\r\n\r\n"],
    ],
    ids=[
        "no-end",
        "half-a-body",
        "nothing",
        "no-number",
        "negative",
        "no-size",
        "longer-than-said",
        "64-bit",
        "100-bit",
        "endless-size",
        "long-extension",
        "many-trailers",
        "nul-size",
    ],
)
def test_chunks_of_every_other_kind_end_in_a_refusal(client: httpx.Client, base_url: str, chunks: list[bytes]) -> None:
    with dial(base_url) as line:
        try:
            line.sendall(chunked(*chunks))
            line.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it may hang up before we are done
        assert all(400 <= status < 500 for status in statuses_in(everything_from(line)))
    assert client.get("/v1/users/ada/latest").status_code == 404


@pytest.mark.parametrize(
    "noise",
    [
        b"\x00" * 1000 + b"\r\n\r\n",
        b"\r\n" * 1000,
        b"GET\r\n\r\n",
        b"GET /health\r\n\r\n",
        b"GET /health HTTP/9.9\r\n\r\n",
        b"GET /health HTTP/1.1\r\n\r\n",
        b"get /health http/1.1\r\nHost: test\r\n\r\n",
        b"GET  /health  HTTP/1.1\r\nHost: test\r\n\r\n",
        b"GET /\xff\xfe\x00 HTTP/1.1\r\nHost: test\r\n\r\n",
        b"GET http://elsewhere/health HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n",
        b"GET * HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n",
        b"GET //health HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n",
        b"GET health HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n",
        b"GET /../../etc/passwd HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n",
        b"GET /docs/../../../etc/passwd HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n",
        b"CONNECT elsewhere:443 HTTP/1.1\r\nHost: elsewhere:443\r\nConnection: close\r\n\r\n",
        b"TRACE / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n",
        b"NONSENSE /health HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: test\r\nno-colon\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: test\r\n folded: header\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: te\x00st\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: test\r\nX: \xff\xfe\xfd\r\nConnection: close\r\n\r\n",
        b"GET /health HTTP/1.1\nHost: test\nConnection: close\n\n",
        b"GET /ws HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"GET /ws HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: test\r\nUpgrade: h2c\r\nConnection: Upgrade, close\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
        b"\x00\x00\x00\x08\x04\xd2\x16/",
        b"\xff\xd8\xff\xe0" + bytes(range(256)) * 10,
    ],
)
def test_noise_on_the_port_ends_calmly(base_url: str, noise: bytes) -> None:
    with dial(base_url) as line:
        try:
            line.sendall(noise)
            line.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it may hang up before we are done
        assert all(status < 500 for status in statuses_in(everything_from(line)))


@pytest.mark.parametrize(
    "flood",
    [
        b"".join(b"X-%d: %s\r\n" % (n, b"y" * 50) for n in range(20_000)),
        b"X: " + b"y" * 2**20 + b"\r\n",
        b"X" * 2**20 + b": y\r\n",
        b"Cookie: a=b\r\n" * 50_000,
        b"Accept-Encoding: " + b"gzip;q=0.1," * 5000 + b"\r\n",
        b"Content-Type: application/json\r\n" * 5000,
    ],
    ids=["many", "long-value", "long-name", "repeated", "long-list", "repeated-type"],
)
def test_a_flood_of_headers_ends_calmly(base_url: str, flood: bytes) -> None:
    with dial(base_url) as line:
        try:
            line.sendall(b"GET /health HTTP/1.1\r\nHost: test\r\nConnection: close\r\n" + flood + b"\r\n")
            line.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it may hang up before we are done
        assert all(status < 500 for status in statuses_in(everything_from(line)))


def test_a_long_url_ends_calmly(base_url: str) -> None:
    for target in (
        b"/" + b"a" * 2**20,
        b"/" * 100_000,
        b"/metrics?" + b"user_id=1&" * 100_000,
        b"/v1/users/" + b"%41" * 50_000 + b"/summary",
    ):
        with dial(base_url) as line:
            try:
                line.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
                line.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # it may hang up before we are done
            assert all(status < 500 for status in statuses_in(everything_from(line)))


def test_requests_sent_in_one_breath_are_answered_in_order(client: httpx.Client, line: socket.socket) -> None:
    bodies = [json.dumps(reading(f"10:00:0{n}")).encode() for n in range(5)]
    breath = b"".join(raw_request("/v1/readings", body) for body in bodies)
    line.sendall(
        breath + raw_request("/nothing", method="GET") + raw_request("/health", method="GET", Connection="close")
    )
    assert statuses_in(everything_from(line)) == [200] * 5 + [404, 200]
    assert summary(client)["heart_rate"]["count"] == 5


def test_a_client_may_ask_whether_to_go_on(line: socket.socket) -> None:
    request = raw_request("/v1/readings", GOOD, Expect="100-continue", Connection="close")
    line.sendall(request[: -len(GOOD)])
    assert statuses_in(line.recv(65536)) == [100]
    line.sendall(GOOD)
    assert statuses_in(everything_from(line)) == [200]


def test_an_attack_from_many_sides_leaves_good_clients_served(client: httpx.Client) -> None:
    """Eight hostile senders and one good one at the same time."""
    hostile = [
        STRANGE["deep-arrays"],
        STRANGE["deep-objects"],
        NOT_JSON["binary"],
        STRANGE["many-empty-objects"],
    ]

    def attack(turn: int) -> int:
        with httpx.Client(base_url=client.base_url, timeout=PATIENCE) as other:
            answers = [send(other, path, hostile[turn % 4]) for path in WRITES]
        return max(answer.status_code for answer in answers)

    with ThreadPoolExecutor(8) as pool:
        attacks = [pool.submit(attack, turn) for turn in range(16)]
        for second in range(10):
            assert client.post("/v1/readings", json=reading(f"10:00:0{second}"), timeout=PATIENCE).status_code == 200
        assert max(attack.result(timeout=60) for attack in attacks) < 500
    assert summary(client)["heart_rate"]["count"] == 10
