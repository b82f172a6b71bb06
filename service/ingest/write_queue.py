"""The queue of readings that wait to be written, and the batches that are taken from it.

A batch is taken at the last moment, when the transaction has begun: what arrives until then comes along. Of each tenant
that waits something is in it, so that none waits behind what others have sent.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, islice
from typing import NamedTuple

from service.ingest.copy_rows import pack
from service.ingest.copy_values import PackedValues, pack_values
from service.ingest.key_cache import Names
from service.ingest.observer import MatchedRows
from service.model.intervals import IntervalKind
from service.model.reading import Row, moment_of
from service.usage import Usage

MOST_ROWS_TOGETHER = 10_000
SMALL = 100  # readings


class Packed(NamedTuple):
    """Rows as COPY takes them, in order, their first moment, and the version of names that their keys hold under."""

    rows: list[bytes]
    first: int
    version: int


def pack_known(
    names: Names, tenant_id: str, rows: Sequence[Row], *, have_samples: bool = False
) -> Packed | PackedValues | None:
    """Pack rows of a tenant; None where a name is unknown."""
    try:
        if have_samples:
            return pack_values(rows, names, tenant_id)
        return Packed(pack(rows, *names.of(tenant_id)), min(map(moment_of, rows)), names.version)
    except KeyError:
        return None


def has_values_to_copy(row: Row) -> bool:
    """Return whether a reading has more than worn windows and totals of days."""
    if row.samples or not row.is_of_samples:
        return True
    return any(interval.kind == IntervalKind.interval for interval in row.intervals)


@dataclass(slots=True)
class Submission:
    """The rows of one request, packed too where that is likely to be of use, and the outcomes it waits for."""

    tenant_id: str
    """Whose users and devices all of the rows name."""
    rows: Sequence[Row]
    outcomes: asyncio.Future[bytearray]
    packed: Packed | PackedValues | None = None
    since: float = 0.0
    """When it began to wait, of the loop's clock."""
    matched: MatchedRows | None = None
    """The rows as the observer matched them when they were packed."""
    samples: int = 0
    """How many samples and intervals the rows have."""
    party: str | None = None
    """Who takes turns with others; see service/shares.py."""
    seconds: float = 0.0
    """Its part of those that the transaction took, which others of its batch share."""
    size: int = field(init=False)
    """How much of a transaction it takes, in rows to store: a reading of a single sample is one, as it is there."""

    def __post_init__(self) -> None:
        """Count what is stored."""
        readings = sum([not row.is_of_samples for row in self.rows]) if self.samples else len(self.rows)
        self.size = readings + self.samples


class Batch:
    """Submissions that are written together."""

    def __init__(self, submissions: Sequence[Submission]) -> None:
        self.submissions = submissions

    @property
    def parts(self) -> Iterator[tuple[str, Sequence[Row]]]:
        """The rows of each submission, and their tenant."""
        return ((submission.tenant_id, submission.rows) for submission in self.submissions)

    @cached_property
    def rows(self) -> Sequence[Row]:
        """The readings of all."""
        if len(self.submissions) == 1:
            return self.submissions[0].rows
        return list(chain.from_iterable(submission.rows for submission in self.submissions))

    @property
    def size(self) -> int:
        """How much of a transaction it takes."""
        return sum(submission.size for submission in self.submissions)

    @property
    def has_samples(self) -> bool:
        """Whether the readings, of which a batch has no other kind, have samples or intervals."""
        return self.submissions[0].samples > 0

    @property
    def has_values_to_copy(self) -> bool:
        """Whether not just worn windows and totals of days are there."""
        return any(map(has_values_to_copy, chain.from_iterable(rows for _, rows in self.parts)))

    def is_packed(self, version: int) -> bool:
        """Return whether everything is packed under a version of names."""
        return all(each.packed is not None and each.packed.version == version for each in self.submissions)

    def pack(self, names: Names) -> None:
        """Pack what is not packed under this version of names, as far as they are known."""
        for submission in self.submissions:
            if submission.packed is None or submission.packed.version != names.version:
                submission.packed = pack_known(
                    names, submission.tenant_id, submission.rows, have_samples=submission.samples > 0
                )

    def joined(self) -> Packed:
        """Return all rows as COPY takes them, of a batch without samples; everything must be packed."""
        parts = [submission.packed for submission in self.submissions if isinstance(submission.packed, Packed)]
        if len(parts) == 1:
            return parts[0]
        rows = sorted(chain.from_iterable(part.rows for part in parts))
        return Packed(rows, min(part.first for part in parts), parts[0].version)

    def packed_values(self) -> list[PackedValues]:
        """Return what each submission of a batch with samples stores; everything must be packed."""
        return [submission.packed for submission in self.submissions if isinstance(submission.packed, PackedValues)]


class Line:
    """Submissions that wait, in the order of arrival of each party; of several parties, in turns of one submission."""

    def __init__(self) -> None:
        self.of: dict[str | None, deque[Submission]] = {}
        """By party, the one whose turn is next first."""

    def __len__(self) -> int:
        """Return how many wait."""
        return sum(map(len, self.of.values()))

    def append(self, submission: Submission) -> None:
        """Let a submission wait behind those of its party."""
        self.of.setdefault(submission.party, deque()).append(submission)

    def first(self, party: str | None) -> Submission | None:
        """Return which one of a party is next, if any is."""
        return self.of[party][0] if party in self.of else None

    def has_more(self, held: Collection[str | None]) -> bool:
        """Return whether something waits that is of no party that is held."""
        return any(party not in held for party in self.of) if held else bool(self.of)

    def in_turns(self, held: Collection[str | None]) -> Iterator[Submission]:
        """Yield what waits, but of parties that are held, in the order in which it is to be written."""
        parties = [iter(waiting) for party, waiting in self.of.items() if party not in held]
        while len(parties) > 1:
            turn = [(party, submission) for party in parties for submission in islice(party, 1)]
            parties = [party for party, _ in turn]
            yield from (submission for _, submission in turn)
        for party in parties:
            yield from party

    def next(self, held: Collection[str | None]) -> list[Submission]:
        """Return what the next batch is, as much as fits into one, or a larger submission alone."""
        submissions: list[Submission] = []
        count = 0
        for submission in self.in_turns(held):
            count += submission.size
            if submissions and count > MOST_ROWS_TOGETHER:
                break
            submissions.append(submission)
        return submissions

    def remove(self, submissions: Sequence[Submission]) -> None:
        """Remove the next ones, which these are; the parties that they are of stand behind the others then."""
        if len(self.of) == 1:
            ((party, waiting),) = self.of.items()
            for _ in submissions:
                waiting.popleft()
            if not waiting:
                del self.of[party]
            return
        for submission in submissions:
            waiting = self.of.pop(submission.party)
            waiting.popleft()
            if waiting:
                self.of[submission.party] = waiting


@dataclass(slots=True)
class Queue:
    """Submissions that wait: small and large ones, without and with samples, in lines that take turns.

    So neither delays the other, and what can be inserted by COPY is in one batch with nothing that cannot. A party that
    writes more than others do has one batch at a time while these write, too, so that a writer is free for them.
    """

    small: Line = field(default_factory=Line)
    large: Line = field(default_factory=Line)
    small_with_samples: Line = field(default_factory=Line)
    large_with_samples: Line = field(default_factory=Line)
    turn: int = 0
    """Which line is next."""
    arrival: asyncio.Event = field(default_factory=asyncio.Event)
    right: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by the writer that takes the next batch."""
    usage: Usage = field(default_factory=Usage)
    """Of rows to store."""
    writing: Counter[str | None] = field(default_factory=Counter)
    """How many batches that are being written have something of a party."""

    @property
    def lines(self) -> tuple[Line, ...]:
        """The lines in the order of their turns."""
        return self.small, self.large, self.small_with_samples, self.large_with_samples

    def line(self, count: int, samples: int = 0) -> Line:
        """Return where so many readings with so many samples wait."""
        if samples:
            return self.small_with_samples if count + samples <= SMALL else self.large_with_samples
        return self.small if count <= SMALL else self.large

    def add(self, submission: Submission) -> None:
        """Append a submission to its line."""
        self.line(len(submission.rows), submission.samples).append(submission)
        if submission.party is not None:
            self.usage.note(submission.party, time.monotonic())
        if submission.party not in self.writing:
            self.arrival.set()
        elif not self.arrival.is_set():
            self.look()

    def held(self) -> Collection[str | None]:
        """Return the parties of which nothing is to be taken now."""
        now = time.monotonic()
        return [party for party in self.writing if party is not None and self.usage.is_heavy(party, now)]

    def look(self) -> None:
        """Note whether there is something to take."""
        held = self.held()
        if any(line.has_more(held) for line in self.lines):
            self.arrival.set()
        else:
            self.arrival.clear()

    def next(self) -> Batch | None:
        """Return the next batch as it would be now, of the line whose turn it is; None where nothing is to be taken."""
        held = self.held()
        submissions = self.lines[self.next_turn(held)].next(held)
        return Batch(submissions) if submissions else None

    def take(self) -> Batch | None:
        """Remove the next batch from its line, and return it; `end` is called once it is written."""
        held = self.held()
        turn = self.next_turn(held)
        submissions = self.lines[turn].next(held)
        if submissions:
            self.lines[turn].remove(submissions)
            self.turn = turn + 1
            sizes: Counter[str | None] = Counter()
            for each in submissions:
                sizes[each.party] += each.size
            self.writing.update(sizes.keys())
            for party, size in sizes.items():
                if party is not None:
                    self.usage.note(party, time.monotonic(), size)
        self.look()
        return Batch(submissions) if submissions else None

    def end(self, batch: Batch) -> None:
        """Note that a batch is written."""
        for party in {each.party for each in batch.submissions}:
            self.writing[party] -= 1
            if not self.writing[party]:
                del self.writing[party]
        self.look()

    def all(self) -> Iterator[Submission]:
        """Remove all that waits."""
        for line in self.lines:
            yield from line.in_turns(())
            line.of.clear()
        self.look()

    def next_turn(self, held: Collection[str | None]) -> int:
        """Return which line is next: the one whose turn it is, or the first after it with something to take."""
        lines = self.lines
        turns = [(self.turn + step) % len(lines) for step in range(len(lines))]
        return next((turn for turn in turns if lines[turn].has_more(held)), turns[0])


class BatchLease:
    """The right to take the next batch, which one writer has at a time.

    It ends once a batch is taken, so that the next writer can begin its transaction meanwhile; at the latest with the
    block. The batch is taken as late as possible: what arrives until then comes along.
    """

    def __init__(self, queue: Queue, batch: Batch | None = None) -> None:
        """Lease the queue, or hold a batch that was taken before."""
        self.queue = queue
        self.batch = batch
        self.is_held = False

    async def __aenter__(self) -> BatchLease:
        """Wait for the right, and for something to take."""
        await self.queue.right.acquire()
        self.is_held = True
        try:
            await self.queue.arrival.wait()
        except BaseException:
            self.release()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the lease, and let the queue know that the batch is written."""
        self.release()
        if self.batch is not None:
            self.queue.end(self.batch)

    def release(self) -> None:
        """Let another writer lease the queue."""
        if self.is_held:
            self.is_held = False
            self.queue.right.release()

    @property
    def is_taken(self) -> bool:
        """Whether the batch is taken, and stays as it is."""
        return self.batch is not None

    def peek(self) -> Batch:
        """Return the batch, or what would be taken now."""
        batch = self.batch or self.queue.next()
        assert batch is not None, "a lease begins when something waits"
        return batch

    def take(self) -> Batch:
        """Return the batch; take it the first time, and end the lease."""
        if self.batch is None:
            self.batch = self.queue.take()
            self.release()
        assert self.batch is not None, "a lease begins when something waits"
        return self.batch
