"""Connections that are slow, lie, break, or speak no HTTP."""

import json
import socket
from contextlib import ExitStack

import httpx
import pytest

from tests.support.wire import (
    PATIENCE,
    WRITES,
    dial,
    everything_from,
    raw_request,
    reading,
    statuses_in,
    summary,
    write_examples,
)


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
            stalled.enter_context(dial(base_url)).sendall(b"POST /v1/readings HTTP/1.1\r\nHost: loc")
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
    head = f"POST /v1/readings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{lie}\r\n\r\n"
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
        b"get /health http/1.1\r\nHost: localhost\r\n\r\n",
        b"GET  /health  HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /\xff\xfe\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET http://elsewhere/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"GET * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"GET //health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"GET health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"GET /docs/../../../etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"CONNECT elsewhere:443 HTTP/1.1\r\nHost: elsewhere:443\r\nConnection: close\r\n\r\n",
        b"TRACE / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"NONSENSE /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nno-colon\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\n folded: header\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: te\x00st\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: \xff\xfe\xfd\r\nConnection: close\r\n\r\n",
        b"GET /health HTTP/1.1\nHost: localhost\nConnection: close\n\n",
        b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\nConnection: Upgrade, close\r\n\r\n",
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
            line.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + flood + b"\r\n")
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
                line.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
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
