"""The one connection on which a process receives the notifications of the database."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Protocol

import psycopg
from psycopg import sql

from service.database.bounded import TCP, BoundedConnection, patient
from service.database.pool import statement

FIRST_PAUSE = 0.1  # seconds
MAX_PAUSE = 2.0  # seconds
SILENCE_SECONDS = 5.0
ANSWER_SECONDS = 25.0
"""Of the server, after which it is asked whether it is there; and how long it may take to answer, behind others."""

log = logging.getLogger("hyperpulse")


class Listener(Protocol):
    """Receives notifications."""

    def on_connected(self) -> None:
        """Handle a new connection: from now on every notification arrives."""

    def on_readings(self, payload: str) -> None:
        """Handle a commit that changed readings."""

    def on_presence(self, process: str) -> None:
        """Handle the presence of a process that has subscribers."""

    def on_disconnected(self) -> None:
        """Handle the end of the connection: no notification arrives any longer."""


async def listen(database_url: str, listener: Listener) -> None:
    """Listen for as long as the process runs; after a lost connection, connect again, with growing pauses."""
    pause = FIRST_PAUSE
    while True:
        try:
            async with await connect(database_url) as connection:
                names = await open_channels(connection)
                pause = FIRST_PAUSE
                listener.on_connected()
                while True:
                    async for notification in connection.notifies(timeout=SILENCE_SECONDS):
                        if names[notification.channel] == "readings":
                            listener.on_readings(notification.payload)
                        else:
                            listener.on_presence(notification.payload)
                    await ask(connection)
        except psycopg.Error as error:
            log.warning("live updates wait for the database: %s", str(error).strip().split("\n")[0])
        finally:
            listener.on_disconnected()
        # Jitter keeps processes from connecting to a restarted database all at once.
        await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311
        pause = min(2 * pause, MAX_PAUSE)


async def ask(connection: psycopg.AsyncConnection[tuple[str, str]]) -> None:
    """Make sure that the server is there; notifications that come with its answer are kept."""
    with patient(connection, ANSWER_SECONDS):
        await connection.execute("SELECT")


async def open_channels(connection: psycopg.AsyncConnection[tuple[str, str]]) -> dict[str, str]:
    """Listen on all channels; return their names by address, which no other role can guess."""
    rows = await (await connection.execute(statement("channels"))).fetchall()
    for _, address in rows:
        await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(address)))
    return {address: name for name, address in rows}


async def connect(database_url: str) -> psycopg.AsyncConnection[tuple[str, str]]:
    """Open the connection; a vanished peer is noticed within seconds."""
    return await BoundedConnection.connect(database_url, autocommit=True, application_name="hyperpulse live", **TCP)
