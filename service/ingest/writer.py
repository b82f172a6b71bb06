"""The batch writer: requests that arrive while one write is under way go together in the next.

There is no timer, and no delay when idle. A request is answered after the commit that holds its readings.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from time import monotonic

from service.database.pool import Closed, Connection, Contended, Pool, with_connection
from service.database.replicas.written import WRITTEN
from service.errors import Failed, Overloaded, Problem
from service.ingest.key_cache import KeyCache
from service.ingest.observer import CommitObserver, Unobserved
from service.ingest.outcome import Outcome
from service.ingest.store import store
from service.ingest.transaction import MetricGone
from service.ingest.write_queue import SMALL, Batch, BatchLease, Queue, Submission, pack_known
from service.metrics.counters import Counters
from service.model.reading import Row, count_samples, weight_of
from service.precedence import give_way, note_use
from service.shares import PARTY, Shares

RETRY_SECONDS = 0.02
OUTCOMES = [(outcome.name, int(outcome)) for outcome in Outcome]

log = logging.getLogger("hyperpulse")


class Writer:
    """Stores rows, and returns their outcomes once they are committed.

    What waits is bounded twice: by readings, for the sake of memory, of which tenants have shares, and by seconds,
    since a client that waits for long gives up, and storing what it sent would delay the others for nothing.
    """

    def __init__(
        self,
        pool: Pool,
        most_queued: int,
        most_seconds: float,
        observer: CommitObserver | None = None,
        counters: Counters | None = None,
        forget_metrics: Callable[[], None] = lambda: None,
    ) -> None:
        """`forget_metrics` is called where a metric is declared no more."""
        self.pool = pool
        self.forget_metrics = forget_metrics
        self.counters = counters or Counters()
        self.observer: CommitObserver = observer or Unobserved()
        self.most_seconds = most_seconds
        self.waiting = Shares(most_queued)
        self.key_cache = KeyCache()
        self.queue = Queue()
        self.upserting = False

    @property
    def queued(self) -> int:
        """How many readings wait to be stored, by their weight."""
        return self.waiting.held

    async def write(self, tenant_id: str, rows: Sequence[Row], *, patiently: bool = False) -> Counter[str]:
        """Store rows of a tenant, and count them by outcome: inserted, updated, unchanged.

        Where too much waits already, raise Overloaded at once, or, `patiently`, wait for room.
        """
        return counted(await self.write_each(tenant_id, rows, patiently=patiently)) if rows else Counter()

    async def write_each(self, tenant_id: str, rows: Sequence[Row], *, patiently: bool = False) -> bytearray:
        """Store rows like `write`, at least one, and return the outcome of each."""
        if (written := WRITTEN.get()) is not None:
            written.note_users(tenant_id, {row.user_id for row in rows})
        loop = asyncio.get_running_loop()
        samples = count_samples(rows)
        weight = weight_of(len(rows), samples)
        while patiently and self.is_full(len(rows), loop.time(), samples):
            await asyncio.sleep(RETRY_SECONDS)
        self.require_room(len(rows), samples)
        party = PARTY.get()
        self.waiting.take(party, weight)
        try:
            await give_way()
            submission = Submission(tenant_id, rows, loop.create_future(), None, loop.time(), None, samples, party)
            # Packed before they wait, so that the database need not wait for it.
            if not self.upserting and not samples:
                submission.packed = pack_known(self.key_cache.names, tenant_id, rows)
                submission.matched = self.observer.match(tenant_id, rows)
            self.queue.add(submission)
            try:
                return await submission.outcomes
            finally:
                note_use(submission.seconds)
        finally:
            self.waiting.give(party, weight)

    def require_room(self, count: int, samples: int = 0) -> None:
        """Raise Overloaded where so many more readings, with so many samples, are too many."""
        if self.is_full(count, asyncio.get_running_loop().time(), samples):
            raise Overloaded(f"{self.queued} readings wait to be stored already; try again in a second.")

    async def wait_for_room(self) -> None:
        """Wait until a large request may find room."""
        loop = asyncio.get_running_loop()
        while self.is_full(SMALL + 1, loop.time()):
            await asyncio.sleep(RETRY_SECONDS)

    def is_full(self, count: int, now: float, samples: int = 0) -> bool:
        """Return whether so many more readings are too many, or would wait too long behind these."""
        party = PARTY.get()
        if not self.waiting.fits(party, weight_of(count, samples)):
            return True
        first = self.queue.line(count, samples).first(party)
        return first is not None and now - first.since > self.most_seconds

    async def run(self) -> None:
        """Write batches, one after the other, until cancelled."""
        upserting = False
        while True:
            async with BatchLease(self.queue) as lease:
                self.upserting = upserting = await self.answer(lease, upserting)

    async def answer(self, lease: BatchLease, upserting: bool) -> bool:
        """Write a batch in one transaction, and resolve its submissions; return whether some readings were known."""
        began = monotonic()
        try:
            outcomes = await self.store(lease, upserting)
        except Problem as problem:
            was_taken = lease.is_taken
            submissions = lease.take().submissions
            # That a tenant is closed is found before the batch is taken, too: when names are asked for.
            is_of_one = isinstance(problem, Closed) or (was_taken and isinstance(problem, Failed | Contended))
            if is_of_one and len(submissions) > 1:
                return await self.answer_each(submissions, upserting)
            if not was_taken and isinstance(problem, Overloaded) and not isinstance(problem, Contended | Closed):
                # No transaction can begin: what waits need not find that out one batch after the other.
                submissions = [*submissions, *self.queue.all()]
            for submission in submissions:
                if not submission.outcomes.done():
                    submission.outcomes.set_exception(problem)
            return upserting
        self.counters.count_items("readings", **counted(outcomes))
        start, seconds = 0, (monotonic() - began) / max(lease.take().size, 1)
        for submission in lease.take().submissions:
            submission.seconds = seconds * submission.size
            end = start + len(submission.rows)
            if not submission.outcomes.done():
                submission.outcomes.set_result(outcomes[start:end])
            start = end
        if lease.take().has_samples:  # which take another way
            return upserting
        return outcomes.count(Outcome.inserted) < len(outcomes)

    async def answer_each(self, submissions: Sequence[Submission], upserting: bool) -> bool:
        """Write each submission of a batch that the database refused by itself: the fault is one's alone."""
        for submission in submissions:
            upserting = await self.answer(BatchLease(self.queue, Batch([submission])), upserting)
        return upserting

    async def store(self, lease: BatchLease, upserting: bool) -> bytearray:
        """Write a batch in one transaction, and return the outcome of each reading; every failure is a Problem."""

        async def write(connection: Connection) -> bytearray:
            return await store(connection, self.key_cache, self.observer, lease, upserting)

        try:
            with self.observer.write_load.writing():
                return await with_connection(self.pool, write)
        except MetricGone:
            self.forget_metrics()
            raise
        except Problem:
            raise
        except Exception as surprise:
            # The writer must survive it: others wait.
            log.exception("a batch could not be written")
            raise Failed() from surprise


def counted(outcomes: bytearray) -> Counter[str]:
    """Count outcomes by their names."""
    return Counter({name: outcomes.count(value) for name, value in OUTCOMES})


@asynccontextmanager
async def running_writer(
    pool: Pool,
    writers: int,
    most_queued: int,
    most_seconds: float,
    observer: CommitObserver | None = None,
    counters: Counters | None = None,
    forget_metrics: Callable[[], None] = lambda: None,
) -> AsyncIterator[Writer]:
    """Run a writer of so many connections; what it has accepted is written before it ends."""
    writer = Writer(pool, most_queued, most_seconds, observer, counters, forget_metrics)
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(writer.run()) for _ in range(writers)]
        try:
            yield writer
        finally:
            while writer.queued:
                await asyncio.sleep(0.01)
            for task in running:
                task.cancel()
