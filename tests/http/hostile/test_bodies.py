"""Bodies that are no JSON, mean nothing, or are strange: refused or met calmly, never the server's fault."""

import json
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.http.hostile import DEEP, MEGABYTES
from tests.support.wire import (
    PATIENCE,
    WRITES,
    item_of,
    reading,
    refused,
    send,
    stays_calm,
    summary,
    with_item,
    write_examples,
)

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
def test_a_byte_order_mark_before_json_is_passed_over(visitor: httpx.Client, path: str) -> None:
    body = json.dumps(write_examples()[path]).encode()
    assert send(visitor, path, b"\xef\xbb\xbf" + body).is_success


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
