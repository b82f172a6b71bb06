"""The batch writer: requests that arrive while one write is under way go together in the next.

There is no timer and no delay when idle, and nobody is answered before the commit that holds their readings.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from service.database import Connection, Pool, statement, with_connection
from service.fold import Write, fold
from service.measurements import count_items
from service.problems import Overloaded, Problem
from service.readings import Row

MOST_ROWS_TOGETHER = 5_000


@dataclass(slots=True)
class Submission:
    """The rows of one request and the outcomes it waits for."""

    rows: Sequence[Row]
    outcomes: asyncio.Future[list[str]]


class Writer:
    """Takes rows in and answers with their outcomes once they are committed."""

    def __init__(self, pool: Pool, most_queued: int) -> None:
        self.pool = pool
        self.most_queued = most_queued
        self.queued = 0
        self.queue: asyncio.Queue[Submission] = asyncio.Queue()

    async def write(self, rows: Sequence[Row]) -> Counter[str]:
        """Store rows and count them by outcome: inserted, updated, unchanged. Problem 503 when too much waits."""
        if not rows:
            return Counter()
        if self.queued and self.queued + len(rows) > self.most_queued:
            raise Overloaded(f"{self.queued} readings wait to be stored already; try again in a second.")
        submission = Submission(rows, asyncio.get_running_loop().create_future())
        self.queued += len(rows)
        self.queue.put_nowait(submission)
        try:
            return Counter(await submission.outcomes)
        finally:
            self.queued -= len(rows)

    async def run(self) -> None:
        """Write what is queued, again and again, until cancelled."""
        while True:
            group = [await self.queue.get()]
            count = len(group[0].rows)
            while not self.queue.empty() and count < MOST_ROWS_TOGETHER:
                group.append(self.queue.get_nowait())
                count += len(group[-1].rows)
            await self.answer(group)

    async def answer(self, group: list[Submission]) -> None:
        """Write a group in one transaction and hand each submission its part of the outcomes."""
        try:
            outcomes = await self.store([row for submission in group for row in submission.rows])
        except Problem as problem:
            if problem.status == 500 and len(group) > 1:
                # Whatever the database refused is in one of them; the others must not suffer for it.
                for submission in group:
                    await self.answer([submission])
                return
            for submission in group:
                if not submission.outcomes.done():
                    submission.outcomes.set_exception(problem)
            return
        count_items("readings", **Counter(outcomes))
        start = 0
        for submission in group:
            end = start + len(submission.rows)
            if not submission.outcomes.done():
                submission.outcomes.set_result(outcomes[start:end])
            start = end

    async def store(self, rows: Sequence[Row]) -> list[str]:
        """Write rows in one transaction and return the outcome of each."""
        waves, certain = fold(rows)

        async def write(connection: Connection) -> list[str]:
            outcomes = dict(certain)
            async with connection.transaction():
                for wave in waves:
                    outcomes |= await write_wave(connection, wave)
            return [outcomes[item] for item in range(len(rows))]

        return await with_connection(self.pool, write)


async def write_wave(connection: Connection, wave: Sequence[Write]) -> dict[int, str]:
    """Send one wave; return the outcomes of the items that ask for one."""
    columns = list(zip(*(write.row for write in wave), strict=True))
    names = ("tenant_ids", "user_ids", "device_ids", "timestamps", "heart_rates", "steps", "calories")
    cursor = await connection.execute(
        statement("write_readings"),
        {name: list(column) for name, column in zip(names, columns, strict=True)},
        binary=True,
    )
    row = await cursor.fetchone()
    assert row is not None
    return {write.item: outcome for write, outcome in zip(wave, row["outcomes"], strict=True) if write.item is not None}


@asynccontextmanager
async def running_writer(pool: Pool, writers: int, most_queued: int) -> AsyncIterator[Writer]:
    """Run a writer with so many connections at work; what was taken in is written before it ends."""
    writer = Writer(pool, most_queued)
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(writer.run()) for _ in range(writers)]
        try:
            yield writer
        finally:
            while writer.queued:
                await asyncio.sleep(0.01)
            for task in running:
                task.cancel()
