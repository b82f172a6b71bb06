"""The database goes while it commits: the client is told to send it again, and never that its own items were known."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.support.service_process import running_service
from tests.support.wire import event, reading, refused

READINGS = [reading(f"10:00:{n:02}") for n in range(20)]
EVENTS = [event(f"evt_{n}") for n in range(3)]


class Wire:
    """What stands between the service and the database, and breaks once when `last` was said and done."""

    def __init__(self, database_url: str) -> None:
        parts = conninfo_to_dict(database_url)
        self.there = str(parts["host"]), int(parts["port"] or 5432)
        self.last = b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        host, port = self.listener.getsockname()
        self.url = make_conninfo(database_url, host=host, port=port)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        with suppress(OSError):  # until the listener is closed
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(self.there)
                is_mute = threading.Event()
                threading.Thread(target=self.ask, args=(client, server, is_mute), daemon=True).start()
                threading.Thread(target=self.answer, args=(server, client, is_mute), daemon=True).start()

    def ask(self, client: socket.socket, server: socket.socket, is_mute: threading.Event) -> None:
        """Hand on what the service says, until it has said the last: nobody hears what is answered to that."""
        with suppress(OSError):
            while data := client.recv(65536):
                if self.last and self.last in data:
                    self.last = b""
                    is_mute.set()
                    client.settimeout(0.5)
                server.sendall(data)
        for end in client, server:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def answer(self, server: socket.socket, client: socket.socket, is_mute: threading.Event) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                if not is_mute.is_set():
                    client.sendall(data)
            client.shutdown(socket.SHUT_RDWR)


@contextmanager
def breaking(database_url: str) -> Iterator[Wire]:
    wire = Wire(database_url)
    try:
        yield wire
    finally:
        wire.listener.close()


@pytest.mark.parametrize(
    ("path", "items", "known", "last", "again"),
    [
        ("/v1/readings", READINGS, 0, b"COMMIT", {"inserted": 0, "unchanged": 20}),
        ("/v1/readings", READINGS, 5, b"COMMIT", {"inserted": 0, "unchanged": 20}),
        ("/v1/events", EVENTS, 0, b"write_events", {"created": 0, "duplicates": 3}),
    ],
    ids=["copied", "merged", "events"],
)
def test_what_may_be_stored_is_sent_again(
    database_url: str,
    client: httpx.Client,
    path: str,
    items: list[Any],
    known: int,
    last: bytes,
    again: dict[str, int],
) -> None:
    with breaking(database_url) as wire, running_service(wire.url) as url:
        first = items[:1] if path == "/v1/events" else [reading(user_id="bob")]
        for some in (first, items[:known], items[:known]):  # what is known is merged, and so is what follows
            if some:
                assert httpx.post(url + path, json=some, timeout=30).status_code == 200
        wire.last = last
        answer = httpx.post(url + path, json=items, timeout=30)
        refused(answer, 503)
        assert answer.headers["retry-after"]
        assert "may have succeeded" in answer.json()["detail"]
        assert wire.last == b""
        said = httpx.post(url + path, json=items, timeout=30).json()
        assert {name: said[name] for name in again} == again
