"""What the database says of itself to a scraper: asked once at a time, and not waited for longer than a moment."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg.rows import DictRow

from service.database.pool import Pool, fetch_one
from service.errors import Problem

PATIENCE_SECONDS = 2.0

log = logging.getLogger("hyperpulse")


class Figures:
    """Asks for the figures; whoever asks while a question is under way shares its answer."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.asking: asyncio.Task[DictRow | None] | None = None

    async def now(self) -> DictRow | None:
        """Return the row of sql/queries/database_metrics.sql; None while the database is away or too slow."""
        asking = self.asking
        if asking is None or asking.done():
            asking = self.asking = asyncio.create_task(self.ask())
        # Another may have asked anew by the time this one goes on.
        done, _ = await asyncio.wait({asking}, timeout=PATIENCE_SECONDS)
        return asking.result() if done else None

    async def ask(self) -> DictRow | None:
        """Ask, however long it takes."""
        try:
            return await fetch_one(self.pool, "database_metrics")
        except Problem:
            return None  # said in the log


@asynccontextmanager
async def asking_figures(pool: Pool) -> AsyncIterator[Figures]:
    """Let figures be asked for until the block ends."""
    figures = Figures(pool)
    try:
        yield figures
    finally:
        if figures.asking is not None:
            figures.asking.cancel()
            await asyncio.wait({figures.asking})
