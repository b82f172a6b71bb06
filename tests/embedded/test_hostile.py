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
from tests.embedded.raw import dial, is_closed, log_in, owners_password, read_until_ready, startup
from tests.embedded.test_copy import resident


@pytest.fixture
def server(shared_server: EmbeddedServer) -> Iterator[EmbeddedServer]:
    """The shared gateway, which must be up and not have grown afterwards."""
    before = resident(shared_server.pid)
    yield shared_server
    with psycopg.connect(shared_server.url) as one:
        assert one.execute("SELECT 1").fetchone() == (1,)
    assert resident(shared_server.pid) - before < 100_000_000


def greeted(server: EmbeddedServer) -> socket.socket:
    connection = dial(server)
    log_in(connection, owners_password(server.data))
    return connection


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
        connection.sendall(startup())
        assert connection.recv(1) == b"R"


def test_bytes_may_come_one_by_one(server: EmbeddedServer) -> None:
    class Drop(socket.socket):
        """A socket that sends each byte by itself."""

        def sendall(self, data: bytes, flags: int = 0) -> None:  # type: ignore[override]
            for byte in data:
                super().sendall(bytes([byte]), flags)

    with Drop() as connection:
        connection.settimeout(15)
        connection.connect(("127.0.0.1", server.port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        log_in(connection, owners_password(server.data))
        connection.sendall(b"Q\0\0\0\x0dSELECT 7\0")
        assert b"SELECT 1\0" in read_until_ready(connection)
