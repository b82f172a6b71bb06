"""A way to a server that can be cut and mended."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

from psycopg.conninfo import conninfo_to_dict, make_conninfo


class Fuse:
    """Passes connections on to a database, until it is blown and again once it is mended."""

    def __init__(self, database_url: str) -> None:
        parts = conninfo_to_dict(database_url)
        self.target = (str(parts["host"]), int(str(parts["port"])))
        self.ends: list[socket.socket] = []
        self.pumps: list[threading.Thread] = []
        self.port = 0
        self.mend()
        self.url = make_conninfo(database_url, host="127.0.0.1", port=self.port)

    def __enter__(self) -> Fuse:
        return self

    def __exit__(self, *_: object) -> None:
        self.blow()

    def mend(self) -> None:
        """Let connections through."""
        self.door = socket.create_server(("127.0.0.1", self.port))
        self.port = self.door.getsockname()[1]
        self.accepting = threading.Thread(target=self.accept)
        self.accepting.start()

    def blow(self) -> None:
        """Cut all connections, and let none through."""
        hang_up(self.door)
        self.accepting.join()
        for end in self.ends:
            hang_up(end)
        for thread in self.pumps:
            thread.join()
        for end in (self.door, *self.ends):
            end.close()
        self.ends, self.pumps = [], []

    def accept(self) -> None:
        """Connect whoever comes."""
        with suppress(OSError):
            while True:
                near, _ = self.door.accept()
                self.ends.append(near)
                far = socket.create_connection(self.target)
                self.ends.append(far)
                for source, sink in ((near, far), (far, near)):
                    self.pumps.append(threading.Thread(target=pump, args=[source, sink]))
                    self.pumps[-1].start()


def pump(source: socket.socket, sink: socket.socket) -> None:
    """Copy until either side ends."""
    with suppress(OSError):
        while piece := source.recv(65536):
            sink.sendall(piece)
    hang_up(source)
    hang_up(sink)


def hang_up(end: socket.socket) -> None:
    """End a connection; unlike closing it, this wakes a thread that waits for it."""
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
