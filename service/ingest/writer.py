"""The batch writer: requests that arrive while one write is under way go together in the next.

There is no timer and no delay when idle, and nobody is answered before the commit that holds their readings. Small
requests and large ones wait apart and take turns, so that neither has to wait for all of the other.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from service.database.pool import Connection, Contended, Pool, with_connection
from service.errors import Overloaded, Problem
from service.ingest.key_cache import Register
from service.ingest.store import Outcome, store
from service.ingest.write_queue import SMALL, Batch, Draw, Queue, Submission, pack_known
from service.live.own_commits import Written
from service.metrics.counters import Counters
from service.model.reading import Row

PATIENCE_SECONDS = 0.02
NAMED = [(outcome.name, int(outcome)) for outcome in Outcome]

log = logging.getLogger("hyperpulse")


class Writer:
    """Takes rows in and answers with their outcomes once they are committed.

    What waits is bounded twice: so many readings, for the sake of memory, and so many seconds, since whoever waits for
    long gives up, and what was stored for nothing delays the others.
    """

    def __init__(
        self,
        pool: Pool,
        most_queued: int,
        most_seconds: float,
        written: Written | None = None,
        counters: Counters | None = None,
    ) -> None:
        self.pool = pool
        self.written = written or Written()
        self.counters = counters or Counters()
        self.most_queued = most_queued
        self.most_seconds = most_seconds
        self.queued = 0
        self.register = Register()
        self.queue = Queue()
        self.turn = asyncio.Lock()
        self.merging = False

    async def write(self, rows: Sequence[Row], patiently: bool = False) -> Counter[str]:
        """Store rows and count them by outcome: inserted, updated, unchanged.

        When too much waits already it is Problem 503 at once, or, patiently, a wait.
        """
        if not rows:
            return Counter()
        loop = asyncio.get_running_loop()
        while patiently and self.is_full(len(rows), loop.time()):
            await asyncio.sleep(PATIENCE_SECONDS)
        self.require_room(len(rows))
        # Packed before they wait, so that the database need not wait for it.
        submission = Submission(rows, loop.create_future(), since=loop.time())
        if not self.merging:
            submission.packed = pack_known(self.register.names, rows)
            submission.picked = self.written.pick(rows)
        self.queued += len(rows)
        self.queue.add(submission)
        try:
            outcomes = await submission.outcomes
        finally:
            self.queued -= len(rows)
        return told(outcomes)

    def require_room(self, count: int) -> None:
        """Problem 503 where so many readings more are too many."""
        if self.is_full(count, asyncio.get_running_loop().time()):
            raise Overloaded(f"{self.queued} readings wait to be stored already; try again in a second.")

    async def wait_for_room(self) -> None:
        """Wait until a large request may find room."""
        loop = asyncio.get_running_loop()
        while self.is_full(SMALL + 1, loop.time()):
            await asyncio.sleep(PATIENCE_SECONDS)

    def is_full(self, count: int, now: float) -> bool:
        """Tell whether so many readings more are too many, or would wait for too long behind these."""
        if self.queued and self.queued + count > self.most_queued:
            return True
        line = self.queue.line(count)
        return bool(line) and now - line[0].since > self.most_seconds

    async def run(self) -> None:
        """Write what waits, again and again, until cancelled."""
        merging = False
        while True:
            await self.turn.acquire()
            await self.queue.arrival.wait()
            draw = Draw(self.queue, self.turn)
            self.merging = merging = await self.answer(draw, merging)

    async def answer(self, draw: Draw, merging: bool) -> bool:
        """Write a batch in one transaction and hand each submission its outcomes; return whether some were known."""
        try:
            outcomes = await self.store(draw, merging)
        except Problem as problem:
            was_drawn = draw.batch is not None
            submissions = draw.now().submissions
            if not was_drawn and problem.status == 503 and not isinstance(problem, Contended):
                # No transaction can begin: whoever waits need not find that out one batch after the other.
                submissions = [*submissions, *self.queue.all()]
            if was_drawn and len(submissions) > 1 and (problem.status == 500 or isinstance(problem, Contended)):
                # Whatever the database refused is in one of them; the others must not suffer for it.
                for submission in submissions:
                    alone = Draw(self.queue, self.turn, Batch([submission]))
                    merging = await self.answer(alone, merging)
                return merging
            for submission in submissions:
                if not submission.outcomes.done():
                    submission.outcomes.set_exception(problem)
            return merging
        self.counters.count_items("readings", **told(outcomes))
        start = 0
        for submission in draw.now().submissions:
            end = start + len(submission.rows)
            if not submission.outcomes.done():
                submission.outcomes.set_result(outcomes[start:end])
            start = end
        return outcomes.count(Outcome.inserted) < len(outcomes)

    async def store(self, draw: Draw, merging: bool) -> bytearray:
        """Write what is drawn in one transaction and return the outcome of each; whatever goes wrong is a Problem."""

        async def write(connection: Connection) -> bytearray:
            return await store(connection, self.register, self.written, draw, merging)

        try:
            with self.written.pressure.writing():
                return await with_connection(self.pool, write)
        except Problem:
            raise
        except Exception as surprise:
            # The writer must outlive it: others wait.
            log.exception("a batch could not be written")
            raise Problem(500, "The request failed; the log of the service says why.") from surprise


def told(outcomes: bytearray) -> Counter[str]:
    """Count outcomes by their names."""
    return Counter({name: outcomes.count(value) for name, value in NAMED})


@asynccontextmanager
async def running_writer(
    pool: Pool,
    writers: int,
    most_queued: int,
    most_seconds: float,
    written: Written | None = None,
    counters: Counters | None = None,
) -> AsyncIterator[Writer]:
    """Run a writer with so many connections at work; what was taken in is written before it ends."""
    writer = Writer(pool, most_queued, most_seconds, written, counters)
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(writer.run()) for _ in range(writers)]
        try:
            yield writer
        finally:
            while writer.queued:
                await asyncio.sleep(0.01)
            for task in running:
                task.cancel()
