"""The one connection on which a process hears what the database announces."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Protocol

import psycopg

FIRST_PAUSE = 0.1  # seconds
LONGEST_PAUSE = 2.0  # seconds

log = logging.getLogger("hyperpulse")


class Listener(Protocol):
    """Who hears it."""

    def begin(self) -> None:
        """Hear that from now on nothing is missed."""

    def collect(self, payload: str) -> None:
        """Hear of readings."""

    def greet(self, process: str) -> None:
        """Hear that clients listen to a process."""

    def interrupt(self) -> None:
        """Hear that the connection is lost."""


async def listen(database_url: str, listener: Listener) -> None:
    """Listen for as long as the process runs; connect again, after growing pauses, when the connection is lost."""
    pause = FIRST_PAUSE
    while True:
        try:
            async with await connect(database_url) as connection:
                await connection.execute("LISTEN listeners")
                await connection.execute("LISTEN readings")
                pause = FIRST_PAUSE
                listener.begin()
                async for notification in connection.notifies():
                    if notification.channel == "readings":
                        listener.collect(notification.payload)
                    else:
                        listener.greet(notification.payload)
        except psycopg.Error as error:
            log.warning("live updates wait for the database: %s", str(error).strip().split("\n")[0])
        finally:
            listener.interrupt()
        # Not all processes of a restarted database's at the same moment.
        await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311
        pause = min(2 * pause, LONGEST_PAUSE)


async def connect(database_url: str) -> psycopg.AsyncConnection[tuple[object, ...]]:
    """Open the connection; a peer that vanished is noticed within half a minute."""
    return await psycopg.AsyncConnection.connect(
        database_url,
        autocommit=True,
        application_name="hyperpulse live",
        connect_timeout=5,
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=3,
    )
