"""Whatever arrives on the port, the gateway stays up and small."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from scripts.embedded import EmbeddedServer
from tests.embedded.conftest import Connect
from tests.embedded.test_copy import resident

STARTUP = b"user\0postgres\0database\0postgres\0\0"
READY = b"Z\0\0\0\5I"
HELLO = struct.pack("!ii", 8 + len(STARTUP), 3 << 16) + STARTUP


@pytest.fixture
def server(shared_server: EmbeddedServer) -> Iterator[EmbeddedServer]:
    """The shared gateway, which must be up and not have grown afterwards."""
    before = resident(shared_server.pid)
    yield shared_server
    with psycopg.connect(shared_server.url) as one:
        assert one.execute("SELECT 1").fetchone() == (1,)
    assert resident(shared_server.pid) - before < 100_000_000


def dial(server: EmbeddedServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=15)


def read_until_ready(connection: socket.socket, times: int = 1) -> bytes:
    """Return what arrives up to the last of so many ReadyForQuery messages."""
    answer = b""
    while answer.count(READY) < times:
        part = connection.recv(65536)
        assert part, f"the connection was closed after {answer!r}"
        answer += part
    return answer


def greeted(server: EmbeddedServer) -> socket.socket:
    connection = dial(server)
    connection.sendall(HELLO)
    read_until_ready(connection)
    return connection


def is_closed(connection: socket.socket) -> bool:
    """Read to the end of the connection."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
    return True


@pytest.mark.parametrize(
    "first",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        struct.pack("!ii", 100_000_000, 3 << 16) + b"x" * 100,
        struct.pack("!ii", -5, 0),
        struct.pack("!ii", 8, 2 << 16),
        struct.pack("!ii", 8, 80877102),
        b"\0" * 1000,
        b"\xff" * 1000,
    ],
    ids=["http", "100 MB", "negative", "version 2", "short cancel", "zeros", "ones"],
)
def test_a_bad_beginning_is_ended(server: EmbeddedServer, first: bytes) -> None:
    with dial(server) as connection:
        connection.sendall(first)
        assert is_closed(connection)


@pytest.mark.parametrize(
    "sent",
    [
        b"Q" + struct.pack("!i", 2_000_000_000),
        b"Q" + struct.pack("!i", 3),
        b"Q" + struct.pack("!i", -1),
        b"Q" + struct.pack("!i", 8) + b"abcd",  # a string without an end
        b"B" + struct.pack("!i", 4),
        b"P" + struct.pack("!i", 6) + b"a\0",
        b"?" + struct.pack("!i", 4),
        os.urandom(4096),
    ],
    ids=["2 GB", "too short", "negative", "no end", "empty bind", "half parse", "unknown", "random"],
)
def test_a_bad_message_is_ended(server: EmbeddedServer, sent: bytes) -> None:
    with greeted(server) as connection:
        connection.sendall(sent + b"S\0\0\0\4")
        connection.shutdown(socket.SHUT_WR)
        assert is_closed(connection)


def test_malformed_contents_are_postgresql_s_own_errors(server: EmbeddedServer) -> None:
    bind = b"\0\0" + struct.pack("!h", 30_000)
    with greeted(server) as connection:
        connection.sendall(b"B" + struct.pack("!i", 4 + len(bind)) + bind + b"S\0\0\0\4")
        assert read_until_ready(connection).startswith(b"E")


def test_many_connections_that_say_nothing_do_not_lock_others_out(server: EmbeddedServer, connect: Connect) -> None:
    silent = [dial(server) for _ in range(1000)]
    assert connect().execute("SELECT 1").fetchone() == (1,)
    for connection in silent:
        connection.close()


def test_too_many_clients(server: EmbeddedServer) -> None:
    clients: list[psycopg.Connection[Any]] = []

    def enter() -> None:
        while len(clients) <= 100:
            clients.append(psycopg.connect(server.url))

    with pytest.raises(psycopg.OperationalError, match="too many clients already"):
        enter()
    for client in clients:
        client.close()
    wait_until_admitted(server)


def wait_until_admitted(server: EmbeddedServer) -> None:
    for _ in range(50):
        try:
            psycopg.connect(server.url).close()
        except psycopg.OperationalError:
            time.sleep(0.02)
        else:
            return
    pytest.fail("closed connections still count")


def test_a_wrong_cancel_key_does_nothing(server: EmbeddedServer, connect: Connect) -> None:
    one = connect()
    one.pgconn.send_query(b"SELECT pg_sleep(0.3)")
    with dial(server) as other:
        other.sendall(struct.pack("!iiii", 16, 80877102, one.info.backend_pid, 12345))
        assert is_closed(other)
    result = one.pgconn.get_result()
    assert result is not None
    assert result.status == psycopg.pq.ExecStatus.TUPLES_OK


def test_ssl_and_gss_are_declined(server: EmbeddedServer) -> None:
    with dial(server) as connection:
        for code in (80877103, 80877104):
            connection.sendall(struct.pack("!ii", 8, code))
            assert connection.recv(1) == b"N"
        connection.sendall(HELLO)
        assert connection.recv(1) == b"R"


def test_bytes_may_come_one_by_one(server: EmbeddedServer) -> None:
    with dial(server) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in HELLO + b"Q\0\0\0\x0dSELECT 7\0":
            connection.sendall(bytes([byte]))
        assert b"SELECT 1\0" in read_until_ready(connection, times=2)
