"""What is sent, by formula: every value follows from who, when and which version, so nothing sent is remembered.

A block is so many readings of one person, one after the other; a request writes a block. What is kept of a block is two
bytes: the newest version that was sent, and the newest that was answered. In the end every reading of a block must be
there, and be of a version from the one that was answered to the one that was sent.
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
    """Readings, or events, that are sent in one way; moments in microseconds since 1970."""

    name: str
    number: int
    people: int
    size: int
    """Of a block."""
    start: int
    step: int
    """Between two readings of a person."""
    most: int
    """Blocks; after the last one only known ones are sent again."""
    metrics: int = 3
    """1 for heart rates alone."""
    is_events: bool = False

    def person(self, block: int) -> str:
        """Name the person of a block."""
        return str(self.number * PEOPLE + block % self.people)

    def places(self, block: int) -> range:
        """Return which of the person's readings are in a block."""
        first = block // self.people * self.size
        return range(first, first + self.size)

    def last_moment(self) -> int:
        """Return after the last reading of the last block."""
        return self.start + (self.most // self.people + 1) * self.size * self.step


class Values(NamedTuple):
    """What a reading says."""

    timestamp: str
    heart_rate: float
    steps: int
    calories: float


def readings(kind: Kind, block: int, version: int) -> Iterator[Values]:
    """Yield the readings of a block; check.sql has the same formulas."""
    person = block % kind.people
    for place in kind.places(block):
        yield Values(
            moment(kind.start + place * kind.step),
            (300 + (place * 7 + person * 13 + version * 17) % 1900) / 10,
            (place * 31 + person * 17 + version * 101) % 1000,
            ((place * 3 + person * 5 + version * 7) % 10000) / 100,
        )


def moment(microseconds: int) -> str:
    """Write a moment."""
    minute, rest = divmod(microseconds, 60 * MICROSECONDS)
    seconds, fraction = divmod(rest, MICROSECONDS)
    return f"{minute_text(minute)}{seconds:02d}.{fraction:06d}Z" if fraction else f"{minute_text(minute)}{seconds:02d}Z"


@lru_cache(100_000)
def minute_text(minute: int) -> str:
    """Write a minute since 1970, up to the seconds."""
    return datetime.fromtimestamp(minute * 60, UTC).strftime("%Y-%m-%dT%H:%M:")


class Write(NamedTuple):
    """A block on its way."""

    kind: Kind
    block: int
    version: int
    is_new: bool
    """Whether nothing of it was sent before."""
    was: int | None
    """The version that is certain to be there; None where there is none, or one was refused and may be there."""


class Ledger:
    """The blocks of a kind: versions sent and answered, counted from 1; 0 is none."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.sent = bytearray()
        self.answered = bytearray()
        self.under_way: set[int] = set()

    def next(self, chance: random.Random, fresh: float, changed: float) -> Write | None:
        """Begin to write: with the chance `fresh` a new block, else a known one, with the chance `changed` anew.

        Of a block one request is under way at a time, so that it is known which version is the last; None where no
        block is free.
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
        """Begin to write a block anew; as it was sent last, where that was refused and may be there or not."""
        sent, answered = self.sent[block], self.answered[block]
        if sent != answered or sent == MOST_VERSIONS:
            return self.again(block)
        self.sent[block] += 1
        return self.begun(Write(self.kind, block, sent, is_new=False, was=sent - 1))

    def again(self, block: int) -> Write:
        """Begin to write a block as it was sent last."""
        sent, answered = self.sent[block], self.answered[block]
        return self.begun(Write(self.kind, block, sent - 1, is_new=False, was=sent - 1 if sent == answered else None))

    def begun(self, write: Write) -> Write:
        """Note that a block is on its way."""
        self.under_way.add(write.block)
        return write

    def end(self, write: Write, answered: bool) -> None:
        """Note what came of it."""
        self.under_way.remove(write.block)
        if answered:
            self.answered[write.block] = write.version + 1
