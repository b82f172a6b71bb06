"""What the database reports of itself to a scraper: one query at a time, and only a short wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg.rows import DictRow

from service.database.pool import Pool, fetch_one
from service.errors import Problem

PATIENCE_SECONDS = 2.0


class DatabaseStats:
    """Queries the statistics of the database; scrapes that come while a query runs share its answer."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.query: asyncio.Task[DictRow | None] | None = None

    async def now(self) -> DictRow | None:
        """Return the row of sql/queries/database_metrics.sql; None while the database is away or too slow."""
        query = self.query
        if query is None or query.done():
            query = self.query = asyncio.create_task(self.fetch())
        # By the time this wait ends, self.query may be a later query.
        done, _ = await asyncio.wait({query}, timeout=PATIENCE_SECONDS)
        return query.result() if done else None

    async def fetch(self) -> DictRow | None:
        """Run the query, however long it takes."""
        try:
            return await fetch_one(self.pool, "database_metrics")
        except Problem:
            return None  # the pool has logged it


@asynccontextmanager
async def running_database_stats(pool: Pool) -> AsyncIterator[DatabaseStats]:
    """Answer with statistics of the database until the block ends."""
    stats = DatabaseStats(pool)
    try:
        yield stats
    finally:
        if stats.query is not None:
            stats.query.cancel()
            await asyncio.wait({stats.query})
