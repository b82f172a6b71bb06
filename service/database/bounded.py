"""Connections to a server that may vanish at any moment, or stand still: none is waited for without bound.

A host that is cut off sends nothing any more, not even that it is gone: TCP finds that out in the seconds that are
given here. One whose disk or whose processes stand still keeps its connections open, and does not observe
`statement_timeout`, which a commit is not subject to anyway: an exchange with it is ended from here.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow, Row, dict_row

Result = TypeVar("Result")

TCP: dict[str, Any] = {
    "connect_timeout": 3,  # of each host that the address names
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 5000,  # milliseconds that what was sent may stay without an acknowledgement
}
"""How soon a host that is gone is noticed, in seconds."""

GRACE_SECONDS = 2.0
"""Which an exchange may last beyond the limit that the server observes."""


class BoundedConnection(psycopg.AsyncConnection[Row]):
    """A connection of which each exchange with the server ends within `patience` seconds, if it has any."""

    patience: float | None = None
    begun: float = 0.0
    """When it was opened, of the monotonic clock."""
    stood_still = False
    """Whether patience ran out."""

    async def wait(self, gen: PQGen[Result], interval: float = 0.1, timeout: float | None = None) -> Result:
        """Wait for the server; OperationalError where it takes too long, and the connection is lost then."""
        if self.patience is None:
            return await super().wait(gen, interval, timeout)
        end = asyncio.get_running_loop().call_later(self.patience, self.give_up)
        try:
            return await super().wait(gen, interval, timeout)
        finally:
            end.cancel()

    def give_up(self) -> None:
        """Hang up, since patience has run out."""
        self.stood_still = True
        hang_up(self)


def hang_up(connection: psycopg.AsyncConnection[Any]) -> None:
    """End a connection without a word to the server, so that what waits for it finds it closed.

    A cancellation would have to reach the server, and turns a commit that waits for its standby into a success.
    """
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.pgconn.socket)) as shared:
        shared.shutdown(socket.SHUT_RDWR)


async def connect(url: str, seconds: float, patience: float) -> BoundedConnection[DictRow]:
    """Connect by the side of the pools, within so many seconds, and two for each host.

    TimeoutError or an error of psycopg where that fails.
    """
    async with asyncio.timeout(seconds):
        connection = await BoundedConnection[DictRow].connect(
            url, autocommit=True, row_factory=dict_row, connect_timeout=2, prepare_threshold=None
        )
    connection.patience = patience
    return connection


@contextmanager
def patient(connection: psycopg.AsyncConnection[Any], seconds: float | None) -> Iterator[None]:
    """Have another patience with a connection for as long as the block lasts; None is no bound."""
    if not isinstance(connection, BoundedConnection):
        yield
        return
    before, connection.patience = connection.patience, seconds
    try:
        yield
    finally:
        connection.patience = before


def names_several_hosts(database_url: str) -> bool:
    """Return whether an address names several hosts, one of which is the primary."""
    given = conninfo_to_dict(database_url)
    return any("," in str(given.get(name) or "") for name in ("host", "hostaddr"))
