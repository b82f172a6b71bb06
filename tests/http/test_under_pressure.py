"""What writes meet when others are in the way: erased names, held rows, too much at once."""

from __future__ import annotations

import json
import select
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import httpx
import psycopg
import pytest

from tests.support.service_process import running_service
from tests.support.wire import (
    dial,
    everything_from,
    post,
    raw_request,
    reading,
    refused,
    statuses_in,
    summary,
)

PATH = "/v1/readings"
ERASE = """
    LOCK TABLE core.horizon_lock IN EXCLUSIVE MODE;
    UPDATE core.names_version SET version = version + 1;
    DELETE FROM core.reading;
    DELETE FROM core.app_user
"""


@pytest.mark.parametrize("merging", [False, True])
def test_keys_of_erased_people_are_forgotten(client: httpx.Client, db: psycopg.Connection, merging: bool) -> None:
    """A process that knows a user's key does not use it once the user was erased."""
    for _ in range(2 if merging else 1):  # what comes twice is merged, and so is what follows
        post(client, PATH, reading(heart_rate=70))
    with db.transaction():
        db.execute(ERASE)
    post(client, PATH, reading("10:00:01", heart_rate=80))
    post(client, PATH, [reading("10:00:02", heart_rate=80), reading("10:00:02", user_id="bob", heart_rate=60)])
    assert summary(client)["heart_rate"] == {"count": 2, "avg": 80.0, "min": 80.0, "max": 80.0}
    assert summary(client, "bob")["heart_rate"]["count"] == 1
    strangers = db.execute(
        "SELECT count(*) FROM core.reading WHERE user_key NOT IN (SELECT user_key FROM core.app_user)"
    )
    assert strangers.fetchone() == (0,)


@pytest.mark.native
def test_a_reading_that_somebody_holds_keeps_only_its_own_request_waiting(
    database_url: str, client: httpx.Client, db: psycopg.Connection
) -> None:
    post(client, PATH, reading(heart_rate=70))
    with running_service(database_url, LOCK_SECONDS="1") as url, ThreadPoolExecutor(1) as pool:
        with psycopg.connect(database_url) as holder:
            holder.execute("UPDATE core.reading SET heart_rate = 71")
            held = pool.submit(httpx.post, url + PATH, json=reading(heart_rate=72), timeout=30)
            for second in range(1, 6):
                answer = httpx.post(url + PATH, json=reading(f"10:00:0{second}", heart_rate=60), timeout=30)
                assert answer.status_code == 200, answer.text
            answer = held.result(30)
            refused(answer, 503)
            assert answer.headers["retry-after"]
            holder.rollback()
        assert httpx.post(url + PATH, json=reading(heart_rate=72), timeout=30).json()["updated"] == 1


def test_too_many_bytes_at_once_are_refused_at_once(database_url: str, client: httpx.Client) -> None:
    head = "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {}\r\nTransfer-Encoding: chunked\r\n\r\n"
    with running_service(database_url, MAX_BYTES_IN_FLIGHT="2100000") as url, dial(url) as first:
        # So much that it counts as a stream, with what a stream may hold.
        first.sendall(head.format(PATH, "application/x-ndjson").encode() + b'11170\r\n{"use%b\r\n' % (b" " * 69_995))
        deadline = time.monotonic() + 10
        while True:
            answer = httpx.post(url + PATH, content=b"x" * 10_000, headers={"content-type": "text/csv"}, timeout=30)
            if answer.status_code == 503:
                break
            assert time.monotonic() < deadline, answer.text
        assert answer.headers["retry-after"]
        assert httpx.post(url + PATH, json=reading(), timeout=30).status_code == 200
        first.sendall(b"1\r\n\n\r\n0\r\n\r\n")
        assert first.recv(65536).startswith(b"HTTP/1.1 422")
        answer = httpx.post(url + PATH, content=b"x", headers={"content-type": "text/csv"}, timeout=30)
        assert answer.status_code == 422


@pytest.mark.parametrize("path", [PATH, "/ingest", "/metrics/heart-rate/batch"])
def test_what_finds_no_room_is_refused_before_it_is_sent(
    database_url: str, client: httpx.Client, db: psycopg.Connection, path: str
) -> None:
    """The connection stays of use: what the client sends all the same is passed over."""
    many = [reading(f"10:{n // 60:02}:{n % 60:02}") for n in range(90)]
    unsent = b" " * 25_000
    head = raw_request(path, unsent).removesuffix(unsent)
    with running_service(database_url, MAX_QUEUED_READINGS="100") as url, ThreadPoolExecutor(1) as pool:
        httpx.post(url + PATH, json=reading(), timeout=30)
        with psycopg.connect(database_url) as holder:
            holder.execute("LOCK TABLE core.horizon_lock IN EXCLUSIVE MODE")
            held = pool.submit(httpx.post, url + PATH, json=many, timeout=30)
            answer, deadline = b"", time.monotonic() + 4  # a lock is waited for longer
            while not answer:  # until those wait
                assert time.monotonic() < deadline
                with dial(url) as line:
                    line.settimeout(0.3)
                    line.sendall(head)
                    with suppress(TimeoutError):
                        answer = line.recv(65536)
                        line.sendall(unsent + b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                        line.settimeout(30)
                        answer += everything_from(line)
            holder.rollback()
        assert statuses_in(answer) == [503, 200]
        assert b"\nretry-after: 1\r\n" in answer.lower()
        assert b"90 readings wait" in answer
        assert held.result(30).json()["inserted"] == 89


@pytest.mark.parametrize("bad", [0, 1])
def test_a_batch_in_pieces_is_one_receipt(client: httpx.Client, base_url: str, bad: int) -> None:
    """Some 200 kB, of which the service has the first half before the second is sent; a bad one is for the model."""
    batch = [reading(f"10:{n // 60:02}:{n % 60:02}", user_id=f"ada-{n % 7}", steps=n) for n in range(2000)]
    batch += [reading(heart_rate=900)] * bad
    request = raw_request(PATH, json.dumps(batch).encode(), Connection="close")
    with dial(base_url) as line:
        line.sendall(request[: len(request) // 2])
        assert client.get("/health").status_code == 200
        line.sendall(request[len(request) // 2 :])
        head, _, body = everything_from(line).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), head
    said = json.loads(body)
    assert (said["received"], said["inserted"], said["rejected"]) == (2000 + bad, 2000, bad)
    assert [error["at"] for error in said["errors"]] == ["readings[2000].heart_rate"] * bad


def test_a_batch_that_does_not_go_on_is_given_up(database_url: str) -> None:
    body = json.dumps([reading(steps=n) for n in range(2000)]).encode()
    request = raw_request(PATH, body)
    with running_service(database_url, BODY_IDLE_SECONDS="1") as url, dial(url) as one, dial(url) as other:
        one.sendall(request[:-1])
        other.sendall(request[: -len(body)])
        for line in (one, other):
            assert statuses_in(everything_from(line)) == [408]


def test_too_many_requests_at_once_are_refused_at_once(database_url: str, client: httpx.Client) -> None:
    with running_service(database_url, MAX_REQUESTS="2") as url, httpx.Client(base_url=url, timeout=30) as visitor:
        visitor.post(PATH, json=reading())
        with psycopg.connect(database_url) as holder, dial(url) as first, dial(url) as second:
            holder.execute("LOCK TABLE core.horizon_lock IN EXCLUSIVE MODE")
            requests = {
                line: raw_request(PATH, json.dumps(reading(user_id=name)).encode())
                for line, name in ((first, "ann"), (second, "bea"))
            }
            outside = list(requests)
            deadline = time.monotonic() + 4  # a lock is waited for longer
            answer = httpx.Response(200)
            while answer.status_code == 200:
                assert time.monotonic() < deadline
                for line in outside:
                    line.sendall(requests[line])
                # The visitor's question takes a place too: a write that arrives meanwhile is refused, and comes again.
                outside = select.select(list(requests), [], [], 0.1)[0]
                assert [statuses_in(line.recv(65536)) for line in outside] == [[503]] * len(outside)
                answer = visitor.get("/docs")
            refused(answer, 503)
            assert answer.headers["retry-after"]
            assert visitor.get("/health").status_code == 200
            holder.rollback()
            assert [statuses_in(line.recv(65536)) for line in (first, second)] == [[200], [200]]
        assert visitor.get("/v1/users").status_code == 200


@pytest.mark.parametrize("media_type", ["application/json", "text/csv"])
def test_bodies_that_trickle_in_keep_nobody_out(database_url: str, client: httpx.Client, media_type: str) -> None:
    """A byte now and then for each of many requests: the service had no room for any other."""
    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {media_type}\r\nContent-Length: 1000\r\n\r\n"
    begun = head.encode()
    with running_service(database_url, MAX_REQUESTS="10", BODY_IDLE_SECONDS="3") as url, ExitStack() as until_the_end:
        lines = [until_the_end.enter_context(dial(url)) for _ in range(10)]
        for line in lines:
            line.sendall(begun)
        for _ in range(3):  # until each is known as a slow one
            time.sleep(0.5)
            for line in lines:
                line.sendall(b"x")
        assert httpx.get(url + "/v1/users", timeout=30).status_code == 200
        assert httpx.post(url + PATH, json=reading(), timeout=30).status_code == 200
        for line in lines:
            assert statuses_in(everything_from(line)) == [408]


def test_idle_connections_take_no_files_from_others(database_url: str) -> None:
    """Where the system allows 512 files: those beyond were reset, and so was everyone."""
    with running_service(database_url, open_files=512) as url, ExitStack() as until_the_end:
        for number in range(600):
            if number % 30 == 0:
                time.sleep(0.05)  # more than wait to be accepted at once would be tried again after a second
            with suppress(OSError):
                until_the_end.enter_context(dial(url))
        for _ in range(5):
            assert httpx.get(url + "/v1/users", timeout=30).status_code == 200


def test_a_stream_may_take_long_to_be_stored(database_url: str, client: httpx.Client, db: psycopg.Connection) -> None:
    """What bounds the silence of a client does not bound the time that its readings wait for others."""
    lines = [reading(f"10:{second // 60:02}:{second % 60:02}", user_id="ada", steps=1) for second in range(3600)]
    body = "".join(json.dumps(line) + " " * 1000 + "\n" for line in lines).encode()  # of several parts
    headers = {"content-type": "application/x-ndjson"}
    with running_service(database_url, BODY_IDLE_SECONDS="1") as url, ThreadPoolExecutor(1) as pool:
        post(client, PATH, reading())
        with psycopg.connect(database_url) as holder:
            holder.execute("LOCK TABLE core.horizon_lock IN EXCLUSIVE MODE")
            held = pool.submit(httpx.post, url + PATH, content=body, headers=headers, timeout=30)
            time.sleep(2)  # longer than the client may be silent, shorter than a lock is waited for
            holder.rollback()
        answer = held.result(30)
    assert (answer.status_code, answer.json()["received"]) == (200, 3600), answer.text
