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
    """The highest timeline that a connection of this process was on."""

    def __init__(self) -> None:
        self.highest: int | None = None

    async def admit(self, connection: psycopg.AsyncConnection[psycopg.rows.DictRow]) -> bool:
        """Return whether a new connection is on a later timeline than all before; Outdated where on an earlier one."""
        async with connection.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute("SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8)")
            row = await cursor.fetchone()
        assert row is not None
        timeline = int(row[0], 16)
        highest, self.highest = self.highest, timeline
        if highest is None:
            return False
        if timeline < highest:
            self.highest = highest
            raise Outdated(f"the server is on timeline {timeline}, and another one on {highest}")
        return timeline > highest
