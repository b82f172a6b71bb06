"""Readings as a formula of person, time and version, so that what was sent need not be stored.

A block is a sequence of readings of one person; a request writes a block. A ledger keeps two bytes of each block: the
newest version that was sent, and the newest that was answered. In the end every reading of a block must be stored, in
a version between the two.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

PEOPLE = 1_000_000
"""A person's id is the kind's number and six digits."""
MOST_VERSIONS = 100
MICROSECONDS = 1_000_000


class Kind(NamedTuple):
    """Readings or events of one flow; moments in microseconds since 1970."""

    name: str
    number: int
    people: int
    size: int
    """Readings in a block."""
    start: int
    step: int
    """Between two readings of a person."""
    most: int
    """Number of blocks; after the last one only known blocks are repeated."""
    metrics: int = 3
    """3, or 1 for heart rates alone."""
    is_events: bool = False

    def person(self, block: int) -> str:
        """Return the id of a block's person."""
        return str(self.number * PEOPLE + block % self.people)

    def numbers(self, block: int) -> range:
        """Return the numbers of the person's readings that are in a block."""
        first = block // self.people * self.size
        return range(first, first + self.size)

    def last_moment(self) -> int:
        """Return the moment after the last reading of the last block."""
        return self.start + (self.most // self.people + 1) * self.size * self.step


class Values(NamedTuple):
    """The values of a reading."""

    timestamp: str
    heart_rate: float
    steps: int
    calories: float


def readings(kind: Kind, block: int, version: int) -> Iterator[Values]:
    """Yield the readings of a block; check.sql has the same formulas."""
    person = block % kind.people
    for number in kind.numbers(block):
        yield Values(
            moment(kind.start + number * kind.step),
            (300 + (number * 7 + person * 13 + version * 17) % 1900) / 10,
            (number * 31 + person * 17 + version * 101) % 1000,
            ((number * 3 + person * 5 + version * 7) % 10000) / 100,
        )


def moment(microseconds: int) -> str:
    """Format a moment."""
    minute, rest = divmod(microseconds, 60 * MICROSECONDS)
    seconds, fraction = divmod(rest, MICROSECONDS)
    return f"{minute_text(minute)}{seconds:02d}.{fraction:06d}Z" if fraction else f"{minute_text(minute)}{seconds:02d}Z"


@lru_cache(100_000)
def minute_text(minute: int) -> str:
    """Format a minute since 1970, up to the seconds."""
    return datetime.fromtimestamp(minute * 60, UTC).strftime("%Y-%m-%dT%H:%M:")


class Write(NamedTuple):
    """A write of a block that is under way."""

    kind: Kind
    block: int
    version: int
    is_new: bool
    """Whether the block was never sent before."""
    was: int | None
    """The version that is certainly stored; None if there is none, or if a failed write may be stored."""


class Ledger:
    """The blocks of a kind: versions sent and answered, counted from 1; 0 for none."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.sent = bytearray()
        self.answered = bytearray()
        self.under_way: set[int] = set()

    def next(self, chance: random.Random, fresh: float, changed: float) -> Write | None:
        """Begin a write: of a new block with probability `fresh`, else of a known one, changed with `changed`.

        A block has one request under way at a time, so that its last version is known; None if no block is free.
        """
        if len(self.sent) < self.kind.most and (not self.sent or chance.random() < fresh):
            self.sent.append(1)
            self.answered.append(0)
            return self.begun(Write(self.kind, len(self.sent) - 1, 0, is_new=True, was=None))
        for _ in range(8):
            block = chance.randrange(len(self.sent))
            if block not in self.under_way:
                break
        else:
            return None
        return self.again(block) if chance.random() >= changed else self.change(block)

    def change(self, block: int) -> Write:
        """Begin a write of a block's next version; of its last one, if that failed and may or may not be stored."""
        sent, answered = self.sent[block], self.answered[block]
        if sent != answered or sent == MOST_VERSIONS:
            return self.again(block)
        self.sent[block] += 1
        return self.begun(Write(self.kind, block, sent, is_new=False, was=sent - 1))

    def again(self, block: int) -> Write:
        """Begin a write of the version that was sent last."""
        sent, answered = self.sent[block], self.answered[block]
        return self.begun(Write(self.kind, block, sent - 1, is_new=False, was=sent - 1 if sent == answered else None))

    def begun(self, write: Write) -> Write:
        """Note that a write is under way."""
        self.under_way.add(write.block)
        return write

    def end(self, write: Write, answered: bool) -> None:
        """Note the outcome of a write."""
        self.under_way.remove(write.block)
        if answered:
            self.answered[write.block] = write.version + 1
