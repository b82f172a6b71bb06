"""POST /v1/readings as NDJSON, CSV and arrays too large for one piece: streamed, and receipts that tell the truth."""

from __future__ import annotations

import csv
import gzip
import io
import json
import select
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import psycopg
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.model.reading import METRICS
from tests.support.wire import dial, moment, reading, refused, strict_json

PATH = "/v1/readings"
NDJSON = "application/x-ndjson"
CSV = "text/csv"
COLUMNS = ["user_id", "device_id", "timestamp", "heart_rate", "steps", "calories"]


def ndjson(items: list[Any]) -> bytes:
    return "".join(json.dumps(item) + "\n" for item in items).encode()


def as_csv(items: list[dict[str, Any]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(items)
    return text.getvalue().encode()


def send(client: httpx.Client, body: Any, media_type: str, **asked: Any) -> httpx.Response:
    headers = {"content-type": media_type} | asked.pop("headers", {})
    return client.post(PATH, content=body, headers=headers, params=asked)


def counts(answer: httpx.Response) -> tuple[int, ...]:
    told = strict_json(answer.text)
    return tuple(told[name] for name in ("received", "inserted", "updated", "unchanged", "rejected"))


def second(number: int) -> str:
    return f"{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}"


def many(count: int, user_id: str = "ada") -> list[dict[str, Any]]:
    return [reading(second(n), user_id, heart_rate=60 + n % 100, steps=n % 7) for n in range(count)]


@pytest.mark.parametrize(
    ("write", "media_type"), [(ndjson, NDJSON), (as_csv, CSV), (as_csv, "text/csv; charset=utf-8")]
)
def test_a_stream_is_stored(client: httpx.Client, write: Callable[[Any], bytes], media_type: str) -> None:
    said = [
        reading(),
        reading("10:00:01", user_id="bob", steps=5, device_id="watch"),
        reading("10:00:02", calories=1.5),
    ]
    assert counts(send(client, write(said), media_type)) == (3, 3, 0, 0, 0)
    assert counts(client.post(PATH, json=said)) == (3, 0, 0, 3, 0)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
@pytest.mark.parametrize(("write", "media_type"), [(ndjson, NDJSON), (as_csv, CSV)])
def test_a_stream_in_several_pieces_is_one_receipt(
    client: httpx.Client, db: psycopg.Connection, write: Callable[[Any], bytes], media_type: str, encoding: str
) -> None:
    said = many(17_000 if media_type == CSV else 9000)
    count, known = len(said), len(said) - 1000
    body = write(said)
    packed = gzip.compress(body) if encoding == "gzip" else zstandard.compress(body)
    assert len(body) > 512 * 1024
    assert counts(send(client, packed, media_type, headers={"content-encoding": encoding})) == (count, count, 0, 0, 0)
    changed = [*said[:known], *(one | {"steps": 9} for one in said[known:])]
    assert counts(send(client, write(changed), media_type)) == (count, 0, 1000, known, 0)
    row = db.execute("SELECT count(*), sum(steps) FROM api.readings").fetchone()
    assert row == (count, sum(one["steps"] for one in changed))


@pytest.mark.parametrize("named", [True, False])
def test_a_large_array_is_stored_in_pieces(client: httpx.Client, named: bool) -> None:
    said = [*many(25_000), reading("12:00:00", heart_rate=900)]
    body = json.dumps({"readings": said} if named else said)
    assert len(body) > 2 * 1024 * 1024
    answer = send(client, body, "application/json")
    assert counts(answer) == (25_001, 25_000, 0, 0, 1)
    assert answer.json()["errors"] == [
        {"at": "readings[25000].heart_rate", "problem": "must be between 30 and 220", "value": 900}
    ]


def test_a_large_array_that_breaks_off_keeps_what_was_stored(client: httpx.Client, db: psycopg.Connection) -> None:
    body = json.dumps(many(25_000))
    problem = refused(send(client, body[:-1], "application/json"), 400)
    row = db.execute("SELECT count(*) FROM api.readings").fetchone()
    assert row is not None
    assert 0 < row[0] < 25_000
    assert f"{row[0]} readings from before are stored" in problem["detail"]
    assert counts(send(client, body, "application/json")) == (25_000, 25_000 - row[0], 0, row[0], 0)


def test_bad_lines_are_named(client: httpx.Client) -> None:
    lines = [json.dumps(reading()), "", "{", json.dumps(reading("10:00:01", heart_rate=900)), "7", "  "]
    answer = send(client, "\r\n".join(lines).encode(), NDJSON)
    assert counts(answer) == (4, 1, 0, 0, 3)
    assert [error["at"] for error in answer.json()["errors"]] == ["line 3", "line 4.heart_rate", "line 5"]


def test_a_line_is_one_reading_whatever_is_beside_it(client: httpx.Client) -> None:
    one, two = json.dumps(reading("10:00:00")), json.dumps(reading("10:00:01"))
    in_two_lines = one.replace(", ", ",\n", 1)
    assert counts(send(client, f"{one}{two}\n".encode(), NDJSON)) == (1, 0, 0, 0, 1)
    assert counts(send(client, f"{one}{two}\nbad\n".encode(), NDJSON)) == (2, 0, 0, 0, 2)
    assert counts(send(client, f"{in_two_lines}\n".encode(), NDJSON)) == (2, 0, 0, 0, 2)
    # As many objects as lines.
    assert counts(send(client, f"{one}{two}\n{in_two_lines}".encode(), NDJSON)) == (3, 0, 0, 0, 3)
    assert counts(send(client, f"\r\n {one} \r\n\r\n{two}".encode(), NDJSON)) == (2, 2, 0, 0, 0)


def test_bad_rows_are_named(client: httpx.Client) -> None:
    rows = [
        "timestamp,user_id,heart_rate,steps",
        f"{moment()},ada,70,",
        f"{moment()},ada,seventy,",
        f"{moment()},ada",
        f"{moment()},ada,,",
        f'{moment()},"of two\nlines",,7.5',
        f"{moment()},ada,nan,",
        f"{moment()},,70,1",
    ]
    answer = send(client, "\n".join(rows).encode(), CSV)
    assert counts(answer) == (7, 1, 0, 0, 6)
    told = {error["at"]: error["problem"] for error in answer.json()["errors"]}
    assert told == {
        "line 3.heart_rate": "must be a number",
        "line 4": "has 2 fields, the header 4",
        "line 5": "must carry at least one metric, such as heart_rate, steps or calories",
        "line 6.steps": "must be a whole number",
        "line 8.heart_rate": "must be a number",
        "line 9.user_id": "is required",
    }


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"user_id,timestamp\n", 422),
        (b"user,timestamp,steps\nada,2024-01-15T10:00:00Z,1\n", 422),
        (b"user_id,timestamp,steps,steps\n", 422),
        (b'user_id,timestamp,steps\n"ada,2024-01-15T10:00:00Z,1\n', 400),
        (b"user_id,timestamp,st\xffeps\nada,2024-01-15T10:00:00Z,1\n", 422),
        (b"user_id|timestamp|steps\nada|2024-01-15T10:00:00Z|1\n", 422),
        ("user_id,timestamp,steps\nada,2024-01-15T10:00:00Z,1\n".encode("utf-16"), 400),
        (b"a" * 3_000_000, 413),
    ],
)
def test_what_is_no_table_is_refused(visitor: httpx.Client, body: bytes, status: int) -> None:
    refused(send(visitor, body, CSV), status)


AT = moment()


@pytest.mark.parametrize(
    "table",
    [
        f"user_id,ts,steps\nada,{AT},72\n",
        f"\ufeff User_ID , TIMESTAMP,Steps\r\nada, {AT} , 72\r\n",
        f"user_id;timestamp;steps;calories\nada;{AT};+72;0,5\n",
        f"user_id\ttimestamp\tsteps\rada\t{AT}\t72.0\r",
        f'"user_id","timestamp","steps"\n\n"ada","{AT}","72"\n',
    ],
)
def test_dialects_of_csv(client: httpx.Client, table: str) -> None:
    assert counts(send(client, table.encode(), CSV)) == (1, 1, 0, 0, 0)
    assert client.get("/v1/users/ada/latest").json()["steps"]["value"] == 72


def test_a_row_that_is_not_utf_8_is_rejected_alone(client: httpx.Client) -> None:
    table = f"user_id,timestamp,steps\nzo\xeb,{AT},1\nada,{AT},1\n".encode("latin-1")
    answer = send(client, table, CSV)
    assert counts(answer) == (2, 1, 0, 0, 1)
    assert answer.json()["errors"] == [{"at": "line 2", "problem": "is not UTF-8", "value": None}]


@pytest.mark.parametrize(("body", "status"), [(b"", 422), (b"\n\n", 422), (b"a" * 3_000_000, 413)])
def test_what_has_no_lines_is_refused(visitor: httpx.Client, body: bytes, status: int) -> None:
    refused(send(visitor, body, NDJSON), status)


@pytest.mark.parametrize(("write", "media_type"), [(ndjson, NDJSON), (as_csv, CSV)])
def test_atomic_holds_for_streams(
    client: httpx.Client, db: psycopg.Connection, write: Callable[[Any], bytes], media_type: str
) -> None:
    said = many(6000)
    bad = [*said, reading("12:00:00", steps=-1)]
    problem = refused(send(client, write(bad), media_type, atomic="true"), 422)
    assert [error["at"] for error in problem["errors"]] == [f"line {6001 + (media_type == CSV)}.steps"]
    assert db.execute("SELECT count(*) FROM api.readings").fetchone() == (0,)
    assert counts(send(client, write(said), media_type, atomic="true")) == (6000, 6000, 0, 0, 0)


def test_an_atomic_stream_has_a_limit(client: httpx.Client, db: psycopg.Connection) -> None:
    problem = refused(send(client, ndjson(many(50_001)), NDJSON, atomic="true"), 413)
    assert "50000" in problem["detail"]
    assert db.execute("SELECT count(*) FROM api.readings").fetchone() == (0,)


def test_an_atomic_stream_has_a_limit_of_samples(client: httpx.Client, db: psycopg.Connection) -> None:
    metrics = [one for one in client.get("/v1/metrics").json()["metrics"] if one["name"] not in METRICS]
    header = ",".join(["user_id", "timestamp", *(metric["name"] for metric in metrics)])
    values = ",".join(str(metric["highest"]) for metric in metrics)
    table = "\n".join([header, *(f"ada,{one['timestamp']},{values}" for one in many(5000))]).encode()
    assert len(metrics) > 200_000 / 5000
    problem = refused(send(client, table, CSV, atomic="true"), 413)
    assert "50000 readings with 200000 values of other metrics" in problem["detail"]
    assert db.execute("SELECT count(*) FROM api.samples").fetchone() == (0,)


def test_a_broken_upload_keeps_what_was_stored(client: httpx.Client, base_url: str, db: psycopg.Connection) -> None:
    body = ndjson(many(12_000))
    with dial(base_url) as line:
        head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {NDJSON}\r\n"
        head += f"Content-Length: {len(body) + 1}\r\n\r\n"
        line.sendall(head.encode() + body[:-1])
    deadline = time.monotonic() + 10
    before = 0
    while not before and time.monotonic() < deadline:
        row = db.execute("SELECT count(*) FROM api.readings").fetchone()
        before = row[0] if row else 0
    assert 0 < before <= 12_000
    answer = counts(send(client, body, NDJSON))
    assert answer[0] == answer[1] + answer[3] == 12_000


@pytest.mark.parametrize("media_type", [NDJSON, CSV])
@pytest.mark.parametrize("line", [b"\n", b"\r\n", b"          \n"])
def test_a_gibibyte_of_blank_lines_is_refused_soon(client: httpx.Client, media_type: str, line: bytes) -> None:
    """The body itself has some 32 KiB."""
    bomb = zstandard.ZstdCompressor().compress(line * (2**30 // len(line)))
    assert len(bomb) < 200_000
    begun = time.monotonic()
    refused(send(client, bomb, media_type, headers={"content-encoding": "zstd"}), 413)
    assert time.monotonic() - begun < 4


@pytest.mark.parametrize("media_type", [NDJSON, CSV])
def test_uploads_that_were_left_hold_no_room(client: httpx.Client, base_url: str, media_type: str) -> None:
    """Twelve fill the room for uploads, and each has lines that take many seconds to be refused."""
    ballast = b"\x50\x2a\x4d\x18" + (200_000).to_bytes(4, "little") + bytes(200_000)  # a frame to be skipped
    lines = b"user_id,timestamp,steps\n" + (b"no reading" * 20 + b"\n") * 250_000
    bomb = ballast + zstandard.ZstdCompressor().compress(lines)
    for _ in range(12):
        with dial(base_url) as line:
            head = (
                f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {media_type}\r\nContent-Encoding: zstd\r\n"
            )
            line.sendall(f"{head}Content-Length: {len(bomb)}\r\n\r\n".encode() + bomb)
    body = ndjson(many(1000))
    deadline = time.monotonic() + 15
    while (answer := send(client, body, NDJSON)).status_code == 503:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert answer.status_code == 200, answer.text


def test_slow_uploads_hold_nobody_up(client: httpx.Client, base_url: str) -> None:
    with ExitStack() as until_the_end:
        lines = [until_the_end.enter_context(dial(base_url)) for _ in range(40)]
        for line in lines:
            head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {NDJSON}\r\n"
            head += "Transfer-Encoding: chunked\r\n\r\n"
            line.sendall(head.encode() + b'5\r\n{"us')
        assert counts(client.post(PATH, json=reading())) == (1, 1, 0, 0, 0)
        assert not select.select(lines, [], [], 0)[0]


# Receipts ---------------------------------------------------------------------------------------------------

Stored = dict[tuple[str, str, int], tuple[Any, ...]]
few = st.none() | st.integers(60, 62)
items = st.fixed_dictionaries(
    {
        "user_id": st.sampled_from(["ann", "bea"]),
        "device_id": st.sampled_from(["watch", "phone"]),
        "second": st.integers(0, 3),
        "metrics": st.tuples(few, few, few),
        "spoilt": st.sampled_from([None] * 9 + ["heart_rate"]),
    }
)
forms = st.sampled_from(["object", "array", "envelope", "ndjson", "csv", "gzip"])
histories = st.lists(st.tuples(forms, st.lists(items, min_size=1, max_size=8)), min_size=1, max_size=5)


def wanted(stored: Stored, item: dict[str, Any]) -> str:
    """Write a reading into the model and say what becomes of it."""
    if item["spoilt"] or item["metrics"] == (None, None, None):
        return "rejected"
    identity = (item["user_id"], item["device_id"], item["second"])
    before = stored.get(identity)
    pairs = zip(before or (None, None, None), item["metrics"], strict=True)
    after = tuple(old if new is None else new for old, new in pairs)
    stored[identity] = after
    return "inserted" if before is None else "unchanged" if after == before else "updated"


def written(item: dict[str, Any], history: int) -> dict[str, Any]:
    """Write a reading as it is sent."""
    metrics = dict(zip(("heart_rate", "steps", "calories"), item["metrics"], strict=True))
    said = {name: value for name, value in metrics.items() if value is not None}
    said |= {item["spoilt"]: 900} if item["spoilt"] else {}
    at = moment(f"10:00:0{item['second']}")
    return {"user_id": f"{item['user_id']}{history}", "device_id": item["device_id"], "timestamp": at} | said


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    return iter(range(1_000_000))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories)
def test_counts_equal_the_truth(client: httpx.Client, numbers: Iterator[int], history: list[Any]) -> None:
    stored: Stored = {}
    number = next(numbers)
    for form, batch in history:
        batch = batch[:1] if form == "object" else batch
        said = [written(item, number) for item in batch]
        outcomes = [wanted(stored, item) for item in batch]
        if form in ("ndjson", "gzip"):
            body, media_type = ndjson(said), NDJSON
        elif form == "csv":
            body, media_type = as_csv(said), CSV
        else:
            document = {"object": said[0], "array": said, "envelope": {"readings": said}}[form]
            body, media_type = json.dumps(document).encode(), "application/json"
        if form == "gzip":
            answer = send(client, gzip.compress(body), media_type, headers={"content-encoding": "gzip"})
        else:
            answer = send(client, body, media_type)
        told = [outcomes.count(name) for name in ("inserted", "updated", "unchanged", "rejected")]
        assert counts(answer) == (len(batch), *told), (form, said, answer.text)
