"""Which of several servers is the primary, where more than one takes itself for it.

A host that stood still, and comes back, is the primary in its own eyes until it hears of the other one. It confirms no
write any more, but answers questions as of the past. Servers number their timelines: one that is promoted begins the
next.
"""

from __future__ import annotations

import psycopg
from psycopg.rows import tuple_row


class Outdated(psycopg.OperationalError):
    """The server was the primary once."""


class Timeline:
    """The highest timeline that a connection of this process to one of the servers was on."""

    def __init__(self) -> None:
        self.highest: int | None = None

    async def admit(self, connection: psycopg.AsyncConnection[psycopg.rows.DictRow]) -> int:
        """Return the timeline that a connection is on; Outdated where another one was on a later timeline."""
        async with connection.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute("SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8)")
            row = await cursor.fetchone()
        assert row is not None
        timeline = int(row[0], 16)
        self.note(timeline)
        return timeline

    def note(self, timeline: int) -> None:
        """Take in what timeline a server is on; Outdated where another one was on a later timeline."""
        if self.highest is not None and timeline < self.highest:
            raise Outdated(f"the server is on timeline {timeline}, and another one on {self.highest}")
        self.highest = timeline
