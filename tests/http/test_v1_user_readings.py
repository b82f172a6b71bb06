"""GET /v1/users/{user_id}/readings: pages of JSON, and streams of CSV and NDJSON."""

import csv
import io
import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from tests.support.service_process import running_service
from tests.support.wire import errors_of, in_path, moment, reading, refused, strict_json

THE_DAY = {"start": moment("00:00:00"), "end": moment("23:59:59")}
CSV, NDJSON = "text/csv", "application/x-ndjson"
LONG = 100_000  # readings, 11 MB of NDJSON: more than sockets buffer


def path(user_id: str = "ada") -> str:
    return f"/v1/users/{in_path(user_id)}/readings"


def asked(client: httpx.Client, user_id: str = "ada", accept: str = "*/*", **more: Any) -> httpx.Response:
    answer = client.get(path(user_id), params=THE_DAY | more, headers={"accept": accept})
    assert answer.status_code == 200, answer.text
    return answer


def pages(client: httpx.Client, **more: Any) -> list[list[dict[str, Any]]]:
    found = []
    for _ in range(100):
        body = strict_json(asked(client, **more).text)
        found.append(body["readings"])
        if body["next_cursor"] is None:
            return found
        more["cursor"] = body["next_cursor"]
    raise AssertionError("the pages have no end")


def fill(client: httpx.Client, user_id: str = "ada") -> list[dict[str, Any]]:
    """Store readings of every kind; return them in the order in which they are told."""
    devices = ["phone", "a b", 'quo"te', "ü", "comma,", "line\nbreak", "back\\slash", "=1+1", "\\."]
    metrics = [
        {"heart_rate": 61.123456},
        {"steps": 0},
        {"calories": 0.1},
        {"heart_rate": 75, "steps": 3, "calories": 1e4},
    ]
    items = [
        reading(f"10:00:0{n % 4}{fraction}", user_id, device_id=device, **metrics[n % 4])
        for n, device in enumerate(devices)
        for fraction in ("", ".5", ".000001")
    ]
    assert client.post("/v1/readings", json=items).json()["inserted"] == len(items)
    told = [{"timestamp": item["timestamp"], "device_id": item["device_id"]} for item in items]
    for said, item in zip(told, items, strict=True):
        said |= {name: item.get(name) for name in ("heart_rate", "steps", "calories")}
    return sorted(told, key=lambda said: (datetime.fromisoformat(said["timestamp"]), said["device_id"]))


def test_a_page_tells_readings_as_they_were_sent(client: httpx.Client) -> None:
    client.post("/v1/readings", json=[reading("10:00:01", steps=7), reading("10:00:00.25", device_id="phone")])
    assert strict_json(asked(client).text) == {
        "user_id": "ada",
        "readings": [
            {
                "timestamp": moment("10:00:00.25"),
                "device_id": "phone",
                "heart_rate": 75.0,
                "steps": None,
                "calories": None,
            },
            {"timestamp": moment("10:00:01"), "device_id": "default", "heart_rate": None, "steps": 7, "calories": None},
        ],
        "next_cursor": None,
    }


def test_pages_follow_each_other_and_miss_nothing(client: httpx.Client) -> None:
    told = fill(client)
    for limit in (1, 4, 26, 27, 28):
        found = pages(client, limit=limit)
        assert [said for page in found for said in page] == told
        assert {len(page) for page in found[:-1]} <= {limit}


def test_the_range_excludes_its_end_and_a_device_may_be_named(client: httpx.Client) -> None:
    client.post("/v1/readings", json=[reading(f"10:00:0{n}", device_id=d) for n in range(4) for d in ("x", "y")])
    edges = {"start": moment("10:00:01"), "end": moment("10:00:03")}
    found = asked(client, **edges).json()["readings"]
    assert [(said["timestamp"][17:19], said["device_id"]) for said in found] == [
        ("01", "x"),
        ("01", "y"),
        ("02", "x"),
        ("02", "y"),
    ]
    for accept in ("*/*", CSV, NDJSON):
        answer = asked(client, accept=accept, device_id="y", **edges)
        assert answer.text.count(moment("10:00:0")[:18]) == 2
        assert '"x"' not in answer.text


@pytest.mark.parametrize("user_id", ["ada", 'a,"b', "a\\b", "ü/ß 日本", "line\nbreak", "%s{}"])
def test_streams_say_the_same_as_pages(client: httpx.Client, user_id: str) -> None:
    told = [{"user_id": user_id, **said} for said in fill(client, user_id)]
    lines = asked(client, user_id, NDJSON)
    assert lines.headers["content-type"] == NDJSON
    assert lines.text.endswith("\n")
    assert [strict_json(line) for line in lines.text.split("\n")[:-1]] == told
    table = asked(client, user_id, CSV)
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    assert table.headers["content-disposition"] == 'attachment; filename="readings.csv"'
    assert "accept" in table.headers["vary"].lower()
    rows = list(csv.DictReader(io.StringIO(table.text, newline="")))
    assert list(rows[0]) == ["user_id", "device_id", "timestamp", "heart_rate", "steps", "calories"]
    numbers = ("heart_rate", "steps", "calories")
    assert [row | {name: float(row[name]) if row[name] else None for name in numbers} for row in rows] == told


def test_a_stream_is_all_of_the_range(client: httpx.Client, db: psycopg.Connection) -> None:
    store_many(db, LONG)
    for accept, count in ((CSV, LONG + 1), (NDJSON, LONG)):
        answer = asked(client, accept=accept, limit=1, start="2024-01-14T00:00:00Z", end="2024-01-17T00:00:00Z")
        assert answer.text.count("\n") == count
        assert "content-length" not in answer.headers


def test_what_a_stream_says_can_be_sent_again(client: httpx.Client) -> None:
    fill(client)
    lines = asked(client, accept=NDJSON).text.splitlines()
    receipt = client.post("/v1/readings", json=[json.loads(line) for line in lines]).json()
    assert (receipt["received"], receipt["unchanged"]) == (27, 27)


@pytest.mark.parametrize("accept", ["*/*", CSV, NDJSON])
def test_a_range_without_readings_is_a_404(client: httpx.Client, accept: str) -> None:
    client.post("/v1/readings", json=reading())
    elsewhere = {"start": moment("11:00:00"), "end": moment("12:00:00")}
    for answer in (
        client.get(path(), params=elsewhere, headers={"accept": accept}),
        client.get(path("nobody"), params=THE_DAY, headers={"accept": accept}),
        client.get(path(), params=THE_DAY | {"device_id": "nothing"}, headers={"accept": accept}),
    ):
        refused(answer, 404)


@pytest.mark.parametrize("accept", ["text/html", "image/png", "text/csv;q=0", "nonsense"])
def test_another_format_is_a_406(visitor: httpx.Client, accept: str) -> None:
    problem = refused(visitor.get(path(), params=THE_DAY, headers={"accept": accept}), 406)
    assert CSV in problem["detail"]


def test_the_head_of_a_stream_has_no_body(client: httpx.Client) -> None:
    client.post("/v1/readings", json=reading())
    answer = client.head(path(), params=THE_DAY, headers={"accept": CSV})
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, f"{CSV}; charset=utf-8", b"")
    assert client.head(path("nobody"), params=THE_DAY, headers={"accept": CSV}).status_code == 404


def test_a_stream_is_compressed_on_request(client: httpx.Client) -> None:
    fill(client)
    answer = client.get(path(), params=THE_DAY, headers={"accept": CSV, "accept-encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.text == asked(client, accept=CSV).text


@pytest.mark.parametrize("cursor", ["nonsense", "WyJhIl0=", "WyJhIiwiYiJd"])
def test_a_cursor_of_ones_own_making_is_a_422(visitor: httpx.Client, cursor: str) -> None:
    for accept in ("*/*", CSV):
        answer = visitor.get(path(), params=THE_DAY | {"cursor": cursor}, headers={"accept": accept})
        (error,) = errors_of(answer, 422)
        assert error["at"] == "cursor"


# Clients that are slow, or leave -----------------------------------------------------------------------------


def store_many(db: psycopg.Connection, count: int) -> None:
    """Store a reading each second, past the service, which is quicker."""
    db.execute("INSERT INTO api.readings (user_id, ts, steps) VALUES ('ada', '2024-01-15T00:00Z', 1)")
    db.execute(
        "INSERT INTO core.reading (user_key, device_key, ts, steps) SELECT r.user_key, r.device_key, "
        "r.ts + n * INTERVAL '1 second', 1 FROM core.reading AS r, generate_series(1, %s) AS n",
        [count - 1],
    )


@contextmanager
def stalled(base_url: str, question: str | None = None) -> Iterator[socket.socket]:
    """Ask for all readings and take only the first bytes of the answer."""
    host, port = urlsplit(base_url).netloc.split(":")
    question = question or f"{path()}?start=2024-01-14T00:00:00Z&end=2024-01-17T00:00:00Z"
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.connect((host, int(port)))
        line.sendall(f"GET {question} HTTP/1.1\r\nHost: localhost\r\nAccept: {NDJSON}\r\n\r\n".encode())
        assert line.recv(12) == b"HTTP/1.1 200"
        yield line


def used(client: httpx.Client) -> int:
    """Read how many connections of the pool are in use."""
    (line,) = [text for text in client.get("/prometheus").text.splitlines() if '_connections{state="used"}' in text]
    return int(float(line.split()[-1]))


def test_a_stream_that_is_left_gives_its_connection_back(
    client: httpx.Client, base_url: str, db: psycopg.Connection
) -> None:
    store_many(db, LONG)
    with stalled(base_url):
        pass
    given_back(client)
    assert asked(client, accept=CSV).text.count("\n") == 86_400


def given_back(client: httpx.Client) -> None:
    """Wait until no connection is in use."""
    deadline = time.monotonic() + 10
    while used(client):
        assert time.monotonic() < deadline, "a connection was not given back"


def test_streams_are_bounded(client: httpx.Client, database_url: str, db: psycopg.Connection) -> None:
    store_many(db, LONG)
    with running_service(database_url, MAX_STREAMS="2") as url, ExitStack() as lines:
        for _ in range(2):
            lines.enter_context(stalled(url))
        refusal = httpx.get(url + path(), params=THE_DAY, headers={"accept": CSV})
        refused(refusal, 503)
        assert int(refusal.headers["retry-after"]) > 0


@pytest.mark.parametrize("question", [None, "/v1/users/ada/export"], ids=["readings", "export"])
def test_slow_readers_of_streams_hold_nobody_up(
    client: httpx.Client, base_url: str, db: psycopg.Connection, question: str | None
) -> None:
    """Each had a connection to the database; of the embedded one, the only one."""
    store_many(db, LONG)
    with ExitStack() as lines:
        for _ in range(5):
            lines.enter_context(stalled(base_url, question))
        begun = time.monotonic()
        given_back(client)
        assert len(asked(client, limit=5).json()["readings"]) == 5
        assert client.post("/v1/readings", json=reading("23:00:00", "eve")).json()["inserted"] == 1
        assert asked(client, accept=CSV).text.count("\n") == 86_400
        assert time.monotonic() - begun < 10


def test_a_stream_that_is_written_to_has_each_reading_once(
    client: httpx.Client, base_url: str, db: psycopg.Connection
) -> None:
    """What was there when it began is in it; what comes behind where it is, or goes, changes nothing else."""
    store_many(db, 80_000)
    with stalled(base_url) as line:
        db.execute("DELETE FROM api.readings WHERE user_id = 'ada' AND ts < '2024-01-15T00:00:10Z'")
        db.execute("INSERT INTO api.readings (user_id, ts, steps) VALUES ('ada', '2024-01-14T23:00Z', 1)")
        taken = b""
        while not taken.endswith(b"\r\n0\r\n\r\n"):
            piece = line.recv(2**20)
            assert piece, "the answer was cut off"
            taken += piece
    assert taken.count(b'"timestamp"') == 80_000


def test_a_stream_may_take_longer_than_a_statement(
    client: httpx.Client, database_url: str, db: psycopg.Connection
) -> None:
    store_many(db, LONG)
    with running_service(database_url, STATEMENT_SECONDS="1") as url, stalled(url) as line:
        time.sleep(1.5)
        taken = b""
        while not taken.endswith(b"\r\n0\r\n\r\n"):
            piece = line.recv(2**20)
            assert piece, "the answer was cut off"
            taken = taken[-10:] + piece
