"""Values that are plainly wrong are refused; what is merely strange is accepted or refused, but calmly."""

import json

import httpx
import pytest

from tests.http.hostile import DEEP, MEGABYTES
from tests.support.wire import (
    PATIENCE,
    WRITES,
    item_of,
    item_with,
    reading,
    send,
    stays_calm,
    with_item,
)

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


def kind_of(field: str) -> str:
    return "text" if field in WORDS else field


def fields_of(path: str) -> list[str]:
    return [*item_of(path)] + (["device_id", "steps", "calories"] if path == "/v1/readings" else [])


def reads_calmly(client: httpx.Client, path: str) -> None:
    """Whatever a path stored can be told."""
    ages = {"start": "0001-01-01T00:00:00Z", "end": "9999-12-31T23:59:59.999999Z"}
    told: list[tuple[str, dict[str, str]]] = []
    if "event" in path:
        tenant = {"tenant_id": "tenant_1"}
        told += [("/events", tenant), ("/metrics", tenant | {"bucket_size": "day"}), ("/v1/events", tenant | ages)]
    else:
        user = f"/v1/users/{item_of(path)['user_id']}"
        told += [(f"{user}/summary", ages), (f"{user}/latest", {}), (f"{user}/readings", ages), ("/v1/users", {})]
        for accept in ("text/csv", "application/x-ndjson"):
            stays_calm(client.get(f"{user}/readings", params=ages, headers={"accept": accept}, timeout=PATIENCE))
    for asked, query in told:
        stays_calm(client.get(asked, params=query, timeout=PATIENCE))


@pytest.mark.parametrize("path", WRITES)
def test_a_plainly_wrong_value_is_refused(client: httpx.Client, subtests: pytest.Subtests, path: str) -> None:
    for field in fields_of(path):
        with subtests.test(field=field):
            for raw in PLAINLY_WRONG[kind_of(field)]:
                answer = stays_calm(send(client, path, with_item(path, item_with(path, field, raw))))
                assert answer.status_code in (400, 413, 422), (raw[:200], answer.status_code, answer.text[:500])
    assert not client.get("/events", params={"tenant_id": "tenant_1"}).json()["total"]


@pytest.mark.parametrize("path", WRITES)
def test_a_strange_value_is_met_calmly(client: httpx.Client, subtests: pytest.Subtests, path: str) -> None:
    for field in fields_of(path):
        with subtests.test(field=field):
            for raw in MERELY_STRANGE[kind_of(field)]:
                stays_calm(send(client, path, with_item(path, item_with(path, field, raw))))
                if field == "payload":
                    reads_calmly(client, path)
            reads_calmly(client, path)


@pytest.mark.parametrize("path", WRITES)
def test_ten_megabytes_in_a_field_are_refused(client: httpx.Client, subtests: pytest.Subtests, path: str) -> None:
    long = '"' + "x" * MEGABYTES + '"'
    for field in fields_of(path):
        with subtests.test(field=field):
            raw = f'{{"page": {long}}}' if field == "payload" else long
            answer = stays_calm(send(client, path, with_item(path, item_with(path, field, raw))))
            if field != "payload":
                assert answer.status_code in (400, 413, 422), (answer.status_code, answer.text[:500])


@pytest.mark.parametrize("path", WRITES)
def test_a_field_said_twice_is_met_calmly(client: httpx.Client, subtests: pytest.Subtests, path: str) -> None:
    item = json.dumps(item_of(path))
    for field in fields_of(path):
        with subtests.test(field=field):
            for raw in ("null", "[]", '"x"', "1", json.dumps(item_of(path).get(field))):
                stays_calm(send(client, path, with_item(path, f'{item[:-1]}, "{field}": {raw}}}')))
                stays_calm(send(client, path, with_item(path, f'{{"{field}": {raw}, {item[1:]}')))
    reads_calmly(client, path)


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
